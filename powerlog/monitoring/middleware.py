"""Answer every page with 503 and a sentence while the database is away.

A page that finds the database away may raise anywhere: in a middleware, a view, a template. Django
makes a response of it at the very layer, through the site's error handlers, which are here. The
log stays quiet about it: the writer logs once that the database is away.
"""

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

from csp.constants import HEADER
from csp.utils import build_policy
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
)
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.decorators import async_only_middleware, sync_only_middleware
from django.views import defaults
from psycopg.errors import UndefinedTable

from powerlog.database.sql import STATEMENT_LIMIT_S
from powerlog.writer.row_writer import SLOW_S, row_writer

RETRY_AFTER_S = 60
PAGE_LIMIT_S = 30.0  # longer than any statement; only a database that hangs gets there
limited: WeakSet[Any] = WeakSet()  # the connections of the driver's that have STATEMENT_LIMIT_S


def unavailable(missing_tables: bool = False) -> HttpResponse:
    """Return the page, without request, session and user, which are in the database."""
    text = render_to_string("503.html", {"missing_tables": missing_tables})
    # Its policy as well: in_time() is outside of the middleware that sees to that.
    headers = {"Retry-After": str(RETRY_AFTER_S), HEADER: build_policy()}
    return HttpResponse(text, status=503, headers=headers)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500, called while the exception is handled."""
    return _unavailable_for(sys.exc_info()[1]) or defaults.server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a session that cannot be saved counts as a bad request there."""
    return _unavailable_for(exception) or defaults.bad_request(request, exception)


def _unavailable_for(exc: BaseException | None) -> HttpResponse | None:
    for each in _causes(exc):
        if _no_table(each):
            return unavailable(missing_tables=True)
        if _is_away(each):
            return unavailable()
    return None


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__


def _no_table(exc: BaseException) -> bool:
    """Return whether tables are missing, because the database was away when the server started."""
    if isinstance(exc, ProgrammingError):
        return isinstance(exc.__cause__, UndefinedTable)
    return isinstance(exc, OperationalError) and str(exc).startswith("no such table")


def _is_away(exc: BaseException) -> bool:
    if isinstance(exc.__cause__, sqlite3.OperationalError):
        # SQLite's word for wrong SQL as well, which is a bug and no outage.
        return getattr(exc.__cause__, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
    return isinstance(exc, (OperationalError, InterfaceError))


@sync_only_middleware
def database_first(get_response: Any) -> Any:
    """Middleware: no page without its database, not even one that could do without, as a login.

    While the writer's statement hangs a page would hang as well: it is not even begun.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        asking = row_writer.asking_since
        if asking is not None and time.time() - asking > SLOW_S:
            return unavailable()
        with connection.cursor() as cursor:
            # Of all tables this one is made last. Raises where the database is away.
            cursor.execute("SELECT 1 FROM django_session LIMIT 1")
        return get_response(request)

    return middleware


@async_only_middleware
def in_time(get_response: Any) -> Any:
    """Middleware: every request gets an answer, even if the database hangs.

    The thread of the page cannot be ended; it goes when its connection is found to be dead.
    """

    async def middleware(request: HttpRequest) -> HttpResponse:
        try:
            return await asyncio.wait_for(get_response(request), PAGE_LIMIT_S)
        except TimeoutError:
            return unavailable()

    return middleware


def limit_statements(connection: Any, **kwargs: Any) -> None:
    """For Django's signal connection_created: a page never waits for a locked table for ever.

    Only what serves pages listens (collector_site/asgi.py): in DATABASES the limit would cut off
    `migrate` and every other command on a big table. What DATABASE_URL says itself is respected.
    """
    if connection.alias != DEFAULT_DB_ALIAS or connection.vendor != "postgresql":
        return
    # The pool lends the same one for many pages, and Django counts each time as a new one.
    if connection.connection in limited:
        return
    if "statement_timeout" not in connection.settings_dict["OPTIONS"].get("options", ""):
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {STATEMENT_LIMIT_S * 1000}")
    limited.add(connection.connection)
