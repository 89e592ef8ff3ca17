"""The energy of a day against the truth: over midnight, over clock changes, in four time zones."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from benchmarks.accuracy.playback import play
from benchmarks.accuracy.scenarios import Life
from powerlog import models
from powerlog.core.channel_state import Rules
from powerlog.core.days import days_between
from powerlog.core.run_state import RunState
from powerlog.database.run_shares import NOTHING, Counted, Share, bounds, shares
from powerlog.database.sql import moment

HOUR = 3600
# A day before something happens: a clock change of an hour or of half an hour, or nothing.
STARTS = {
    "UTC": [datetime(2025, 6, 15, 12, tzinfo=UTC)],
    "Europe/Berlin": [
        datetime(2025, 3, 29, 1, tzinfo=UTC),
        datetime(2025, 10, 25, 1, tzinfo=UTC),
    ],
    "Asia/Kolkata": [datetime(2025, 6, 15, 12, tzinfo=UTC)],
    "Australia/Lord_Howe": [
        datetime(2025, 4, 4, 16, tzinfo=UTC),
        datetime(2025, 10, 3, 16, tzinfo=UTC),
    ],
}
CASES = [(zone, start, seed) for zone in STARTS for start in STARTS[zone] for seed in (1,)]
# What draws nothing in its pauses: all that the counter counts is of a run.
SIMPLE = ("pump", "heater")
# Lives without an interruption: of a three-phase meter, a switch and a cover.
CALM = (24, 51, 144)


def row(run: RunState) -> models.Run:
    return models.Run(
        device_id=run.device_id,
        channel=run.channel,
        started_at=moment(run.started_at),
        ended_at=run.ended_at and moment(run.ended_at),
        energy_wh=run.energy_wh,
        peak_w=run.peak_w,
        end=run.end,
        midnights=[list(each) for each in run.midnights],
    )


def totals(runs: list[models.Run]) -> dict[date, Share]:
    days: dict[date, Share] = {}
    for run in runs:
        for day, share in shares(Counted.of(run)).items():
            days[day] = days.get(day, NOTHING).plus(share)
    return days


def lived(zone: str, start: datetime, seed: int) -> Iterator[tuple[Life, Any, list[models.Run]]]:
    """The channels of a life of a day, with what became of each."""
    life = Life(seed, hours=25, first_minute=int(start.timestamp()))
    played = play(life, Rules(frozenset({"*"}), time_zone=zone))
    for channel in life.channels.values():
        runs = played.runs.get(channel.name, {}).values()
        yield life, channel, [row(run) for run in runs]


@pytest.mark.parametrize(("zone", "start", "seed"), CASES)
def test_the_days_are_what_their_runs_are(
    settings: Any, zone: str, start: datetime, seed: int
) -> None:
    settings.TIME_ZONE = zone
    for _, _, runs in lived(zone, start, seed):
        over = [run for run in runs if run.ended_at]
        days = totals(over).values()
        assert sum(day.runs for day in days) == len(over)
        assert sum(day.energy_wh for day in days) == pytest.approx(sum(r.energy_wh for r in over))
        seconds = sum((run.ended_at - run.started_at).total_seconds() for run in over)
        assert sum(day.run_s for day in days) == pytest.approx(seconds)
        assert all(day.energy_wh >= -1e-9 and day.run_s >= 0 for day in days)


def test_the_days_are_what_the_counter_says_to_one_watt_hour(settings: Any) -> None:
    off_wh: list[float] = []
    midnights = 0
    for zone, starts in STARTS.items():
        settings.TIME_ZONE = zone
        for number, seed in enumerate(CALM):
            for life, channel, runs in lived(zone, starts[number % len(starts)], seed):
                assert len(life.disturbances.connections) == 1
                if channel.load not in SIMPLE:
                    continue
                days = totals(runs)
                for day in days_between(life.start, life.end, ZoneInfo(zone)):
                    since, until = bounds(day)
                    first, last = max(since, life.start), min(until, life.end)
                    counted_wh = channel.counter.at(last) - channel.counter.at(first)
                    off_wh.append(days.get(day, NOTHING).energy_wh - counted_wh)
                midnights += sum(len(run.midnights) for run in runs)
    assert len(off_wh) > 20
    assert midnights > 4
    assert max(map(abs, off_wh)) <= 1.0
