"""What staff look for: dates as people mean them, names in whole and in part, and clear errors."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from powerlog.models import Channel, DayTotal, Device, PowerLog, Run
from powerlog.search.forms import DaySearch, LogSearch, RunSearch, Search
from tests.test_models import row

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def found(search: type[Search], **asked: str) -> list[Any]:
    form = search(asked)
    assert form.is_valid(), form.errors
    return list(form.queryset())


def times(**asked: str) -> list[str]:
    return [f"{each.timestamp:%d %H:%M}" for each in found(LogSearch, **asked)]


def run(started_at: datetime = NOON, **changes: Any) -> Run:
    values = {"device_id": "pump", "channel": "switch:2", "energy_wh": 10.0, "mean_w": 400.0}
    return Run.objects.create(**(values | {"started_at": started_at, "peak_w": 450.0} | changes))


@pytest.fixture
def minutes() -> None:
    """In Berlin: 30 April 23:59, 1 May 0:00, 11:30, 11:31 and 23:59, 2 May 0:00."""
    midnight = datetime(2026, 4, 30, 22, tzinfo=UTC)
    for minute in (-1, 0, 11 * 60 + 30, 11 * 60 + 31, 24 * 60 - 1, 24 * 60):
        row(timestamp=midnight + timedelta(minutes=minute)).save()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["01 22:00", "01 21:59", "01 09:31", "01 09:30", "30 22:00", "30 21:59"]),
        ({"since_0": "2026-05-01"}, ["01 22:00", "01 21:59", "01 09:31", "01 09:30", "30 22:00"]),
        ({"until_0": "2026-04-30"}, ["30 21:59"]),
        (
            {"since_0": "2026-05-01", "until_0": "2026-05-01"},
            ["01 21:59", "01 09:31", "01 09:30", "30 22:00"],
        ),
        (
            {"since_0": "2026-05-01", "until_0": "2026-05-01", "until_1": "11:30"},
            ["01 09:30", "30 22:00"],
        ),
        ({"since_0": "2026-05-01", "since_1": "23:59"}, ["01 22:00", "01 21:59"]),
    ],
)
def test_dates_and_times_are_local_and_include_their_ends(
    settings: Any, minutes: None, asked: dict[str, str], expected: list[str]
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    assert times(**asked) == expected


@pytest.mark.django_db
def test_the_hour_that_is_there_twice_is_meant_as_a_whole(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    for hour in (0, 1, 2):  # 25 October 2026: 2:30 in summer time, 2:30 in winter time, 3:30
        row(timestamp=datetime(2026, 10, 25, hour, 30, tzinfo=UTC)).save()
    day = {"since_0": "2026-10-25", "until_0": "2026-10-25"}
    assert times(**day, since_1="02:30", until_1="02:30") == ["25 01:30", "25 00:30"]


# Of each zone a change of its clocks: from 2:00 to 3:00, from 2:00 to 2:30 and back, from 0:00 to
# 1:00, from 23:00 to 0:00.
BERLIN = "Europe/Berlin", "2026-03-29 01:00"
LORD_HOWE = "Australia/Lord_Howe", "2026-10-03 15:30"
LORD_HOWE_BACK = "Australia/Lord_Howe", "2026-04-04 15:00"
BEIRUT = "Asia/Beirut", "2026-03-28 22:00"
NUUK = "America/Nuuk", "2026-03-29 01:00"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "since", "until", "expected"),
    [
        (BERLIN, "2026-03-29 00:50", "2026-03-29 02:00", "23:50 to 00:59, 70"),
        (BERLIN, "2026-03-29 00:50", "2026-03-29 02:59", "23:50 to 00:59, 70"),
        (BERLIN, "2026-03-29 02:30", "2026-03-29 03:10", "01:00 to 01:10, 11"),
        (BERLIN, "2026-03-29 02:00", "2026-03-29 03:00", "01:00 to 01:00, 1"),
        (BERLIN, "2026-03-29 01:59", "2026-03-29 03:00", "00:59 to 01:00, 2"),
        (BERLIN, "2026-03-29 02:10", "2026-03-29 02:50", "none"),
        (BERLIN, "2026-03-29 02:10", "2026-03-29 02:10", "none"),
        (LORD_HOWE, "2026-10-04 01:55", "2026-10-04 02:20", "15:25 to 15:29, 5"),
        (LORD_HOWE, "2026-10-04 02:20", "2026-10-04 02:34", "15:30 to 15:34, 5"),
        (LORD_HOWE_BACK, "2026-04-05 01:40", "2026-04-05 01:40", "14:40 to 15:10, 31"),
        (BEIRUT, "2026-03-28 23:50", "2026-03-29 00:30", "21:50 to 21:59, 10"),
        (BEIRUT, "2026-03-29 00:30", "2026-03-29 01:04", "22:00 to 22:04, 5"),
        (BEIRUT, "2026-03-28 23:50", "2026-03-28", "21:50 to 21:59, 10"),
        (NUUK, "2026-03-28 23:30", "2026-03-29 00:04", "01:00 to 01:04, 5"),
        (NUUK, "2026-03-28 23:30", "2026-03-28", "none"),
        (NUUK, "2026-03-28 22:50", "2026-03-28", "00:50 to 00:59, 10"),
    ],
)
def test_a_time_that_clocks_leave_out_means_the_moment_to_which_they_jump(
    settings: Any, change: tuple[str, str], since: str, until: str, expected: str
) -> None:
    settings.TIME_ZONE, jump = change
    start = datetime.fromisoformat(f"{jump}Z") - timedelta(minutes=90)
    PowerLog.objects.bulk_create(
        row(timestamp=start + timedelta(minutes=minute)) for minute in range(180)
    )
    names = ("since_0", "since_1", "until_0", "until_1")
    minutes = times(**dict(zip(names, [*since.split(), *until.split()], strict=False)))
    first, last = (minutes[-1][3:], minutes[0][3:]) if minutes else ("", "")
    assert (f"{first} to {last}, {len(minutes)}" if minutes else "none") == expected


@pytest.mark.parametrize(
    ("since", "until"),
    [("02:30", "01:59"), ("03:01", "02:30"), ("03:01", "03:00"), ("01:31", "01:30")],
)
def test_what_ends_before_it_begins_is_refused_also_around_a_jump(
    settings: Any, since: str, until: str
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    day = {"since_0": "2026-03-29", "until_0": "2026-03-29"}
    assert list(LogSearch(day | {"since_1": since, "until_1": until}).errors) == ["until"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"device": "garden pump"}, {"a1"}),  # not "Garden pump 2" as well
        ({"device": "garden"}, {"a1", "a10"}),
        ({"device": "A1"}, {"a1", "a10"}),
        ({"device": "a1"}, {"a1"}),
        ({"device": "old"}, {"old"}),  # history without a device of that id
        ({"device": "WELL HOUSE"}, {"a1"}),
        ({"device": "nothing"}, set()),
        ({"channel": "switch:2"}, {"a1", "a10", "old"}),
        ({"channel": "circulation"}, {"a10"}),
        ({"channel": "circ"}, {"a10"}),
        ({"channel": "nothing"}, set()),
        ({"channel": "switch:9"}, set()),
        ({"device": "garden", "channel": "circulation"}, {"a10"}),
        ({"device": "a1", "channel": "circulation"}, set()),
        ({"device": "old", "channel": "switch:2"}, {"old"}),
    ],
)
def test_devices_and_channels_are_found_by_what_they_are_called(
    asked: dict[str, str], expected: set[str]
) -> None:
    Device.objects.create(device_id="a1", name="Garden pump", reported_name="Well house")
    ten = Device.objects.create(device_id="a10", name="Garden pump 2")
    Device.objects.create(device_id="older", name="Cellar")
    Channel.objects.create(device=ten, channel="switch:2", name="Circulation")
    for device_id in ("a1", "a10", "old"):
        row(device_id=device_id).save()
    assert {each.device_id for each in found(LogSearch, **asked)} == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"min_w": "100"}, [100.0, 200.0]),
        ({"max_w": "100"}, [50.0, 100.0]),
        ({"min_w": "60", "max_w": "100.5"}, [100.0]),
        ({"source": "carried"}, [200.0]),
    ],
)
def test_power_and_source_narrow_the_rows(asked: dict[str, str], expected: list[float]) -> None:
    for minute, (watts, source) in enumerate(((50, "measured"), (100, "device"), (200, "carried"))):
        row(timestamp=NOON + timedelta(minutes=minute), apower_w=watts, source=source).save()
    assert sorted(each.apower_w for each in found(LogSearch, **asked)) == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"end": "open"}, ["open"]),
        ({"end": "lost contact"}, ["short"]),
        ({"min_minutes": "0.5"}, ["half a minute", "long", "open"]),
        ({"max_minutes": "0.5"}, ["half a minute", "short"]),
        ({"min_minutes": "31"}, ["long"]),  # the open one has lasted for half an hour
        ({"since_0": "2026-05-01", "since_1": "11:00"}, ["open"]),
    ],
)
def test_runs_are_found_by_how_long_they_took_and_how_they_ended(
    asked: dict[str, str], expected: list[str]
) -> None:
    run(NOON - timedelta(minutes=30), device_id="open")
    early = NOON - timedelta(hours=5)
    run(early, device_id="long", ended_at=early + timedelta(hours=1), end="stopped")
    run(early, device_id="short", ended_at=early + timedelta(seconds=29.9), end="lost contact")
    run(early, device_id="half a minute", ended_at=early + timedelta(seconds=30), end="stopped")
    with time_machine.travel(NOON, tick=False):
        assert sorted(each.device_id for each in found(RunSearch, **asked)) == expected


@pytest.mark.django_db
def test_days_are_found_by_date() -> None:
    for day in (1, 2, 3):
        DayTotal.objects.create(device_id="pump", channel="switch:2", day=date(2026, 5, day))
    days = found(DaySearch, since="2026-05-02", until="2026-05-02")
    assert [each.day.day for each in days] == [2]
    assert [each.day.day for each in found(DaySearch)] == [3, 2, 1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("search", "asked", "field"),
    [
        (LogSearch, {"since_0": "soon"}, "since"),
        (LogSearch, {"since_1": "11:00"}, "since"),
        (LogSearch, {"since_0": "0001-01-01"}, "since"),
        (LogSearch, {"until_0": "9999-12-31"}, "until"),
        (LogSearch, {"since_0": "2026-05-02", "until_0": "2026-05-01"}, "until"),
        (LogSearch, {"min_w": "5", "max_w": "4"}, "max_w"),
        (LogSearch, {"min_w": "nan"}, "min_w"),
        (LogSearch, {"max_w": "1e999"}, "max_w"),
        (LogSearch, {"device": "a\0b"}, "device"),
        (LogSearch, {"channel": "x" * 101}, "channel"),
        (LogSearch, {"source": "guessed"}, "source"),
        (RunSearch, {"max_minutes": "1e300"}, "max_minutes"),
        (RunSearch, {"min_minutes": "-1"}, "min_minutes"),
        (RunSearch, {"min_minutes": "3", "max_minutes": "2"}, "max_minutes"),
        (DaySearch, {"since": "2026-05-02", "until": "2026-05-01"}, "until"),
        (DaySearch, {"until": "9999-12-31"}, "until"),
    ],
)
def test_what_makes_no_sense_is_an_error_at_its_field_and_matches_nothing(
    search: type[Search], asked: dict[str, str], field: str
) -> None:
    run(), row().save()
    form = search(asked)
    assert list(form.errors) == [field]
    assert not form.queryset().exists()


@pytest.mark.django_db
def test_a_search_for_nothing_in_particular_is_empty() -> None:
    row().save()
    assert LogSearch({}).is_empty
    assert LogSearch({"device": " ", "p": "3"}).is_empty
    assert not LogSearch({"min_w": "0"}).is_empty
    assert not LogSearch({"min_w": "x"}).is_empty
    assert LogSearch({}).queryset().count() == PowerLog.objects.count() == 1


def test_the_quick_picks_are_days_of_the_time_zone(settings: Any) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    with time_machine.travel(datetime(2026, 5, 1, 13, tzinfo=UTC), tick=False):  # 2 May there
        assert LogSearch.picks()["Today"]["since_0"] == "2026-05-02"
        assert DaySearch.picks()["Yesterday"] == {"since": "2026-05-01", "until": "2026-05-01"}
        assert DaySearch.picks()["Last 7 days"] == {"since": "2026-04-26", "until": "2026-05-02"}
        assert DaySearch.picks()["Last 30 days"]["since"] == "2026-04-03"
