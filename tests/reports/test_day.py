"""A day of a channel, out of the database."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from powerlog.localtime import local_day
from powerlog.models import PowerLog, Silence
from powerlog.reports.channels import Meter
from powerlog.reports.day import MeterDay, meter_days
from powerlog.reports.queries import Latest, last_day, latest, silences
from tests.support.pumps import DAY, NOON, PUMP, TODAY, at, minutes, run, span, total
from tests.test_models import row

pytestmark = pytest.mark.django_db
LATE = replace(PUMP, heard_at=at(1440))


def day_of(meter: Meter, day: date, now: datetime, compare: bool = False) -> MeterDay:
    [found] = meter_days([meter], day, now, latest([meter]), compare=compare)
    return found


def newest() -> Latest:
    [found] = latest([PUMP])
    return found


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def test_a_day_has_the_rows_and_runs_of_its_channel_in_order() -> None:
    PowerLog.objects.bulk_create(
        [*minutes(65, 2), *minutes(60, 2), *minutes(-1, 1), *minutes(1440, 1)]
    )
    row(timestamp=at(61), channel="switch:1").save()
    row(timestamp=at(61), device_id="other").save()
    run(65, 67).save()
    run(60, 62).save()
    run(60, 62, device_id="other").save()
    day = day_of(PUMP, DAY, NOON)
    assert [each.timestamp for each in day.rows] == [at(60), at(61), at(65), at(66)]
    assert [each.run.started_at for each in day.runs] == [at(60), at(65)]
    assert (day.passed.end, day.figures.runs, day.is_empty) == (NOON, 2, False)
    assert day_of(PUMP, DAY + timedelta(days=1), NOON).is_empty is False  # its first minute


def test_a_run_from_the_day_before_is_there_whole() -> None:
    run(-90, -80).save()
    run(-30, 10).save()
    assert [each.run.started_at for each in day_of(PUMP, DAY, NOON).runs] == [at(-30)]
    run(20, None).save()
    run(1441, 1442).save()
    assert [each.run.started_at for each in day_of(PUMP, DAY, NOON).runs] == [at(-30), at(20)]


def test_an_open_run_counts_up_to_now() -> None:
    total().save()
    run(710, None, 0.0).save()
    row(timestamp=at(719), energy_total_wh=164.5).save()
    figures = day_of(PUMP, DAY, NOON).figures
    assert (figures.run_s, figures.energy_wh) == (1800.0 + 600.0, 215.0 + 64.5)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2025, 10, 26), 25)])
def test_a_day_on_which_the_clocks_change_is_summed_over_all_its_hours(
    settings: Any, day: date, hours: int
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    start = local_day(day).start
    for hour in range(-1, 27):
        begin = start + timedelta(hours=hour)
        run(0, 0, 5.0, started_at=begin, ended_at=begin + timedelta(minutes=30)).save()
    figures = day_of(LATE, day, NOON).figures
    assert (figures.runs, figures.run_s, figures.energy_wh) == (hours, hours * 1800.0, hours * 5.0)
    assert figures.known_s == hours * 3600


def test_minutes_of_a_silence_are_no_data_but_for_those_that_have_a_row() -> None:
    Silence.objects.create(device_id="pump", since=at(100, 20), until=at(109, 10))
    Silence.objects.create(device_id="pump", since=at(-60), until=at(2))
    Silence.objects.create(device_id="other", since=at(0), until=at(700))
    PowerLog.objects.bulk_create(minutes(104, 2, source="device"))
    day = day_of(PUMP, DAY, NOON)
    assert day.gaps == [span(0, 2), span(100, 104), span(106, 110)]
    assert day.figures.known_s == (720 - 10) * 60


def test_a_silence_that_goes_on_is_no_data_until_now() -> None:
    quiet = replace(PUMP, heard_at=at(700, 30))
    assert day_of(quiet, DAY, NOON).gaps == [span(700, 720)]
    assert silences(replace(PUMP, heard_at=at(718, 30)), TODAY, NOON) == []


def test_before_a_device_was_ever_heard_nothing_is_known_of_it() -> None:
    new = replace(PUMP, first_heard_at=at(300))
    assert day_of(new, DAY, NOON).gaps == [span(0, 300)]
    total(DAY - timedelta(days=3)).save()  # older history, replayed or of before the upgrade
    assert day_of(new, DAY, NOON).gaps == []


def test_the_same_weekdays_of_four_weeks_are_compared_up_to_the_same_time() -> None:
    for week in (1, 2, 5):
        start = -week * 7 * 1440
        run(start + 60, start + 90, 20.0 * week).save()
        run(start + 715, start + 725, 10.0).save()
    run(-1440 + 60, -1440 + 90, 999.0).save()
    day = day_of(PUMP, DAY, NOON, compare=True)
    assert [each.energy_wh for each in day.usually] == [25.0, 45.0]
    assert [each.run_s for each in day.usually] == [2100.0, 2100.0]
    whole = day_of(LATE, DAY, at(1441), compare=True)
    assert [each.energy_wh for each in whole.usually] == [30.0, 50.0]
    assert day_of(PUMP, DAY, NOON).usually == ()


@pytest.mark.parametrize(
    ("changed", "now"),
    [("2026-10-25", "2026-11-01T12:00+01:00"), ("2026-03-29", "2026-04-05T12:00+02:00")],
)
def test_the_same_time_of_another_day_is_that_of_its_clock(
    settings: Any, changed: str, now: str
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    noon = datetime.fromisoformat(f"{changed}T12:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    for minutes_past in (-30, 30):
        started_at = noon + timedelta(minutes=minutes_past)
        ended_at = started_at + timedelta(minutes=10)
        run(0, 0, 5.0, started_at=started_at, ended_at=ended_at).save()
    at_noon = datetime.fromisoformat(now)
    day = day_of(replace(PUMP, heard_at=at_noon), at_noon.date(), at_noon, compare=True)
    assert [each.run_s for each in day.usually] == [600.0]


def test_the_channels_of_a_device_cost_no_more_queries_than_one(
    django_assert_num_queries: Any,
) -> None:
    names = ["switch:2", "switch:0", "switch:1", "em:0:a"]
    channels = [replace(PUMP, channel=name) for name in names]
    for number, name in enumerate(names):
        run(-10 * number - 10, 10 * number, channel=name).save()
        PowerLog.objects.bulk_create(minutes(60, number, channel=name))
        total(channel=name, energy_wh=100.0 * number).save()
    with django_assert_num_queries(7):
        days = meter_days(channels, DAY, NOON, latest(channels))
    assert [len(day.rows) for day in days] == [0, 1, 2, 3]
    assert [len(day.runs) for day in days] == [0, 1, 1, 1]
    assert [day.runs[0].run.channel for day in days[1:]] == names[1:]
    assert [day.figures.energy_wh for day in days] == [0.0, 100.0, 200.0, 300.0]


def test_the_last_day_with_data_is_a_local_one(settings: Any) -> None:
    assert last_day(PUMP) is None
    settings.TIME_ZONE = "Asia/Kolkata"
    row(timestamp=at(18 * 60 + 31)).save()
    assert last_day(PUMP) == DAY + timedelta(days=1)
    total(DAY + timedelta(days=4)).save()
    total(DAY + timedelta(days=9), run_s=0.0).save()
    assert last_day(PUMP) == DAY + timedelta(days=4)


def test_the_newest_row_and_run_are_those_of_the_channel() -> None:
    assert (newest().row, newest().run, newest().open_run) == (None, None, None)
    PowerLog.objects.bulk_create(minutes(60, 3))
    run(60, 62).save()
    assert newest().open_run is None
    run(70, None).save()
    run(80, None, channel="switch:1").save()
    found = newest()
    assert (found.row.timestamp, found.open_run.started_at) == (at(62), at(70))
