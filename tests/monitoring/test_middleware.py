"""What pages say while the database is away; the same end to end is in test_database_away.py."""

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.signals import connection_created
from django.http import HttpRequest
from django.test import Client

from powerlog.admin import PowerLogAdmin
from powerlog.monitoring import middleware
from powerlog.reports import channels
from powerlog.writer.row_writer import row_writer
from tests.test_models import row

SENTENCE = "The database does not answer at the moment. The collector goes on collecting"


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def staff(browser: Client) -> Client:
    browser.force_login(User.objects.create_superuser("staff"))
    return browser


def raising(exc: Exception) -> Callable[..., NoReturn]:
    def fail(*args: Any, **kwargs: Any) -> NoReturn:
        raise exc

    return fail


def asking(sql: str) -> Callable[[], None]:
    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    return ask


@pytest.mark.parametrize("path", ["/dashboard/", "/admin/", "/admin/login/", "/nothing/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_page_is_503_while_the_database_is_away_and_the_log_is_quiet(
    browser: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
    method: str,
) -> None:
    refused = SimpleNamespace(cursor=raising(OperationalError("Connection refused")))
    monkeypatch.setattr(middleware, "connection", refused)
    response = getattr(browser, method)(path)
    assert response.status_code == 503
    assert response["Retry-After"] == "60"
    assert SENTENCE in response.content.decode()
    assert caplog.records == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "exc",
    [
        OperationalError("server closed the connection unexpectedly"),
        InterfaceError("the connection is closed"),
    ],
)
def test_a_database_that_goes_while_a_page_is_made_is_503(
    staff: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    exc: Exception,
) -> None:
    row().save()
    monkeypatch.setattr(channels, "everybody", raising(exc))
    monkeypatch.setattr(PowerLogAdmin, "minute", raising(exc))  # while the page is rendered
    for path in ("/dashboard/", "/admin/powerlog/powerlog/"):
        response = staff.get(path)
        assert response.status_code == 503
        assert SENTENCE in response.content.decode()
    assert caplog.records == []


@pytest.mark.django_db
def test_a_login_whose_session_cannot_be_saved_is_503(
    browser: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    User.objects.create_superuser("boss", password="secret")
    gone = UpdateError()
    gone.__context__ = OperationalError("server closed the connection unexpectedly")
    monkeypatch.setattr(SessionStore, "save", raising(gone))
    response = browser.post("/admin/login/", {"username": "boss", "password": "secret"})
    assert response.status_code == 503
    assert caplog.records == []


@pytest.mark.django_db
def test_tables_that_are_not_there_yet_are_503_as_well(
    staff: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(channels, "everybody", asking("SELECT 1 FROM no_such_table"))
    response = staff.get("/dashboard/")
    assert response.status_code == 503
    assert "The database is not set up yet" in response.content.decode()
    assert caplog.records == []


@pytest.mark.django_db
@pytest.mark.parametrize("bug", [raising(ZeroDivisionError()), asking("SELECT x FROM power_logs")])
def test_a_bug_is_500_and_keeps_its_traceback(
    staff: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    bug: Callable[..., None],
) -> None:
    monkeypatch.setattr(channels, "everybody", bug)
    assert staff.get("/dashboard/").status_code == 500
    (record,) = caplog.records
    assert record.exc_info


def test_while_the_database_hangs_a_page_is_503_at_once(
    browser: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # No django_db mark: a query of any kind would fail here.
    monkeypatch.setattr(row_writer, "asking_since", time.time() - 11)
    assert browser.get("/admin/").status_code == 503
    assert browser.get("/").status_code == 200
    assert browser.get("/static/powerlog/site.css").getvalue()
    assert caplog.records == []


@pytest.mark.django_db
def test_while_the_database_only_takes_its_time_there_are_pages(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_writer, "asking_since", time.time() - 3)
    assert browser.get("/admin/login/").status_code == 200


async def test_a_page_that_never_comes_is_503_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "PAGE_LIMIT_S", 0.01)

    async def hang(request: HttpRequest) -> None:
        await asyncio.Event().wait()

    assert (await middleware.in_time(hang)(HttpRequest())).status_code == 503


@pytest.mark.django_db
def test_a_statement_of_a_page_has_a_limit(django_assert_num_queries: Any) -> None:
    import collector_site.asgi  # noqa: F401 (what serves pages; commands do not import it)

    connection_created.send(sender=type(connection), connection=connection)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("20s",)
    with django_assert_num_queries(0):  # lent by the pool once more
        middleware.limit_statements(connection)


@pytest.mark.parametrize(
    ("alias", "options"), [("writer", ""), ("default", "-c statement_timeout=500")]
)
def test_the_writer_and_a_limit_of_the_operators_own_are_left_alone(
    alias: str, options: str
) -> None:
    made = SimpleNamespace(
        alias=alias,
        vendor="postgresql",
        connection=HttpRequest(),  # any object: the driver's
        settings_dict={"OPTIONS": {"options": options}},
        cursor=raising(AssertionError("it was asked")),
    )
    middleware.limit_statements(made)
