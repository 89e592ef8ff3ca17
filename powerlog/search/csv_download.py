"""Stream an export to a browser, at the pace of the reader.

The promise: before anything is sent, an invalid search is a 400 with sentences, and a database that
is away is a 503, as for every page. A later error cuts the answer off, so that half a file is never
taken for a whole one. Only a piece is in memory, not the file, and the query ends when the reader
is gone.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from itertools import islice

from asgiref.sync import async_to_sync, sync_to_async
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from powerlog.search.csv_export import BOM, ROWS_AT_ONCE, Table
from powerlog.search.forms import Search
from powerlog.search.pg_copy import copied

logger = logging.getLogger(__name__)

AT_ONCE = 3  # in each process: an export takes a connection, and a core of PostgreSQL
BEGIN_S = 10.0  # longer than it takes to find that PostgreSQL is away, shorter than any page may
BUSY = f"{AT_ONCE} exports are under way already. Try again when one of them is done.\n"


class Download:
    """The content of a StreamingHttpResponse; close() is called when it is over, or cut off."""

    under_way = 0

    def __init__(
        self, head: bytes, first: asyncio.Future[bytes], source: AsyncIterator[bytes]
    ) -> None:
        self._pieces = self._all(head, first, source)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    def close(self) -> None:
        async_to_sync(self._close)()

    async def _close(self) -> None:
        await self._pieces.aclose()

    async def _all(
        self, head: bytes, first: asyncio.Future[bytes], source: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        async with aclosing(source):
            try:
                yield head
                yield await first
                async for piece in source:
                    yield piece
            except (DatabaseError, InterfaceError) as exc:
                logger.error("an export breaks off: %s", " ".join(str(exc).split()))
                # To Django the reader is gone: it sends no end of the answer, which is cut off
                # then (powerlog/server/daphne_server.py).
                raise asyncio.CancelledError from exc
            finally:
                if first.cancel():  # what is running cannot be closed
                    await asyncio.wait([first])


def download(request: HttpRequest, table: Table) -> HttpResponse:
    """Return the file for this query string's search. The caller checks who may have it."""
    search = table.search(request.GET)
    if not search.is_valid():
        return HttpResponse(
            _sentences(search), status=400, content_type="text/plain; charset=utf-8"
        )
    if Download.under_way >= AT_ONCE:
        return HttpResponse(BUSY, status=503, content_type="text/plain; charset=utf-8")
    source = _counted(_source(table, search))
    first = async_to_sync(_first)(source)
    answer = StreamingHttpResponse(Download(BOM + table.header, first, source))
    answer["Content-Type"] = "text/csv; charset=utf-8"
    answer["Content-Disposition"] = f'attachment; filename="{_file_name(table)}"'
    answer["Cache-Control"] = "no-store"
    return answer


async def _first(source: AsyncIterator[bytes]) -> asyncio.Future[bytes]:
    """Wait for the first piece: before it an error is still a page. A long search may take time."""
    first = asyncio.ensure_future(_next(source))
    await asyncio.wait([first], timeout=BEGIN_S)
    if first.done():
        first.result()
    return first


async def _next(source: AsyncIterator[bytes]) -> bytes:
    return await anext(source, b"")


async def _counted(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    Download.under_way += 1
    try:
        async with aclosing(source):
            async for piece in source:
                yield piece
    finally:
        Download.under_way -= 1


def _source(table: Table, search: Search) -> AsyncIterator[bytes]:
    if connection.vendor == "postgresql":
        return copied(*table.copy(search), timezone.get_current_timezone_name())
    return _in_thread(table.lines(search))


async def _in_thread(lines: Iterator[str]) -> AsyncIterator[bytes]:
    while piece := await sync_to_async(_piece)(lines):
        yield piece


def _piece(lines: Iterator[str]) -> bytes:
    return "".join(islice(lines, ROWS_AT_ONCE)).encode()


def _sentences(search: Search) -> str:
    return "".join(
        f"{search[name].label if name in search.fields else name}: {sentence}\n"
        for name, sentences in search.errors.items()
        for sentence in sentences
    )


def _file_name(table: Table) -> str:
    return f"{table.name}-{timezone.localtime():%Y-%m-%d-%H%M}.csv"
