"""The writer: in batches, in order, off the frame path, and nothing lost without a word."""

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.db import DataError, IntegrityError

from powerlog.core.sampler import Sample
from powerlog.database.store import store
from powerlog.models import PowerLog
from powerlog.writer.row_writer import BATCH_ROWS, LINGER_S, RowWriter
from powerlog.writer.spool import Spool
from tests.support.doubles import Database, away, sample, until
from tests.support.frames import PUMP, T0


def test_rows_that_come_together_are_written_together(
    writer: RowWriter, database: Database
) -> None:
    for minute in range(3):
        writer.submit([sample(minute)])
    until(lambda: writer.written == 3)
    assert len(database.batches) == 1
    assert (writer.backlog.waiting, writer.backlog.lost, writer.rejected.total()) == (0, 0, 0)
    assert writer.last_write_at is not None


def test_a_batch_is_in_the_order_of_its_minutes(writer: RowWriter, database: Database) -> None:
    writer.submit([sample(2), sample(0)])
    writer.submit([sample(1)])
    until(lambda: writer.written == 3)
    assert [row.ts for row in database.rows] == [T0, T0 + 60, T0 + 120]


def test_a_batch_has_a_largest_size(database: Database) -> None:
    writer = RowWriter(database.store, linger_s=0.02)
    writer.submit([sample(minute) for minute in range(BATCH_ROWS + 1)])
    until(lambda: writer.written == BATCH_ROWS + 1)
    assert [len(batch) for batch in database.batches] == [BATCH_ROWS, 1]
    writer.stop()


def test_submit_does_not_wait_for_a_database_that_stalls(
    writer: RowWriter, database: Database
) -> None:
    answers = threading.Event()
    database.fault = lambda rows: answers.wait(20) and None
    for minute in range(50):
        writer.submit([sample(minute)])
        until(lambda: writer.backlog._hand)  # the thread is in the stalled statement now
    assert database.batches == []
    assert writer.backlog.waiting == 50
    assert writer.asking_since == pytest.approx(time.time(), abs=60)
    answers.set()
    until(lambda: writer.written == 50)
    until(lambda: writer.asking_since is None)


def test_rows_wait_while_the_database_is_away_and_go_in_when_it_is_back(
    writer: RowWriter, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.fault = away
    writer.submit([sample(0)])
    until(lambda: writer.failing_since)
    writer.submit([sample(1)])
    time.sleep(0.05)  # several more attempts
    database.fault = lambda rows: None
    until(lambda: writer.written == 2 and len(caplog.records) > 1)
    assert [row.ts for row in database.rows] == [T0, T0 + 60]
    assert writer.failing_since is None
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2, "one line when it goes and one when it comes back"
    assert "takes no rows" in messages[0]
    assert "\n" not in messages[0]
    assert "takes rows again" in messages[1]


def test_beyond_the_bound_the_oldest_rows_are_given_up_counted_and_logged(
    writer: RowWriter, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.fault = away
    writer.submit([sample(0)])
    until(lambda: writer.failing_since)
    writer.submit([sample(minute) for minute in range(1, 151)])
    assert writer.backlog.lost == 51
    database.fault = lambda rows: None
    until(lambda: writer.backlog.waiting == 0)
    assert [row.ts for row in database.rows] == [T0 + 60 * m for m in range(51, 151)]
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert "the oldest are given up" in errors[1]
    assert len(errors) == 2


def test_who_floods_the_memory_loses_its_own(writer: RowWriter, database: Database) -> None:
    database.fault = away
    writer.submit([sample(0)], "198.51.100.1")
    until(lambda: writer.failing_since)
    for number in range(500):
        writer.submit([sample(0, device_id=f"invented-{number}")], "203.0.113.7")
        if number % 50 == 0:
            writer.submit([sample(number + 1)], "198.51.100.1")
    database.fault = lambda rows: None
    until(lambda: writer.backlog.waiting == 0)
    assert sum(row.device_id == PUMP for row in database.rows) == 11
    assert (writer.backlog.lost, writer.backlog.losers) == (511 - len(database.rows), 1)


def test_rows_of_others_do_not_wait_behind_a_flood(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spool holds the flood of one address; who comes then is written with the next batches."""
    monkeypatch.setattr("powerlog.writer.row_writer.TICK_S", 0.01)
    writer = RowWriter(database.store, spool=Spool(tmp_path, 40_000), linger_s=0, retry_s=0.01)
    database.fault = away
    for number in range(300):
        flood = [sample(minute, device_id=f"invented-{number}") for minute in range(150)]
        writer.submit(flood, "203.0.113.7")
    until(lambda: writer.backlog.spooled and not writer.backlog.waiting)
    for number in range(30):
        row = sample(number, device_id=f"pump-{number}")
        writer.submit([row], f"198.51.100.{number}")
    until(lambda: not writer.backlog.waiting)
    assert writer.backlog.lost >= 5_000
    database.fault = lambda rows: None
    until(lambda: writer.written >= 2 * BATCH_ROWS)
    batches = [{row.device_id for row in batch} for batch in database.batches]
    assert sum(device.startswith("pump") for device in batches[0] | batches[1]) == 30
    until(lambda: not writer.backlog.spooled)
    assert writer.written + writer.backlog.lost == 300 * 150 + 30
    assert writer.backlog.losers == 1
    writer.stop()


def test_every_outage_says_anew_that_rows_are_given_up(
    writer: RowWriter, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for outage in (1, 2):
        database.fault = away
        writer.submit([sample(minute) for minute in range(150)])
        until(lambda: writer.failing_since)
        writer.submit([sample(minute) for minute in range(150, 300)])
        database.fault = lambda rows: None
        until(lambda: writer.backlog.waiting == 0)
        errors = [r for r in caplog.records if "the oldest are given up" in r.getMessage()]
        assert len(errors) == outage


def test_a_statement_that_hangs_is_a_database_that_is_away(
    writer: RowWriter,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("powerlog.writer.row_writer.SLOW_S", 0.01)
    answers = threading.Event()
    database.fault = lambda rows: answers.wait(20) and None
    writer.submit([sample(0)])
    until(lambda: writer.failing_since)
    writer.submit([sample(1)])
    answers.set()
    until(lambda: writer.written == 2)
    messages = [record.getMessage() for record in caplog.records]
    assert ["no answer" in messages[0], "takes rows again" in messages[1]] == [True, True]


def test_a_row_waits_for_company_for_less_than_the_two_seconds_it_has() -> None:
    assert LINGER_S <= 1.0


@pytest.mark.parametrize("refusal", [DataError, IntegrityError, ValueError, OverflowError])
def test_a_row_that_the_database_refuses_costs_only_itself(
    writer: RowWriter,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    refusal: type[Exception],
) -> None:
    def refuse(rows: Sequence[Sample]) -> None:
        if any(row.device_id == "poison" for row in rows):
            raise refusal("value too long")

    database.fault = refuse
    writer.submit([sample(m, device_id="poison" if m in (3, 7) else PUMP) for m in range(10)])
    until(lambda: writer.backlog.waiting == 0)
    assert [(row.ts - T0) // 60 for row in database.rows] == [0, 1, 2, 4, 5, 6, 8, 9]
    assert (writer.written, writer.rejected.total()) == (8, 2)
    assert sum("value too long" in record.getMessage() for record in caplog.records) == 2


def test_stopping_writes_what_was_accepted(database: Database) -> None:
    writer = RowWriter(database.store, linger_s=60)
    writer.submit([sample(0), sample(1)])
    writer.stop()
    assert len(database.rows) == 2


def test_stopping_gives_a_database_that_is_back_in_time_its_rows(database: Database) -> None:
    attempts: list[int] = []

    def away_at_first(rows: Sequence[Sample]) -> None:
        attempts.append(1)
        if len(attempts) < 4:
            away(rows)

    database.fault = away_at_first
    writer = RowWriter(database.store, retry_s=0.01)
    writer.submit([sample(0)])
    writer.stop(limit_s=10)
    assert len(database.rows) == 1


def test_stopping_without_a_database_says_how_many_rows_are_lost(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.fault = away
    for _ in range(20):
        writer = RowWriter(database.store, linger_s=0, retry_s=0.001)
        writer.submit([sample(0), sample(1)])
        writer.stop(limit_s=0.01)
        assert "2 rows lost" in caplog.records[-1].getMessage()
        assert caplog.records[-1].levelno == logging.ERROR
        assert writer.backlog.lost == 2


def test_a_writer_that_never_had_a_row_stops_without_a_word(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    RowWriter(database.store).stop()
    assert caplog.records == []


@pytest.mark.django_db(transaction=True, databases=["default", "writer"])
def test_store_writes_every_column() -> None:
    store([sample(0, apower_w=433.25)])
    row = PowerLog.objects.get()
    assert row.timestamp.timestamp() == T0
    assert (row.device_id, row.channel, row.source) == (PUMP, "switch:2", "measured")
    assert (row.apower_w, row.voltage_v) == (433.25, 229.0)
    assert (row.current_a, row.energy_total_wh) == (2.4, 100.0)
    assert row.created_at.timestamp() == pytest.approx(time.time(), abs=60)


@pytest.mark.django_db(transaction=True, databases=["default", "writer"])
def test_rule_10_the_first_row_of_a_minute_wins_and_a_duplicate_is_no_error() -> None:
    store([sample(0, apower_w=100.0)])
    store([sample(0, apower_w=200.0), sample(1, apower_w=300.0), sample(1, apower_w=400.0)])
    assert list(PowerLog.objects.order_by("timestamp").values_list("apower_w", flat=True)) == [
        100.0,
        300.0,
    ]


@pytest.mark.django_db(transaction=True, databases=["default", "writer"])
def test_the_thread_writes_into_the_real_table() -> None:
    writer = RowWriter(store, linger_s=0.01)
    writer.submit([sample(minute) for minute in range(30)])
    writer.stop()
    assert PowerLog.objects.count() == writer.written == 30
