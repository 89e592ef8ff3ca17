"""Local days of any length, and the midnights between two moments."""

from datetime import UTC, date, datetime
from math import nextafter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from powerlog.core.days import Calendar, day_of, days_between, span, start_of

ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Asia/Beirut")
HOUR = 3600


def ts(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("zone", "moment", "start", "hours"),
    [
        ("UTC", ts(2026, 5, 1, 12), ts(2026, 5, 1), 24),
        ("Europe/Berlin", ts(2026, 3, 29, 12), ts(2026, 3, 28, 23), 23),
        ("Europe/Berlin", ts(2026, 10, 25, 12), ts(2026, 10, 24, 22), 25),
        ("Asia/Kolkata", ts(2026, 5, 1, 18, 30), ts(2026, 5, 1, 18, 30), 24),
        ("Asia/Beirut", ts(2026, 3, 29, 12), ts(2026, 3, 28, 22), 23),  # there is no midnight
    ],
)
def test_a_day_is_as_long_as_it_is(zone: str, moment: float, start: float, hours: int) -> None:
    assert span(moment, ZoneInfo(zone)) == (start, start + hours * HOUR)


# As late on a day as a float can say; datetime would round it up to the next one.
LAST = nextafter(ts(2027, 1, 1), 0)


@given(st.sampled_from(ZONES), st.floats(ts(2020, 1, 1), ts(2035, 1, 1)))
@example("UTC", LAST)
def test_every_moment_lies_in_its_own_day(zone: str, moment: float) -> None:
    start, end = span(moment, ZoneInfo(zone))
    assert start <= moment < end
    assert start == start_of(day_of(moment, ZoneInfo(zone)), ZoneInfo(zone))


@given(
    st.sampled_from(ZONES),
    st.lists(
        st.tuples(st.floats(ts(2026, 1, 1), ts(2027, 1, 1)), st.floats(0, 5 * 24 * HOUR)),
        min_size=1,
    ),
)
@example("UTC", [(LAST, 1.0), (LAST - 1, 1.0), (LAST, 0.0)])
def test_midnights_are_the_starts_of_the_days_between(
    zone: str, spans: list[tuple[float, float]]
) -> None:
    calendar = Calendar(zone)  # one for all: what it remembers must not matter
    for since, length in spans:
        days = list(days_between(since, since + length, ZoneInfo(zone)))
        expected = [start_of(day, ZoneInfo(zone)) for day in days[1:]]
        assert list(calendar.midnights(since, since + length)) == expected


def test_a_moment_at_midnight_belongs_to_the_new_day() -> None:
    midnight = ts(2026, 5, 2)
    calendar = Calendar("UTC")
    assert list(calendar.midnights(midnight - 1, midnight)) == [midnight]
    assert list(calendar.midnights(midnight, midnight + 1)) == []
    assert day_of(midnight, ZoneInfo("UTC")) == date(2026, 5, 2)
