"""A run that stands for several starts (12): it keeps their number on every way into the table."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from django.db import connection

from powerlog.core.run_state import STARTS_A_MINUTE, RunState
from powerlog.core.sampler import Due, Snapshot
from powerlog.database.day_totals import Spell, account_runs
from powerlog.database.implausible_runs import find, repair
from powerlog.database.rebuild import meters, rebuild
from powerlog.database.restore import recall
from powerlog.database.store import store
from powerlog.models import DayTotal
from powerlog.models import Run as RunRow
from powerlog.writer.channel_snapshots import LastKnown
from powerlog.writer.row_writer import RowWriter
from powerlog.writer.spool import Spool
from tests.core.test_run_state_chatter import chatter
from tests.database.test_store import run
from tests.support.doubles import away, sample, until
from tests.support.frames import PUMP, T0
from tests.support.line import SWITCH, Line

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])
METER = (PUMP, SWITCH)


def starts() -> list[int]:
    """Of each run of the table, in order."""
    return list(RunRow.objects.order_by("started_at").values_list("starts", flat=True))


def total() -> int:
    """What the day has, after it was checked against the table by both ways to compute it."""
    kept = DayTotal.objects.get().runs
    account_runs([Spell(*METER, T0, T0 + 1.0)])
    assert DayTotal.objects.get().runs == kept
    for meter in meters():
        rebuild(*meter)
    assert DayTotal.objects.get().runs == kept
    return kept


def interrupted() -> tuple[list[Due], RunState]:
    """What a connection has told when it ends, while a run goes on that stands for many starts."""
    line = Line()
    chatter(line, 0, 19.9)
    line.says(20, apower_w=430.0)
    (left,) = line.sampler.leave()
    assert (left.ended_at, left.starts > 50) == (None, True)
    return [*line.rows, *line.told, left], left


def ended(past: Snapshot) -> list[RunState]:
    """What the next connection tells: the run goes on for a while."""
    line = Line(past)
    line.says(25, apower_w=430.0)
    line.says(30, apower_w=0.0)
    return line.told


def test_a_relay_that_chatters_has_all_its_starts_in_the_table(tmp_path: Path) -> None:
    line = Line()
    chatter(line, 0, 59)
    line.says(60, apower_w=0.0)
    writer = RowWriter(store, recall, Spool(tmp_path, 1000), linger_s=0.01)
    writer.submit([*line.rows, *line.told])
    until(lambda: RunRow.objects.filter(ended_at__isnull=False).count() == STARTS_A_MINUTE)
    writer.stop()
    assert starts() == [1] * (STARTS_A_MINUTE - 1) + [266]
    assert total() == 295


def test_the_day_has_what_a_run_gains_from_one_write_to_the_next() -> None:
    merged = msgspec.structs.replace
    store([run()])
    assert (starts(), total()) == ([1], 1)
    store([merged(run(), starts=12)])
    assert (starts(), total()) == ([12], 12)
    store([merged(run(), starts=12, heard_at=T0 + 50.0)])
    store([merged(run(end=T0 + 59.0), starts=40)])
    assert (starts(), total()) == ([40], 40)


def test_an_old_report_takes_no_starts_away() -> None:
    store([msgspec.structs.replace(run(), starts=12)])
    store([run()])
    assert (starts(), total()) == ([12], 12)
    store([run(end=T0 + 59.0)])
    assert (starts(), total()) == ([12], 12)


def test_all_starts_count_on_the_day_on_which_the_run_starts() -> None:
    midnight = T0 - T0 % 86_400 + 86_400.0
    long = run(midnight - 90.0, midnight + 600.0, booked_wh=100.0, starts=7)
    passed = msgspec.structs.replace(long, at_midnights=((midnight, 10.0),))
    still = msgspec.structs.replace(passed, ended_at=None, end="", starts=3)
    store([still])
    store([passed])
    assert list(DayTotal.objects.order_by("day").values_list("runs", flat=True)) == [7, 0]


def test_a_run_whose_end_was_lost_keeps_its_starts() -> None:
    store([msgspec.structs.replace(run(), starts=12)])
    store([run(T0 + 40.0)])
    assert (starts(), total()) == ([12, 1], 13)


def test_a_restart_goes_on_with_the_number_of_the_database() -> None:
    due, left = interrupted()
    store(due)
    (past,) = recall([METER])
    store(ended(past))
    assert (starts()[-1], total()) == (left.starts, STARTS_A_MINUTE - 1 + left.starts)
    assert RunRow.objects.filter(ended_at=None).count() == 0


def test_a_restart_goes_on_with_the_number_of_the_spool(tmp_path: Path) -> None:
    due, left = interrupted()
    stuck = RowWriter(away, away, Spool(tmp_path, 1000), retry_s=0.01)  # type: ignore[arg-type]
    stuck.submit(due)
    stuck.stop()
    with closing(Spool(tmp_path, 1000)) as spool:
        spool.open()
        past = spool.past(*METER, None)
    assert past
    assert past.run
    writer = RowWriter(store, recall, Spool(tmp_path, 1000), linger_s=0.01)
    writer.submit(ended(past))
    until(lambda: RunRow.objects.filter(starts=left.starts, ended_at__isnull=False).exists())
    writer.stop()
    assert (starts()[-1], total()) == (left.starts, STARTS_A_MINUTE - 1 + left.starts)


def test_a_restart_without_its_database_goes_on_with_the_number_of_the_disk(tmp_path: Path) -> None:
    due, left = interrupted()
    with closing(LastKnown(lambda: tmp_path / "last-1.sqlite3")) as last:
        last.hear(due)
        assert last.note()
    with closing(LastKnown(lambda: tmp_path / "last-1.sqlite3")) as again:
        past = again.past(*METER)
    assert past
    store(ended(past))
    assert (starts(), total()) == ([left.starts], left.starts)


@pytest.fixture
def of_before(tmp_path: Path) -> Path:
    """A spool file whose runs have no number of starts, as the version before wrote them."""
    with closing(Spool(tmp_path, 1000)) as spool:
        spool.append([("192.0.2.1", [sample(0), run()])])
    (path,) = tmp_path.glob("spool-*.sqlite3")
    with closing(sqlite3.connect(path)) as file:
        query = "SELECT id, body FROM spool WHERE kind = 'run'"
        for number, body in file.execute(query).fetchall():
            fields = json.loads(body)
            del fields["starts"]
            file.execute("UPDATE spool SET body = ? WHERE id = ?", (json.dumps(fields), number))
        file.commit()
    return tmp_path


def test_a_run_in_a_spool_of_the_version_before_stands_for_one_start(of_before: Path) -> None:
    writer = RowWriter(store, recall, Spool(of_before, 1000), linger_s=0.01)
    writer.start()
    until(lambda: RunRow.objects.exists())
    writer.stop()
    assert (starts(), total()) == ([1], 1)


def test_a_run_that_the_version_before_writes_during_an_update_stands_for_one_start() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO runs (device_id, channel, started_at, energy_wh, mean_w, peak_w, "end", '
            "midnights) VALUES ('pump', 'switch:2', '2026-05-01 12:00:00+00:00', 1, 2, 3, '', '[]')"
        )
    assert starts() == [1]


def test_a_run_that_is_repaired_keeps_its_starts() -> None:
    spike = run(T0 + 0.0, T0 + 120.0, booked_wh=5000.0, starts=40)
    store([sample(0), sample(1), spike])
    ((_, wrong),) = find(RunRow.objects.all(), T0 + 600.0)
    assert repair(wrong, by_peak=False)
    assert (starts(), total()) == ([40], 40)
