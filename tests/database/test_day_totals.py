"""Day totals: kept up as rows and runs are stored, on both databases."""

import io
from datetime import UTC, date, datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from django.core.management import call_command

from benchmarks.accuracy.scenarios import Life
from powerlog.core.channel_state import Rules
from powerlog.core.protocol import parse
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Sample, Sampler
from powerlog.database.rebuild import meters, rebuild
from powerlog.database.store import store
from powerlog.models import DayTotal, PowerLog
from powerlog.models import Run as RunRow
from tests.support.doubles import sample
from tests.support.frames import PUMP
from tests.support.line import SWITCH

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns")
MIDNIGHT = datetime(2025, 6, 15, 22, tzinfo=UTC).timestamp()  # in Berlin
HOUR = 3600.0


@pytest.fixture(autouse=True)
def berlin(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"


def minute(at_s: float, apower_w: float = 400.0, source: str = "measured") -> Sample:
    return msgspec.structs.replace(
        sample(0), ts=int(MIDNIGHT + at_s), apower_w=apower_w, source=source
    )


def run(start_s: float, end_s: float | None, **changes: Any) -> RunState:
    """Seconds from midnight."""
    ended_at = None if end_s is None else MIDNIGHT + end_s
    end = "" if end_s is None else "stopped"
    values = {"booked_wh": 100.0, "counter_wh": 100.0, "peak_w": 430.0} | changes
    return RunState(PUMP, SWITCH, MIDNIGHT + start_s, ended_at=ended_at, end=end, **values)


def totals() -> dict[int, tuple[Any, ...]]:
    """By the day of the month: minutes, filled ones, runs, run time, energy, peak."""
    return {
        total.day.day: (
            total.active_minutes,
            total.filled_minutes,
            total.runs,
            round(total.run_s, 2),
            round(total.energy_wh, 3),
            total.peak_w,
        )
        for total in DayTotal.objects.all()
    }


def test_minutes_count_on_their_local_day() -> None:
    store([minute(-60), minute(0, 500.0), minute(60, 450.0, "carried"), minute(120, 1.0, "device")])
    assert totals() == {15: (1, 0, 0, 0, 0, 400.0), 16: (3, 2, 0, 0, 0, 500.0)}


def test_a_minute_counts_once_however_often_and_late_it_comes() -> None:
    store([minute(0), minute(60), minute(60)])
    store([minute(60, 900.0), minute(-60)])
    store([minute(0)])
    assert totals() == {15: (1, 0, 0, 0, 0, 400.0), 16: (2, 0, 0, 0, 0, 400.0)}


def test_a_run_counts_on_the_day_of_its_start_and_its_energy_where_it_was_used() -> None:
    store([run(-HOUR, 2 * HOUR, booked_wh=300.0, at_midnights=((MIDNIGHT, 90.0),))])
    assert totals() == {15: (0, 0, 1, HOUR, 90.0, 0.0), 16: (0, 0, 0, 2 * HOUR, 210.0, 0.0)}


def test_an_open_run_counts_up_to_the_last_midnight() -> None:
    store([run(-HOUR, None, booked_wh=0.0)])
    assert totals() == {15: (0, 0, 1, 0, 0, 0)}
    store([run(-HOUR, None, booked_wh=120.0, at_midnights=((MIDNIGHT, 90.0),))])
    assert totals() == {15: (0, 0, 1, HOUR, 90.0, 0), 16: (0, 0, 0, 0, 0, 0)}


def test_an_open_run_counts_once_however_often_it_is_told() -> None:
    started, spoken = run(0, None, booked_wh=0.0), run(0, None)
    store([started, spoken])  # all in one go: as it is told first, too
    assert totals() == {16: (0, 0, 1, 0, 0, 0)}
    DayTotal.objects.all().delete()
    store([spoken, msgspec.structs.replace(started, heard_at=MIDNIGHT + 60)])
    assert totals() == {}  # nothing in them has changed


def test_a_run_that_is_told_again_counts_as_it_is_told_last() -> None:
    store([run(0, 60.5), run(600, 660)])
    store([run(0, 60.5, booked_wh=101.5, counter_wh=101.5)])
    store([run(600, None), run(0, 60.5)])  # of an old log: changes nothing
    assert totals() == {16: (0, 0, 2, 120.5, 201.5, 430.0)}


def test_a_run_that_ends_another_is_counted_with_it() -> None:
    store([run(-HOUR, None), minute(-1800)])
    store([run(600, None, booked_wh=0.0)])
    assert totals()[15] == (1, 0, 1, 1800.0, 100.0, 430.0)
    assert totals()[16][2] == 1


def test_the_part_of_a_run_is_by_time_where_no_midnight_was_told() -> None:
    store([run(-HOUR, 3 * HOUR, booked_wh=400.0)])
    assert [total[4] for total in totals().values()] == [300.0, 100.0]


def test_a_day_that_is_over_stays_when_a_run_goes_on_for_weeks() -> None:
    days = [MIDNIGHT + day * 24 * HOUR for day in range(20)]
    for passed in range(1, 21):
        at = tuple((midnight, 1000.0 * n) for n, midnight in enumerate(days[:passed], 1))
        store([run(-24 * HOUR, None, at_midnights=at)])
    store([run(-24 * HOUR, 20 * 24 * HOUR, at_midnights=at, booked_wh=21_000.0)])
    assert {total[4] for total in totals().values() if total[3]} == {1000.0}
    assert sum(total[3] for total in totals().values()) == 21 * 24 * HOUR


def lived(seed: int, zone: str) -> list[Due]:
    """What the rules make of a life of a day, connection by connection, in one go."""
    rules = Rules(frozenset({"*"}), time_zone=zone)
    due: list[Due] = []
    connection, sampler = -1, Sampler(rules)
    for message in Life(seed, hours=24).messages:
        if message.connection != connection:
            due += sampler.leave()
            connection, sampler = message.connection, Sampler(rules)
        due += sampler.feed(parse(message.text), message.received)
    return due + sampler.leave()


def expected(zone: str) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    """Counted plainly: minutes, filled ones and runs of each channel and day."""
    counts: dict[tuple[Any, ...], list[int]] = {}
    for row in PowerLog.objects.all():
        key = (row.device_id, row.channel, row.timestamp.astimezone(ZoneInfo(zone)).date())
        count = counts.setdefault(key, [0, 0, 0])
        count[0] += 1
        count[1] += row.source != "measured"
    for each in RunRow.objects.all():
        key = (each.device_id, each.channel, each.started_at.astimezone(ZoneInfo(zone)).date())
        counts.setdefault(key, [0, 0, 0])[2] += 1
    return {key: tuple(count) for key, count in counts.items()}


@pytest.mark.parametrize("zone", ZONES)
def test_what_is_kept_up_in_any_pieces_is_what_is_made_anew(settings: Any, zone: str) -> None:
    settings.TIME_ZONE = zone
    chance = Random(zone)
    for seed in range(2):
        due = lived(seed, zone)
        while due:
            piece, due = due[: chance.randint(1, 400)], due[len(due) and chance.randint(1, 200) :]
            store(piece)  # some of it twice
    kept = {(t.device_id, t.channel, t.day): t for t in DayTotal.objects.all()}
    minutes = {
        key: (t.active_minutes, t.filled_minutes, t.runs)
        for key, t in kept.items()
        if t.active_minutes or t.runs
    }
    assert minutes == expected(zone)
    assert len(minutes) > 2
    DayTotal.objects.all().delete()
    for meter in meters():
        rebuild(*meter)
    for total in DayTotal.objects.all():
        before = kept[total.device_id, total.channel, total.day]
        assert (total.active_minutes, total.runs) == (before.active_minutes, before.runs)
        assert total.peak_w == before.peak_w
        assert total.energy_wh == pytest.approx(before.energy_wh, abs=1e-6)
        assert total.run_s == pytest.approx(before.run_s, abs=0.01)


def test_the_command_makes_totals_of_rows_that_had_none_and_keeps_those_of_deleted_rows() -> None:
    day = 24 * HOUR
    store([minute(0), minute(day), minute(2 * day, 450.0), run(2 * day, 2 * day + 60)])
    kept = totals()
    PowerLog.objects.filter(timestamp__lt=datetime.fromtimestamp(MIDNIGHT + day, UTC)).delete()
    DayTotal.objects.filter(day=date(2025, 6, 18)).delete()
    DayTotal.objects.filter(day=date(2025, 6, 17)).update(active_minutes=99, peak_w=9999.0)
    out = io.StringIO()
    call_command("rebuild_totals", stdout=out)
    assert out.getvalue() == "3 day totals of 1 channel made anew\n"
    assert totals() == kept
