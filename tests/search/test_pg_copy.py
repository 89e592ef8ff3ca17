"""What PostgreSQL copies out: in pieces, at the pace of its reader, and no longer than it reads."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, OperationalError, connections

from powerlog.database.store import WRITER
from powerlog.search import pg_copy
from powerlog.search.pg_copy import copied, copied_here

ROWS = "COPY (SELECT generate_series(1, {}), repeat('x', 90)) TO STDOUT (FORMAT csv)"
FOR_EVER = ROWS.format("1000000000")
ACTIVE = "SELECT wait_event FROM pg_stat_activity WHERE query LIKE 'COPY%%' AND state = 'active'"

database = pytest.mark.django_db(transaction=True, databases=["default", WRITER])
pytestmark = database


@pytest.fixture(autouse=True)
def _only_postgresql() -> None:
    if connections[WRITER].vendor != "postgresql":
        pytest.skip("SQLite copies nothing out")


@pytest.fixture
def activity() -> Iterator[Callable[[], list[str]]]:
    """What the copies in progress wait for, by another connection's word."""
    options = connections[WRITER].get_connection_params()
    del options["cursor_factory"], options["context"]
    with psycopg.connect(**options, autocommit=True) as other:
        yield lambda: [event for (event,) in other.execute(ACTIVE).fetchall()]


async def soon(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def test_all_rows_come_in_pieces_of_many() -> None:
    pieces = [piece async for piece in copied(ROWS.format("%s"), [5000], "UTC")]
    lines = b"".join(pieces).splitlines()
    assert len(lines) == 5000
    assert lines[-1] == b"5000," + b"x" * 90
    assert max(map(len, pieces)) < pg_copy.PIECE + 100
    assert len(pieces) < 10


def test_a_command_gets_the_same_and_how_many_rows_each_piece_has() -> None:
    pieces = list(copied_here(ROWS.format("%s"), [5000], "UTC"))
    assert sum(piece.rows for piece in pieces) == 5000
    assert [piece.data.count(b"\n") for piece in pieces] == [piece.rows for piece in pieces]
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_nothing_is_one_empty_piece() -> None:
    assert [piece.data for piece in copied_here(ROWS.format(0), [], "UTC")] == [b""]


LIMITS = """
COPY (SELECT current_setting('TimeZone'), current_setting('statement_timeout'))
TO STDOUT (FORMAT csv)
"""


async def test_times_are_of_the_zone_and_the_limit_of_pages_does_not_hold() -> None:
    pieces = [piece async for piece in copied(LIMITS, [], "Europe/Berlin")]
    assert pieces == [b"Europe/Berlin,0\n"]


def test_so_it_is_for_a_command_and_for_this_transaction_only() -> None:
    (piece,) = copied_here(LIMITS, [], "Asia/Kolkata")
    assert piece.data == b"Asia/Kolkata,0\n"
    with connections[WRITER].cursor() as cursor:
        cursor.execute("SHOW TimeZone")
        assert cursor.fetchone() == ("UTC",)


async def test_postgresql_waits_for_a_reader_that_takes_nothing(
    activity: Callable[[], list[str]],
) -> None:
    async with aclosing(copied(FOR_EVER, [], "UTC")) as pieces:
        await anext(pieces)
        await soon(lambda: activity() == ["ClientWrite"])
    await soon(lambda: not activity())


async def test_a_reader_that_is_cancelled_while_it_waits_ends_the_query(
    activity: Callable[[], list[str]],
) -> None:
    async def read() -> None:
        async for _ in copied("COPY (SELECT pg_sleep(600)) TO STDOUT", [], "UTC"):
            pass

    reader = asyncio.create_task(read())
    await soon(activity)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await soon(lambda: not activity())


def test_a_command_that_reads_no_further_ends_the_query(
    activity: Callable[[], list[str]],
) -> None:
    pieces = copied_here(FOR_EVER, [], "UTC")
    next(pieces)
    assert activity()
    pieces.close()
    assert not activity()


WRONG = "COPY (SELECT 1 / (generate_series(1, 5000) - 3000)) TO STDOUT"


async def test_an_error_in_the_middle_is_one_of_djangos() -> None:
    with pytest.raises(DatabaseError, match="division by zero"):
        [piece async for piece in copied(WRONG, [], "UTC")]


def test_so_it_is_for_a_command() -> None:
    with pytest.raises(DatabaseError, match="division by zero"):
        list(copied_here(WRONG, [], "UTC"))


async def test_a_server_that_is_not_there_is_one_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections[WRITER].settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connections[WRITER].settings_dict, "PORT", 1)
    with pytest.raises(OperationalError):
        await anext(copied(FOR_EVER, [], "UTC"))
