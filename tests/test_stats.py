"""The figures of a pump's day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from powerlog.models import PowerLog
from powerlog.stats import PumpDay, last_day, last_meter, pump_day, recent_meters

from .test_models import row

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def day_of(*rows: PowerLog) -> PumpDay:
    return PumpDay(NOON, NOON + timedelta(days=1), rows)


def minute(offset: int, **values: Any) -> PowerLog:
    return row(timestamp=NOON + timedelta(minutes=offset), **values)


def test_a_day_without_rows_has_no_figures() -> None:
    day = day_of()
    assert day.minutes_active == 0
    assert (day.first, day.last, day.peak_w, day.mean_w, day.energy_wh) == (None,) * 5


def test_power_is_peak_and_mean_while_active() -> None:
    day = day_of(minute(0, apower_w=400.0), minute(1, apower_w=500.0), minute(9, apower_w=450.0))
    assert (day.minutes_active, day.peak_w, day.mean_w) == (3, 500.0, 450.0)


def test_the_day_lasts_from_the_first_minute_to_the_end_of_the_last() -> None:
    day = day_of(minute(0), minute(9))
    assert (day.first, day.last) == (NOON, NOON + timedelta(minutes=10))


@pytest.mark.parametrize(
    ("totals", "energy"),
    [
        ([100.0, 107.5, 122.5], 22.5),
        ([100.0, 107.5, 3.0, 10.5], 15.0),  # reset: never negative, never a spike
        ([100.0, 107.5, 107.1, 114.6], 15.0),  # a small step back after a crash
        ([0.0, 100.0, 0.0, 107.5], 7.5),  # 0 is "never reported"
        ([100.0], None),
        ([0.0, 0.0], None),
    ],
)
def test_energy_comes_from_the_counter(totals: list[float], energy: float | None) -> None:
    rows = [minute(offset, energy_total_wh=total) for offset, total in enumerate(totals)]
    assert day_of(*rows).energy_wh == energy


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 5, 1), 24)],
)
def test_a_day_is_a_local_day_and_as_long_as_it_is(settings: Any, day: date, hours: int) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    span = pump_day("pump", "switch:2", day)
    assert (span.end - span.start).total_seconds() / 3600 == hours
    first, last = span.start, span.end - timedelta(minutes=1)
    for moment in (first - timedelta(minutes=1), first, last, span.end):
        row(timestamp=moment).save()
    found = pump_day("pump", "switch:2", day)
    assert (found.first, found.last) == (first, span.end)
    assert found.minutes_active == 2


@pytest.mark.django_db
def test_a_day_is_of_one_channel_of_one_device() -> None:
    row().save()
    row(channel="switch:1").save()
    row(device_id="other").save()
    assert pump_day("pump", "switch:2", NOON.date()).minutes_active == 1


@pytest.mark.django_db
def test_recent_meters_are_those_of_the_last_month() -> None:
    row(device_id="b").save()
    row(device_id="a").save()
    row(device_id="a", timestamp=NOON + timedelta(minutes=1)).save()
    row(device_id="old", timestamp=NOON - timedelta(days=32)).save()
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert recent_meters() == [("a", "switch:2"), ("b", "switch:2")]


@pytest.mark.django_db
def test_the_last_day_is_a_local_one(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    row(timestamp=datetime(2026, 5, 1, 18, 31, tzinfo=UTC)).save()
    assert last_day("pump", "switch:2") == date(2026, 5, 2)
    assert last_day("pump", "switch:0") is None


@pytest.mark.django_db
def test_the_last_meter_is_the_one_of_the_newest_row() -> None:
    assert last_meter() is None
    row(device_id="earlier").save()
    row(device_id="later", timestamp=NOON + timedelta(minutes=1)).save()
    assert last_meter() == ("later", "switch:2")
