"""Days and months as bars."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from powerlog.dashboard.weeks import Total, bars, month_before, months, totals_of_days
from powerlog.models import Silence
from powerlog.reports.channels import Meter
from powerlog.reports.queries import latest
from powerlog.reports.run_usage import Spent
from tests.support.pumps import DAY, NOON, PUMP, at, run, total
from tests.test_models import row


@pytest.fixture
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def totals_of(meter: Meter, first: date, last: date, now: datetime) -> list[Total]:
    return totals_of_days(meter, first, last, now, latest([meter])[0])


def day_total(day: date = DAY, seconds: float = 3600.0, wh: float = 430.0, **more: Any) -> Total:
    return Total(day, day, Spent(seconds, wh), **more)


@pytest.mark.django_db
def test_every_day_that_has_begun_is_there(noon: None) -> None:
    total(DAY - timedelta(days=1)).save()
    total(DAY - timedelta(days=9)).save()
    total(DAY, channel="switch:1").save()
    days = totals_of(PUMP, DAY - timedelta(days=2), DAY + timedelta(days=9), NOON)
    assert [each.first for each in days] == [DAY - timedelta(days=back) for back in (2, 1, 0)]
    assert [each.spent.seconds for each in days] == [0.0, 1800.0, 0.0]
    assert totals_of(PUMP, DAY + timedelta(days=1), DAY + timedelta(days=2), NOON) == []


@pytest.mark.django_db
def test_the_open_run_is_on_its_days(noon: None) -> None:
    total().save()
    row(timestamp=at(719), energy_total_wh=464.0).save()
    run(-60, None, 0.0, counter_wh=100.0).save()
    yesterday, today = totals_of(PUMP, DAY - timedelta(days=1), DAY, NOON)
    assert yesterday.spent.seconds == 3600.0
    assert today.spent.seconds == 1800.0 + 43_200.0
    assert yesterday.spent.wh + today.spent.wh == pytest.approx(215 + 364)


@pytest.mark.django_db
def test_a_silence_is_missing_on_the_days_it_touches(noon: None) -> None:
    Silence.objects.create(device_id="pump", since=at(-60), until=at(30))
    quiet = replace(PUMP, heard_at=at(700))
    yesterday, today = totals_of(quiet, DAY - timedelta(days=1), DAY, NOON)
    assert (yesterday.missing_s, today.missing_s) == (3600.0, 1800.0 + 1200.0)


def test_months_are_the_sums_of_their_days() -> None:
    days = [
        day_total(date(2026, 4, 29), runs=2, peak_w=450.0),
        day_total(date(2026, 4, 30), runs=3, peak_w=470.0, missing_s=60.0),
        day_total(date(2026, 5, 1)),
    ]
    april, may = months(days)
    assert (april.first, april.last) == (date(2026, 4, 1), date(2026, 4, 30))
    assert (april.spent, april.runs, april.peak_w) == (Spent(7200.0, 860.0), 5, 470.0)
    assert april.missing_s == 60.0
    assert may.last == date(2026, 5, 31)


@pytest.mark.parametrize(
    ("back", "month"),
    [(0, date(2026, 5, 1)), (5, date(2025, 12, 1)), (11, date(2025, 6, 1)), (-8, date(2027, 1, 1))],
)
def test_months_are_counted_across_years(back: int, month: date) -> None:
    assert month_before(DAY, back) == month


def test_a_bar_is_as_high_as_its_share_of_the_scale() -> None:
    picture = bars([day_total(), day_total(seconds=7200.0)], "time", 30, by_month=False)
    low, high = picture.bars
    assert (low.height, high.height, high.y) == ("50%", "100%", "0%")
    assert picture.heights[-1] == ("0%", "2.0\u00a0h")
    assert high.slot_x == "96.667%"
    assert (low.label, low.value, low.missing) == ("1", "1\u00a0h", "")
    assert (picture.title, picture.has_missing) == ("Run time by day", False)


def test_energy_is_another_picture_of_the_same_days() -> None:
    picture = bars([day_total(wh=2500.0)], "energy", 12, by_month=True)
    assert picture.heights[-1] == ("0%", "2.5\u00a0kWh")
    assert (picture.bars[0].label, picture.sum) == ("May", "2.50\u00a0kWh")
    assert picture.title == "Energy by month"


def test_a_day_with_missing_data_is_marked_by_how_much_is_missing() -> None:
    half = day_total(missing_s=43_200.0)
    little = day_total(missing_s=60.0)
    picture = bars([half, little], "time", 30, by_month=False)
    assert [bar.missing for bar in picture.bars] == ["50%", "4%"]
    assert picture.has_missing
    assert picture.bars[0].cells[-1] == "12\u00a0h"
    assert bars([day_total()], "time", 30, by_month=False).bars[0].cells[-1] == "\u2013"


def test_days_without_a_run_are_an_empty_picture() -> None:
    assert bars([day_total(seconds=0.0, wh=0.0)], "time", 30, by_month=False).is_empty
