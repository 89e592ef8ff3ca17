"""A fault of a table is not taken for one of its rows, and neither for the other; with the real
threads, on both databases."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from django.db import connections

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Sample
from powerlog.database.restore import recall
from powerlog.database.sql import WRITER
from powerlog.database.store import prove, store
from powerlog.models import PowerLog
from powerlog.models import Run as RunRow
from powerlog.writer.row_writer import RowWriter
from powerlog.writer.spool import Spool
from tests.support.doubles import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", WRITER])

NOW = int(time.time() // 60 * 60)
ROWS = 60
GOOD, POISON = "shellypro4pm-aabbccddee01", "poison"


def minute(number: int, device_id: str = GOOD) -> Sample:
    """The row of a minute a while ago."""
    ts = NOW - 60 * (ROWS + 1) + 60 * number
    return Sample(ts, device_id, "switch:2", 430.0, 229.0, 2.4, 100.0, "measured")


def run(number: int, device_id: str = GOOD) -> RunState:
    """A run of ten seconds in that minute."""
    started_at = minute(number).ts + 5.0
    return RunState(
        device_id, "switch:2", started_at, 430.0, ended_at=started_at + 10, end="stopped"
    )


def vendor() -> str:
    return connections[WRITER].vendor


def execute(*statements: str) -> None:
    with connections[WRITER].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def altered(statements: Sequence[str], undo: Sequence[str]) -> Iterator[None]:
    execute(*statements)
    try:
        yield
    finally:
        execute(*undo)


def a_column_too_many() -> AbstractContextManager[None]:
    """NOT NULL, and nobody writes it; SQLite adds no such column, a trigger does the same."""
    if vendor() == "sqlite":
        return trigger("power_logs", "1")
    add = "ALTER TABLE power_logs ADD COLUMN site text NOT NULL DEFAULT ''"
    oblige = "ALTER TABLE power_logs ALTER COLUMN site DROP DEFAULT"
    return altered([add, oblige], ["ALTER TABLE power_logs DROP COLUMN site"])


def a_column_missing() -> AbstractContextManager[None]:
    rename = "ALTER TABLE power_logs RENAME COLUMN {} TO {}"
    return altered([rename.format("source", "origin")], [rename.format("origin", "source")])


def a_table_missing() -> AbstractContextManager[None]:
    rename = "ALTER TABLE {} RENAME TO {}"
    return altered([rename.format("day_totals", "sums")], [rename.format("sums", "day_totals")])


def runs_that_take_nothing() -> AbstractContextManager[None]:
    return trigger("runs", "1")


def trigger(table: str, condition: str) -> AbstractContextManager[None]:
    """Rows of which this is true are refused: those of a device, or all."""
    if vendor() == "sqlite":
        refuse = (
            f"CREATE TRIGGER no BEFORE INSERT ON {table} WHEN {condition} "
            "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
        return altered([refuse], ["DROP TRIGGER no"])
    when = condition if condition != "1" else "true"
    raises = (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION $$not this one$$; END'"
    )
    refuse = (
        f"CREATE TRIGGER no BEFORE INSERT ON {table} FOR EACH ROW WHEN ({when}) "
        "EXECUTE FUNCTION refuse()"
    )
    return altered([raises, refuse], [f"DROP TRIGGER no ON {table}", "DROP FUNCTION refuse"])


def by_months(*partitions: str) -> AbstractContextManager[None]:
    """power_logs in partitions, of which these are there. Of PostgreSQL."""
    aside = "ALTER TABLE power_logs RENAME TO whole"
    divided = (
        "CREATE TABLE power_logs (LIKE whole INCLUDING DEFAULTS INCLUDING IDENTITY) "
        "PARTITION BY RANGE (timestamp)"
    )
    back = ["DROP TABLE power_logs", "ALTER TABLE whole RENAME TO power_logs"]
    return altered([aside, divided, *partitions], back)


def partition(name: str, since: float, until: float) -> str:
    first, end = (f"to_timestamp({moment:.0f})" for moment in (since, until))
    return f"CREATE TABLE {name} PARTITION OF power_logs FOR VALUES FROM ({first}) TO ({end})"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RowWriter]:
    writer = RowWriter(store, recall, Spool(tmp_path, 1000), prove, linger_s=0.02, retry_s=0.05)
    yield writer
    writer.stop()


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]


def submit(writer: RowWriter, due: list[Due]) -> None:
    """In the pieces in which they come from devices."""
    for each in due:
        writer.submit([each])


@pytest.mark.parametrize(
    "fault", [a_column_too_many, a_column_missing, a_table_missing, runs_that_take_nothing]
)
@pytest.mark.parametrize("before", [0, 3])
def test_a_fault_of_a_table_costs_no_row(
    writer: RowWriter,
    caplog: pytest.LogCaptureFixture,
    fault: Callable[[], AbstractContextManager[None]],
    before: int,
) -> None:
    submit(writer, [minute(number) for number in range(before)])
    until(lambda: writer.written == before)
    due = [each(n) for n in range(before, ROWS) for each in (minute, run)]
    with fault():
        submit(writer, due)
        until(lambda: writer.failing_since)
        until(lambda: not writer.backlog.waiting)  # all of it is on the disk
        assert writer.rejected.total() == 0
    until(lambda: not writer.backlog.spooled)
    assert PowerLog.objects.count() == ROWS
    assert RunRow.objects.count() == ROWS - before
    assert writer.rejected.total() == writer.backlog.lost == 0
    (error,) = errors(caplog)
    assert error.startswith("the database takes no rows")


def test_a_month_without_its_partition_costs_no_row(
    writer: RowWriter, caplog: pytest.LogCaptureFixture
) -> None:
    if vendor() == "sqlite":
        return  # it has none
    with by_months():
        submit(writer, [minute(number) for number in range(ROWS)])
        until(lambda: writer.failing_since)
        until(lambda: writer.backlog.spooled == ROWS)
        execute(partition("this_month", NOW - 86400, NOW + 86400))
        until(lambda: writer.written == ROWS)
        assert PowerLog.objects.count() == ROWS
    (error,) = errors(caplog)
    assert "no partition of relation" in error


def test_rows_of_a_month_of_long_ago_do_not_keep_those_of_today_waiting(
    writer: RowWriter, caplog: pytest.LogCaptureFixture
) -> None:
    """Its partition was removed, and a device tells of it."""
    if vendor() == "sqlite":
        return
    with by_months(partition("today", NOW - 86400, NOW + 86400)):
        old = [minute(number - 3000) for number in range(3)]
        submit(writer, [*old, *(minute(number) for number in range(ROWS))])
        until(lambda: writer.written == ROWS and not writer.backlog.waiting)
    assert writer.failing_since is None
    assert writer.rejected.total() == 3
    assert all("refuses a row" in error for error in errors(caplog))


@pytest.mark.parametrize("table", ["power_logs", "runs"])
def test_the_poison_of_one_device_does_not_make_the_database_count_as_away(
    writer: RowWriter, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    kind = {"power_logs": minute, "runs": run}[table]
    with trigger(table, f"new.device_id = '{POISON}'"):
        submit(writer, [kind(number, POISON) for number in range(5)])  # nothing but poison
        until(lambda: writer.rejected.total() == 5)
        due = [kind(number, each) for number in range(ROWS) for each in (GOOD, POISON)]
        submit(writer, due)
        until(lambda: writer.rejected.total() == ROWS + 5 and not writer.backlog.waiting)
    model = {"power_logs": PowerLog, "runs": RunRow}[table]
    assert set(model.objects.values_list("device_id", flat=True)) == {GOOD}
    assert model.objects.count() == ROWS
    assert writer.failing_since is None
    assert all("refuses a row" in error for error in errors(caplog))
    assert PowerLog.objects.filter(channel="proof").count() == 0
    assert RunRow.objects.filter(channel="proof").count() == 0


def test_a_proof_leaves_nothing_behind() -> None:
    prove([minute(0), run(0)])
    assert not PowerLog.objects.exists()
    assert not RunRow.objects.exists()
    store([minute(0), run(0)])
    assert PowerLog.objects.count() == RunRow.objects.count() == 1


def test_a_statement_that_takes_too_long_is_tried_with_fewer_rows(
    writer: RowWriter, caplog: pytest.LogCaptureFixture
) -> None:
    if vendor() == "sqlite":
        return  # its statements have no limit
    database = connections[WRITER].settings_dict["NAME"]
    sleeps = (
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_sleep(0.002); RETURN new; END'"
    )
    slow = "CREATE TRIGGER slow BEFORE INSERT ON power_logs FOR EACH ROW EXECUTE FUNCTION slow()"
    undo = ["DROP TRIGGER slow ON power_logs", "DROP FUNCTION slow"]
    limit = f"ALTER DATABASE {database} SET statement_timeout = 500"
    no_limit = f"ALTER DATABASE {database} RESET statement_timeout"
    with altered([sleeps, slow, limit], [*undo, no_limit]):
        writer.submit([minute(0, f"device-{number}") for number in range(300)])
        until(lambda: writer.written == 300)
        assert 150 <= writer._at_once < 300
        assert errors(caplog) == []
