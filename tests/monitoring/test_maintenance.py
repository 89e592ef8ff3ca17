"""The thread that measures the data and deletes what is too old, and is quiet about outages."""

import logging
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.db import DatabaseError, OperationalError, connections
from django.utils import timezone

from powerlog.database import retention
from powerlog.database.store import WRITER
from powerlog.models import DayTotal, PowerLog
from powerlog.monitoring import maintenance
from powerlog.monitoring.maintenance import Upkeep
from powerlog.writer.row_writer import row_writer
from tests.support import servers
from tests.support.doubles import until
from tests.support.servers import running, serve
from tests.test_models import row

database = pytest.mark.django_db(transaction=True, databases=["default", WRITER])


@pytest.fixture
def old_row(settings: Any) -> PowerLog:
    settings.KEEP_DAYS = 30
    old = row(timestamp=timezone.now() - timedelta(days=40))
    old.save()
    day = timezone.localdate(old.timestamp)
    DayTotal.objects.create(device_id="pump", channel="switch:2", day=day)
    return old


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "powerlog.monitoring.maintenance")


def failing(exc: Exception) -> Any:
    def fail() -> NoReturn:
        raise exc

    return fail


@database
def test_the_size_of_the_data_is_known_after_a_look() -> None:
    keeper = Upkeep()
    assert keeper.data is None
    assert keeper.look()
    assert keeper.data
    assert keeper.data.endswith("B")


@database
def test_what_is_older_than_the_setting_goes(
    old_row: PowerLog, caplog: pytest.LogCaptureFixture
) -> None:
    row(timestamp=timezone.now()).save()
    assert Upkeep().look()
    assert PowerLog.objects.count() == 1
    assert "1 minute rows from before" in caplog.text
    caplog.clear()
    assert Upkeep().look()
    assert caplog.records == [], "the rest of the day there is nothing to do, and to say"


@database
def test_without_the_setting_nothing_goes(old_row: PowerLog, settings: Any) -> None:
    settings.KEEP_DAYS = None
    assert Upkeep().look()
    assert PowerLog.objects.count() == 1


@database
def test_of_several_processes_one_deletes(old_row: PowerLog) -> None:
    if connections[WRITER].vendor != "postgresql":
        pytest.skip("SQLite has no such locks, and needs none: a row goes once")
    with connections["default"].cursor() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [maintenance.PRUNING])
        assert Upkeep().look()
        assert PowerLog.objects.count() == 1
        other.execute("SELECT pg_advisory_unlock(%s)", [maintenance.PRUNING])
    assert Upkeep().look()
    assert PowerLog.objects.count() == 0


@database
def test_told_to_stop_it_ends_after_the_transaction(
    old_row: PowerLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 1)
    row(timestamp=old_row.timestamp + timedelta(minutes=1)).save()
    keeper = Upkeep()
    keeper.stop()
    keeper.look()
    assert PowerLog.objects.count() == 1


@database
def test_rows_of_a_day_without_a_total_stay_and_it_is_said_once(
    old_row: PowerLog, caplog: pytest.LogCaptureFixture
) -> None:
    DayTotal.objects.all().delete()
    keeper = Upkeep()
    assert not keeper.look()
    assert not keeper.look()
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "no day total of pump switch:2" in record.getMessage()
    assert PowerLog.objects.count() == 1


def test_a_running_collector_does_it_by_itself(
    ready_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(ready_database, tmp_path)
    server.close()
    old = "('2020-01-01 12:00:00+00', 'pump', 'switch:2', 430, 229, 2.4, 1)"
    columns = "timestamp, device_id, channel, apower_w, voltage_v, current_a, energy_total_wh"
    total = "('pump', 'switch:2', '2020-01-01', 1, 0, 0, 0, 0, 0)"
    totals = (
        "device_id, channel, day, active_minutes, filled_minutes, runs, run_s, energy_wh, peak_w"
    )
    with closing(server.connect()) as connection:
        connection.execute(f"INSERT INTO power_logs ({columns}) VALUES {old}")
        connection.execute(f"INSERT INTO day_totals ({totals}) VALUES {total}")
        connection.commit()
    assert server.rows()
    monkeypatch.setenv("KEEP_DAYS", "30")
    with running(serve(ready_database, tmp_path)) as server:
        servers.until(lambda: not server.rows())
        shown = servers.until(lambda: server.status().get("data"))
        assert "B, 0 bytes a day, kept for 30 days" in shown
        servers.until(lambda: "1 minute rows from before" in server.output)
        assert server.stop() == 0


def test_while_the_writer_says_that_the_database_is_away_it_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No django_db mark: a query of any kind would fail here.
    monkeypatch.setattr(row_writer, "failing_since", 1.0)
    assert not Upkeep().look()


def test_a_database_that_goes_meanwhile_is_no_news(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(maintenance, "measured", failing(OperationalError("Connection refused")))
    assert not Upkeep().look()
    assert caplog.records == []


def test_any_other_reason_is_said_once_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(maintenance, "measured", failing(DatabaseError("permission\ndenied")))
    keeper = Upkeep()
    assert not keeper.look()
    assert not keeper.look()
    (record,) = caplog.records
    assert record.getMessage().endswith("not measured: DatabaseError: permission denied")


def test_the_thread_looks_at_once_and_ends_when_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[str] = []
    keeper = Upkeep()

    def look() -> bool:
        looks.append(threading.current_thread().name)
        return True

    monkeypatch.setattr(keeper, "look", look)
    keeper.start()
    keeper.start()
    until(lambda: looks)
    keeper.stop()
    until(lambda: "upkeep" not in {each.name for each in threading.enumerate()})
    assert looks == ["upkeep"]
