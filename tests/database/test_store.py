"""Rows and runs into the database, and the past out of it; on both databases."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, OperationalError, connections

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Snapshot
from powerlog.database.restore import METERS_AT_ONCE, recall
from powerlog.database.store import store
from powerlog.models import PowerLog
from powerlog.models import Run as RunRow
from powerlog.writer.row_writer import RowWriter
from tests.support.doubles import sample
from tests.support.frames import PUMP, T0
from tests.support.line import SWITCH

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])

START = T0 + 26.04


def run(start: float = START, end: float | None = None, **changes: Any) -> RunState:
    values = {"device_id": PUMP, "channel": SWITCH, "counter_wh": 100.0, "peak_w": 430.0} | changes
    return RunState(started_at=start, ended_at=end, end="" if end is None else "stopped", **values)


def runs() -> list[tuple[float, float | None, float, str]]:
    """Start and end in seconds since T0, energy, and how it ended, of every run of the table."""
    return [
        (
            round(row.started_at.timestamp() - T0, 2),
            row.ended_at and round(row.ended_at.timestamp() - T0, 2),
            row.energy_wh,
            row.end,
        )
        for row in RunRow.objects.order_by("started_at", "channel")
    ]


def test_a_run_is_one_row_from_its_start_to_its_settlement() -> None:
    store([run()])
    assert runs() == [(26.04, None, 0.0, "")]
    store([run(end=T0 + 96.5, booked_wh=8.0)])
    assert runs() == [(26.04, 96.5, 8.0, "stopped")]
    store([run(end=T0 + 96.5, booked_wh=8.25, counter_wh=108.25)])
    assert runs() == [(26.04, 96.5, 8.25, "stopped")]


def test_a_run_is_stored_to_the_microsecond_and_comes_back_so() -> None:
    store([sample(0), run(start=T0 + 0.123457)])
    (past,) = recall([(PUMP, SWITCH)])
    assert past.run
    assert past.run.started_at == pytest.approx(T0 + 0.123457, abs=1e-6)
    store([msgspec.structs.replace(past.run, ended_at=T0 + 9.0, end="stopped")])
    assert RunRow.objects.count() == 1


def test_telling_an_ended_run_again_neither_opens_it_nor_counts_it_twice() -> None:
    settled = run(end=T0 + 96.5, booked_wh=8.25, counter_wh=108.25)
    store([settled])
    for older in (run(), run(end=T0 + 96.5, booked_wh=8.0), settled):
        store([older])
        assert runs() == [(26.04, 96.5, 8.25, "stopped")]


def test_the_end_of_one_run_and_the_start_of_the_next_may_share_a_batch() -> None:
    store([run()])
    store([run(end=T0 + 96.5), run(start=T0 + 99.0)])
    assert [each[:2] for each in runs()] == [(26.04, 96.5), (99.0, None)]


def test_a_run_left_open_by_a_lost_process_ends_at_the_channels_last_row() -> None:
    store([run(), sample(0), sample(1), sample(2), sample(90)])
    store([run(start=T0 + 4000.0)])
    assert [(each[0], each[1], each[3]) for each in runs()] == [
        (26.04, 120.0, "lost contact"),
        (4000.0, None, ""),
    ]


def test_a_run_left_open_ends_before_the_next_of_its_channel_starts() -> None:
    store([run(), sample(0), sample(1)])
    store([run(start=T0 + 600.0, end=T0 + 700.0), sample(10), sample(11)])
    store([run(start=T0 + 4000.0)])
    assert [each[:2] for each in runs()] == [(26.04, 60.0), (600.0, 700.0), (4000.0, None)]


def test_an_open_run_of_an_old_log_does_not_disturb_the_one_that_is_open_now() -> None:
    store([run(start=T0 + 4000.0)])
    store([sample(0), sample(1), run()])
    assert [(each[0], each[1], each[3]) for each in runs()] == [
        (26.04, 60.0, "lost contact"),
        (4000.0, None, ""),
    ]


def test_at_most_one_run_of_a_channel_is_open_but_every_channel_may_have_one() -> None:
    store([run(), run(channel="switch:1"), run(device_id="other")])
    assert RunRow.objects.filter(ended_at=None).count() == 3


def test_rows_and_runs_go_in_together_or_not_at_all() -> None:
    with pytest.raises(IntegrityError):
        store([sample(0), run(), run(device_id=None)])
    assert PowerLog.objects.count() == RunRow.objects.count() == 0


def test_recall_gives_the_newest_row_of_every_channel_asked_for() -> None:
    store([sample(minute, apower_w=100.0 + minute) for minute in range(10)])
    store([sample(3, device_id="other"), sample(3, device_id="third")])
    found = recall([(PUMP, SWITCH), ("other", SWITCH), ("other", "switch:9"), ("nobody", SWITCH)])
    assert {(past.row.device_id, past.row.ts - T0, past.row.apower_w) for past in found} == {
        (PUMP, 540, 109.0),
        ("other", 180, 430.0),
    }
    assert all(past.run is None for past in found)
    assert {past.row.device_id: past.row for past in found}[PUMP] == sample(9, apower_w=109.0)


def test_recall_gives_the_open_run_with_the_peak_of_its_rows() -> None:
    earlier = run(start=T0 - 900.0, end=T0 - 800.0)
    store([earlier, run(), sample(0, apower_w=430.0), sample(1, apower_w=455.0), sample(2)])
    (past,) = recall([(PUMP, SWITCH)])
    assert past == Snapshot(sample(2), run(peak_w=455.0))


def test_recall_brings_the_open_runs_of_the_other_channels_of_a_device_along() -> None:
    store([sample(1), run(), sample(1, device_id="other"), run(device_id="other")])
    ended = msgspec.structs.replace(run(end=T0 + 90.0), channel="switch:0")
    store([msgspec.structs.replace(sample(1), channel="switch:0"), ended])
    assert recall([(PUMP, "cover:0")]) == [Snapshot(sample(1), run())]


def test_recall_says_when_the_last_run_ended_where_none_is_open() -> None:
    store([sample(1), run(T0 - 900.0, T0 - 800.0), run(end=T0 + 90.25)])
    store([sample(1, device_id="other"), run(device_id="other")])
    found = {past.row.device_id: past for past in recall([(PUMP, SWITCH), ("other", SWITCH)])}
    assert (found[PUMP].run, found[PUMP].ended_at) == (None, pytest.approx(T0 + 90.25))
    assert (found["other"].run is None, found["other"].ended_at) == (False, None)
    (past,) = recall([(PUMP, SWITCH)], before=T0 + 61.0)
    assert past.ended_at is None, "the run was open then"


def test_recall_says_when_an_open_run_was_last_heard_of() -> None:
    store([run(), sample(0), run(heard_at=T0 + 59.5, booked_wh=4.0, counter_wh=104.0)])
    (past,) = recall([(PUMP, SWITCH)])
    assert past.run == run(heard_at=T0 + 59.5, booked_wh=4.0, counter_wh=104.0)


def test_recall_of_an_old_moment_knows_nothing_of_what_came_later() -> None:
    store([sample(minute) for minute in range(10)])
    store([run(end=T0 + 96.5), run(start=T0 + 99.0)])
    (past,) = recall([(PUMP, SWITCH)], before=T0 + 61.0)
    assert past.row.ts == T0 + 60
    assert past.run
    assert past.run.started_at == START
    assert recall([(PUMP, SWITCH)], before=T0 - 1.0) == []


def test_recall_asks_for_a_whole_fleet_in_parts() -> None:
    devices = [f"device-{number}" for number in range(METERS_AT_ONCE + 1)]
    store([sample(0, device_id=device) for device in devices])
    assert len(recall([(device, SWITCH) for device in devices])) == len(devices)
    assert recall([]) == []


def test_after_a_failure_the_connection_is_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(rows: Iterable[Any], **options: Any) -> None:
        raise OperationalError("gone")

    connections["writer"].ensure_connection()
    with monkeypatch.context() as patched:
        patched.setattr("powerlog.database.store.store_runs", fail)
        with pytest.raises(OperationalError):
            store([sample(0)])
    assert connections["writer"].connection is None
    store([sample(0)])
    assert PowerLog.objects.get().timestamp == datetime.fromtimestamp(T0, UTC) + timedelta(0)


def test_what_slips_through_to_the_database_costs_no_neighbour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if connections["writer"].vendor == "sqlite":
        pytest.skip("SQLite refuses none of these")
    monkeypatch.setattr("powerlog.writer.row_writer.fault", lambda due: None)
    poison = [sample(1, device_id="a\0b"), sample(2, device_id="x" * 101)]
    writer = RowWriter(store, linger_s=0.01)
    writer.submit([sample(0), *poison, sample(3), msgspec.structs.replace(sample(4), ts=10**17)])
    writer.stop()
    assert [row.timestamp.timestamp() for row in PowerLog.objects.all()] == [T0 + 180, T0]
    assert (writer.written, writer.rejected) == (2, {"refused by the database": 3})
