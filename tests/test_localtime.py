"""Stretches of time and local days."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.utils import timezone

from powerlog.localtime import Span, local_day, local_days, without
from tests.support.pumps import span


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 5, 1), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Asia/Kolkata", date(2026, 3, 29), 24),
    ],
)
def test_a_local_day_is_as_long_as_it_is(settings: Any, zone: str, day: date, hours: float) -> None:
    settings.TIME_ZONE = zone
    found = local_day(day)
    assert found.seconds == hours * 3600
    assert timezone.localdate(found.start) == day
    assert found.end == local_day(date.fromordinal(day.toordinal() + 1)).start


def test_a_day_begins_at_local_midnight_in_utc(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    assert local_day(date(2026, 5, 2)).start == datetime(2026, 5, 1, 18, 30, tzinfo=UTC)


def test_days_are_counted_to_the_last_one() -> None:
    days = list(local_days(date(2026, 2, 27), date(2026, 3, 1)))
    assert [day.day for day in days] == [27, 28, 1]
    assert list(local_days(date(2026, 3, 1), date(2026, 2, 27))) == []


def test_the_start_is_in_a_stretch_and_the_end_is_not() -> None:
    hour = span(60, 120)
    assert hour.start in hour
    assert hour.end not in hour
    assert (hour.minutes, hour.minute(hour.end)) == (60, 60.0)


@pytest.mark.parametrize(
    ("other", "common"),
    [
        (span(0, 90), span(60, 90)),
        (span(70, 80), span(70, 80)),
        (span(110, 300), span(110, 120)),
        (span(0, 60), None),
        (span(120, 130), None),
    ],
)
def test_two_stretches_have_in_common_what_lies_in_both(other: Span, common: Span | None) -> None:
    assert span(60, 120).clip(other) == common


@pytest.mark.parametrize(
    ("holes", "left"),
    [
        ([], [span(0, 100)]),
        ([span(20, 30)], [span(0, 20), span(30, 100)]),
        ([span(50, 60), span(0, 10), span(55, 70)], [span(10, 50), span(70, 100)]),
        ([span(-10, 200)], []),
        ([span(90, 200), span(300, 400)], [span(0, 90)]),
    ],
)
def test_holes_are_taken_out_of_a_stretch(holes: list[Span], left: list[Span]) -> None:
    assert without(span(0, 100), holes) == left
