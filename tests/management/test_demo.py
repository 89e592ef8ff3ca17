"""`manage.py demo`: two pumps with a past, told by their devices; afterwards nothing of them."""

import io
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from powerlog.core.days import day_of
from powerlog.core.protocol import parse
from powerlog.management.commands import demo
from powerlog.models import DayTotal, Device, PowerLog, Run, Silence
from powerlog.simulation.demo import DAY_S, PUMPS, Story
from powerlog.simulation.pro4pm import PUMP_CHANNEL
from tests.support.frames import T0

BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
WELL, FAILING = PUMPS
database = pytest.mark.django_db(transaction=True, databases=["default", "writer"])


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    """Sixty days of each pump, up to an evening in October."""
    return [Story(pump, T0 - 60 * DAY_S, T0, BERLIN) for pump in PUMPS]


@pytest.fixture(autouse=True)
def an_evening_in_october(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.time, "time", lambda: T0)


def runs_a_day(story: Story) -> list[int]:
    """Of the whole days, in their order."""
    days = Counter(day_of(run.start, BERLIN) for run in story.runs if run.start < T0)
    return [days[day] for day in sorted(days)][1:-1]


def fill(days: int = 2) -> str:
    said = io.StringIO()
    call_command("demo", days=days, stdout=said, stderr=io.StringIO())
    return said.getvalue()


def clear() -> str:
    said = io.StringIO()
    call_command("demo", clear=True, stdout=said)
    return said.getvalue()


def counts() -> list[int]:
    return [table.objects.count() for table in demo.TABLES]


# The story


def test_the_pump_that_is_well_runs_some_ten_times_a_day_throughout(stories: list[Story]) -> None:
    days = runs_a_day(stories[0])
    assert len(days) >= 58
    assert min(days) >= 5
    assert max(days) <= 14


def test_the_other_one_cycles_ever_faster_in_the_last_two_weeks(stories: list[Story]) -> None:
    days = runs_a_day(stories[1])
    assert max(days[:-15]) <= 15
    assert min(days[-2:]) > 100
    assert max(days) < 400
    last = [run.end - run.start for run in stories[1].runs if T0 - DAY_S < run.start < T0]
    assert max(last) < 60


def test_its_water_of_a_day_stays_about_the_same(stories: list[Story]) -> None:
    def pumped_s(since: float, until: float) -> float:
        runs = (run for run in stories[1].runs if since <= run.start < until)
        return sum(run.end - run.start for run in runs) / ((until - since) / DAY_S)

    before, after = pumped_s(T0 - 60 * DAY_S, T0 - 14 * DAY_S), pumped_s(T0 - 7 * DAY_S, T0)
    assert after == pytest.approx(before, rel=0.35)


def test_runs_are_in_order_with_a_pause_between_them(stories: list[Story]) -> None:
    for story in stories:
        assert all(first.end + 30 < second.start for first, second in pairwise(story.runs))


def test_most_water_is_wanted_by_day(stories: list[Story]) -> None:
    hours = Counter(datetime.fromtimestamp(run.start, BERLIN).hour for run in stories[0].runs)
    assert sum(hours[hour] for hour in range(4)) < len(stories[0].runs) / 20


def test_the_same_moments_make_the_same_story(stories: list[Story]) -> None:
    again = Story(FAILING, T0 - 60 * DAY_S, T0, BERLIN)
    assert (again.runs, again.silences) == (stories[1].runs, stories[1].silences)


def test_every_device_was_out_of_reach_for_hours_and_for_minutes(stories: list[Story]) -> None:
    for story in stories:
        lengths = [until - since for since, until in story.silences]
        assert max(lengths) > 3600
        assert min(lengths) == pytest.approx(300)
        for (_, until), (since, _) in pairwise(story.silences):
            assert until < since


def test_in_a_silence_no_frame_arrives_and_the_next_one_is_a_full_status(
    stories: list[Story],
) -> None:
    story = stories[0]
    since, until = story.silences[-1]
    around = [m for m in story.minutes() if since - 120 < m < until + 120]
    frames = [frame for minute in around for frame in story.frames(minute)]
    after = [(at, text) for at, text in frames if at > since]
    assert after[0][0] == until
    assert parse(after[0][1]).full
    assert any(at < since for at, _ in frames)


def test_frames_come_in_order_from_the_first_moment_to_the_last() -> None:
    story = Story(WELL, T0 - DAY_S + 17.5, T0 + 30.25, UTC_ZONE)
    frames = [frame for minute in story.minutes() for frame in story.frames(minute)]
    moments = [at for at, _ in frames]
    assert moments[0] == T0 - DAY_S + 17.5
    assert parse(frames[0][1]).full
    assert moments == sorted(moments)
    assert moments[-1] < T0 + 30.25
    assert {parse(text).device_id for _, text in frames} == {WELL.device_id}


def test_each_minute_of_a_run_is_told(stories: list[Story]) -> None:
    for story in stories:
        told = set(story.minutes())
        for run in story.runs:
            if T0 - 5 * DAY_S < run.start < run.end < T0:
                assert told >= set(range(int(run.start) // 60 * 60, int(run.end) + 1, 60))


@pytest.mark.parametrize("day", [date(2025, 3, 30), date(2025, 10, 26)])
def test_a_day_on_which_the_clocks_change_is_a_day_like_others(day: date) -> None:
    until = datetime(day.year, day.month, day.day, 23, tzinfo=BERLIN).timestamp()
    runs = Story(WELL, until - 2 * DAY_S, until, BERLIN).runs
    assert 5 <= sum(day_of(run.start, BERLIN) == day for run in runs) <= 14


# The command


@database
def test_it_fills_in_minutes_runs_silences_and_names_of_both_pumps() -> None:
    said = fill()
    for pump in PUMPS:
        device = Device.objects.get(device_id=pump.device_id)
        channel = device.channels.get()
        assert (str(device), str(channel)) == (pump.device_name, pump.pump_name)
        assert None not in (channel.nominal_power_w, channel.flow_m3h, channel.price_kwh)
        rows = PowerLog.objects.filter(device_id=pump.device_id, channel=PUMP_CHANNEL)
        runs = Run.objects.filter(device_id=pump.device_id, channel=PUMP_CHANNEL)
        assert rows.count() > 50
        assert runs.count() > 8
        totals = DayTotal.objects.filter(device_id=pump.device_id).values_list("runs", flat=True)
        assert sum(totals) == runs.count()
        assert device.first_seen_at < rows.earliest("timestamp").timestamp
        assert rows.latest("timestamp").timestamp < device.last_seen_at
    assert f"2 days of two pumps: {PowerLog.objects.count()} minutes" in said
    assert Silence.objects.exists()


@database
def test_its_runs_are_those_of_the_story_with_their_energy() -> None:
    fill()
    for pump in PUMPS:
        story = Story(pump, T0 - 2 * DAY_S, T0, UTC_ZONE)
        found = Run.objects.filter(device_id=pump.device_id, end="stopped").order_by("started_at")
        heard = {round(run.start): run for run in story.runs}
        unbroken = [run for run in found if round(run.started_at.timestamp() - 0.9) in heard]
        assert len(unbroken) > 8
        for run in unbroken:
            true = heard[round(run.started_at.timestamp() - 0.9)]
            energy_wh = true.mean_w * (true.end - true.start) / 3600
            assert run.energy_wh == pytest.approx(energy_wh, rel=0.05, abs=0.5)


@database
def test_clearing_leaves_nothing_of_it_and_everything_else() -> None:
    other = Device.objects.create(device_id="shellypro4pm-aabbcc000001")
    other.channels.create(channel="switch:2")
    now = datetime.now(UTC)
    DayTotal.objects.create(device_id=other.device_id, channel="switch:2", day=date(2020, 1, 1))
    row = {"apower_w": 1, "voltage_v": 1, "current_a": 1, "energy_total_wh": 1}
    PowerLog.objects.create(timestamp=now, device_id=other.device_id, channel="switch:2", **row)
    Run.objects.create(
        started_at=now, device_id=other.device_id, channel="switch:2", energy_wh=1, mean_w=1,
        peak_w=1,
    )  # fmt: skip
    Silence.objects.create(device_id=other.device_id, since=now, until=now)
    fill(1)
    DayTotal.objects.get_or_create(
        device_id=WELL.device_id, channel=PUMP_CHANNEL, day=date(2020, 1, 1)
    )
    assert "The demo is removed, " in clear()
    assert counts() == [1] * len(demo.TABLES)
    assert clear() == "There is nothing of the demo.\n"


@database
def test_a_demo_that_is_there_already_is_left_as_it_is() -> None:
    fill(1)
    before = counts()
    with pytest.raises(CommandError, match=r"there already.*--clear"):
        fill(1)
    assert counts() == before


@database
def test_what_a_killed_run_has_left_is_seen_and_can_be_cleared() -> None:
    Silence.objects.create(
        device_id=FAILING.device_id, since=datetime.now(UTC), until=datetime.now(UTC)
    )
    with pytest.raises(CommandError, match=r"or a part of it"):
        fill(1)
    assert clear() == "The demo is removed, 1 row of all tables.\n"


@database
def test_ctrl_c_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    store = demo.store

    def interrupted(due: Any) -> None:
        store(due)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "store", interrupted)
    with pytest.raises(CommandError, match=r"Stopped\. The demo is removed") as stopped:
        fill(1)
    assert stopped.value.returncode == 130
    assert counts() == [0] * len(demo.TABLES)


@database
def test_the_settings_of_the_collector_do_not_hide_the_pumps(settings: Any) -> None:
    settings.SAMPLING_RULES = demo.replace(
        settings.SAMPLING_RULES, channels=frozenset({"pm1:0"}), power_threshold_w=5000.0
    )
    fill(1)
    assert PowerLog.objects.filter(channel=PUMP_CHANNEL).exists()


@database
def test_without_tables_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection.introspection, "table_names", list)
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        fill(1)


@pytest.mark.parametrize("days", [0, -3, 401])
def test_days_that_cannot_be_are_refused(days: int) -> None:
    with pytest.raises(CommandError, match=f"--days is {days}, but must be 1 to 400"):
        fill(days)


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "expected"),
    [
        (True, "\r[###############---------------]  50%, 10 s left "),
        (False, "[###############---------------]  50%, 10 s left\n"),
    ],
)
def test_the_bar_says_how_far_it_is_and_how_long_it_may_take(
    terminal: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(demo.time, "monotonic", lambda: now[0])
    stream = Stream(terminal)
    bar = demo.Bar(10, demo.OutputWrapper(stream))
    for _ in range(4):
        bar.step()
    assert stream.getvalue() == ""
    now[0] = 110.0
    bar.step()
    assert stream.getvalue() == expected
