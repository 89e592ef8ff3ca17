"""Local days of any length, and the midnights between two moments."""

from datetime import UTC, date, datetime, timedelta
from math import nextafter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from powerlog.core.days import Calendar, day_of, days_between, moment_of, span, start_of

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


@pytest.mark.parametrize(
    ("zone", "local", "first", "last"),
    [
        ("Europe/Berlin", "2026-05-01 12:00", "2026-05-01 10:00", None),
        ("Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29 00:59:59", None),
        ("Europe/Berlin", "2026-03-29 02:00", "2026-03-29 01:00", None),  # clocks jump to 3:00
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:00", None),
        ("Europe/Berlin", "2026-03-29 02:59:59.999999", "2026-03-29 01:00", None),
        ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29 01:00", None),
        ("Europe/Berlin", "2026-10-25 02:00", "2026-10-25 00:00", "2026-10-25 01:00"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30", "2026-10-25 01:30"),
        ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25 02:00", None),
        # Half an hour, from 2:00 to 2:30 and back again.
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30", None),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45", "2026-04-04 15:15"),
        ("Australia/Lord_Howe", "2026-04-05 01:15", "2026-04-04 14:15", None),
        ("Antarctica/Troll", "2026-03-29 02:30", "2026-03-29 01:00", None),  # two hours
        # Midnight does not exist: 0:00 is 1:00; and 23:00 is 0:00 of the next day.
        ("Asia/Beirut", "2026-03-29 00:30", "2026-03-28 22:00", None),
        ("America/Nuuk", "2026-03-28 23:30", "2026-03-29 01:00", None),
        ("America/Havana", "2026-11-01 00:30", "2026-11-01 04:30", "2026-11-01 05:30"),
        ("Asia/Almaty", "2024-02-29 23:30", "2024-02-29 17:30", "2024-02-29 18:30"),  # for good
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00", None),  # a whole day is left out
    ],
)
def test_a_local_time_means_a_moment_also_where_it_is_not_there_or_twice(
    zone: str, local: str, first: str, last: str | None
) -> None:
    asked, where = datetime.fromisoformat(local), ZoneInfo(zone)
    assert moment_of(asked, where) == datetime.fromisoformat(f"{first}Z")
    assert moment_of(asked, where, last=True) == datetime.fromisoformat(f"{last or first}Z")


YEARS = st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1))
CHANGING = (*ZONES, "Australia/Lord_Howe", "America/Nuuk", "Antarctica/Troll", "Africa/Cairo")


@given(st.sampled_from(CHANGING), YEARS, st.timedeltas(timedelta(), timedelta(hours=4)))
def test_a_later_local_time_never_means_an_earlier_moment(
    zone: str, local: datetime, later: timedelta
) -> None:
    where = ZoneInfo(zone)
    for last in (False, True):
        assert moment_of(local, where, last=last) <= moment_of(local + later, where, last=last)
    assert moment_of(local, where) <= moment_of(local, where, last=True)


@given(st.sampled_from(CHANGING), YEARS)
def test_the_local_time_of_a_moment_means_that_moment(zone: str, utc: datetime) -> None:
    moment, where = utc.replace(tzinfo=UTC), ZoneInfo(zone)
    local = moment.astimezone(where)
    assert moment_of(local.replace(tzinfo=None), where, last=bool(local.fold)) == moment


def test_a_moment_at_midnight_belongs_to_the_new_day() -> None:
    midnight = ts(2026, 5, 2)
    calendar = Calendar("UTC")
    assert list(calendar.midnights(midnight - 1, midnight)) == [midnight]
    assert list(calendar.midnights(midnight, midnight + 1)) == []
    assert day_of(midnight, ZoneInfo("UTC")) == date(2026, 5, 2)
