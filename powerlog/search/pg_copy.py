"""Read PostgreSQL's COPY in pieces of many rows, for a page or a command.

The promise: only one piece is in memory, each piece holds up the loop that serves devices by less
than a millisecond, and the query stops when its reader is gone.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
from django.db import connections, transaction
from psycopg.abc import PQGen
from psycopg.generators import fetch_many
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn
from psycopg.waiting import Wait

from powerlog.database.store import WRITER

PIECE = 64 * 1024  # bytes
# Of a page the limits are not those of a file. In the memory fit the names of 30,000 channels.
BEFORE = "SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '32MB'"
ZONE = "SELECT set_config('TimeZone', %s, true)"


class Piece(NamedTuple):
    data: bytes
    rows: int
    last: bool


async def copied(statement: str, parameters: Sequence[Any], zone: str) -> AsyncIterator[bytes]:
    """Yield the pieces through a separate connection, kept for as long as the reader takes.

    Raise Django's database errors.
    """
    database = connections[WRITER]
    options = database.get_connection_params()
    del options["cursor_factory"], options["context"]  # Django's, which are not for async
    with database.wrap_database_errors:
        connection = await psycopg.AsyncConnection.connect(**options)
        async with connection, connection.cursor() as cursor:
            await cursor.execute(BEFORE)
            await cursor.execute(ZONE, [zone])
            # Left before the end, it cancels the query.
            async with cursor.copy(statement, parameters):
                last = False
                while not last:
                    data, _, last = await connection.wait(_piece(connection.pgconn))
                    yield data
                    await asyncio.sleep(0)  # it may all be there already: the devices' turn


def copied_here(statement: str, parameters: Sequence[Any], zone: str) -> Iterator[Piece]:
    """Yield the same for a command, through Django's connection. Raise its database errors."""
    with transaction.atomic(using=WRITER), connections[WRITER].cursor() as cursor:
        cursor.execute(BEFORE)
        cursor.execute(ZONE, [zone])
        connection = connections[WRITER].connection
        with connections[WRITER].wrap_database_errors, cursor.copy(statement, parameters):
            last = False
            while not last:
                piece = connection.wait(_piece(connection.pgconn))
                last = piece.last
                yield piece


def _piece(pgconn: PGconn) -> PQGen[Piece]:
    """Read the next rows of a COPY TO STDOUT in progress, for psycopg's wait().

    Its own Copy.read() gives one row at a time, at twice the CPU: 2.0 µs for each, where this
    takes 1.1.
    """
    parts: list[Any] = []
    size = 0
    while size < PIECE:
        length, row = pgconn.get_copy_data(1)
        if length > 0:
            parts.append(row)
            size += length
        elif length == 0:  # nothing has arrived
            while not (yield Wait.R):
                continue
            pgconn.consume_input()
        else:
            (result,) = yield from fetch_many(pgconn)
            if result.status != ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result)
            return Piece(b"".join(parts), len(parts), True)
    return Piece(b"".join(parts), len(parts), False)
