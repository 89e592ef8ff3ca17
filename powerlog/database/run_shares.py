"""The share of a run on each of its local days. Day totals are sums of these shares.

A run counts on the day on which it starts, once for each of its starts: rule 12 merges those of one
minute. Its time and energy count on each of its days. Its energy is known at its start, at the
midnights that it has passed and at its end, and grows evenly between them. An open run counts up to
the last midnight that it has passed.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from django.conf import settings

from powerlog import models
from powerlog.core.days import days_between, start_of

# Shares are sums of whole microseconds and microwatt hours: adding a million of them and taking
# them away again leaves nothing.
DIGITS = 6


class Counted(NamedTuple):
    """The fields of a run that decide its shares: Unix seconds, Wh, [midnight, Wh until then]."""

    started_at: float
    ended_at: float | None
    energy_wh: float
    peak_w: float
    midnights: Sequence[Sequence[float]]
    starts: int

    @classmethod
    def of(cls, run: models.Run) -> Self:
        ended_at = run.ended_at and run.ended_at.timestamp()
        started_at = run.started_at.timestamp()
        return cls(started_at, ended_at, run.energy_wh, run.peak_w, run.midnights, run.starts)


class Share(NamedTuple):
    """peak_w is that of runs that lie within the day; for others the day of the peak is unknown."""

    runs: int = 0
    run_s: float = 0.0
    energy_wh: float = 0.0
    peak_w: float = 0.0

    def plus(self, other: "Share") -> "Share":
        return Share(
            self.runs + other.runs,
            round(self.run_s + other.run_s, DIGITS),
            round(self.energy_wh + other.energy_wh, DIGITS),
            max(self.peak_w, other.peak_w),
        )

    def less(self, other: "Share") -> "Share":
        """Take another's sums away. A peak stays."""
        return self.plus(Share(-other.runs, -other.run_s, -other.energy_wh))


NOTHING = Share()


def bounds(day: date) -> tuple[float, float]:
    """Return start and end of a day of TIME_ZONE, Unix seconds."""
    return _bounds(day, settings.TIME_ZONE)


@lru_cache(4096)
def _bounds(day: date, time_zone: str) -> tuple[float, float]:
    zone = ZoneInfo(time_zone)
    return start_of(day, zone), start_of(date.fromordinal(day.toordinal() + 1), zone)


def shares(run: Counted, since: float | None = None) -> dict[date, Share]:
    """Return the share of each day, from the day of `since` on."""
    points = _points(run)
    first = run.started_at if since is None else since
    days = days_between(first, points[-1][0], ZoneInfo(settings.TIME_ZONE))
    return {day: _share(run, points, *bounds(day)) for day in days}


def change(before: Counted | None, after: Counted) -> dict[date, Share]:
    """Return what each day gains (or, below 0, loses) when a run changes. None: it is new.

    A run of a year has 365 midnights, and is written at each: days before the last midnight on
    which both states agree are the same and not looked at.
    """
    if before is None:
        return shares(after)
    both_open = before.ended_at is None and after.ended_at is None
    if both_open and (before.midnights, before.starts) == (after.midnights, after.starts):
        return {}  # nearly always, where a connection ends
    since = _same_until(before, after)
    old, new = shares(before, since), shares(after, since)
    return {
        day: new.get(day, NOTHING).less(old.get(day, NOTHING))
        for day in {*old, *new}
        if new.get(day) != old.get(day)
    }


def _same_until(before: Counted, after: Counted) -> float:
    if before.starts != after.starts:
        return before.started_at
    known_until = min(_points(before)[-1][0], _points(after)[-1][0])
    same = before.started_at
    for old, new in zip(before.midnights, after.midnights, strict=False):
        if old != new or old[0] >= known_until:
            break
        same = max(same, old[0])
    return same


def _points(run: Counted) -> list[tuple[float, float]]:
    """Return (Unix seconds, Wh until then) for all moments where it is known."""
    end = float("inf") if run.ended_at is None else run.ended_at
    points = [(run.started_at, 0.0)]
    points += [(ts, wh) for ts, wh in run.midnights if run.started_at < ts < end]
    if run.ended_at is not None:
        points.append((end, run.energy_wh))
    return points


def _share(
    run: Counted, points: Sequence[tuple[float, float]], since: float, until: float
) -> Share:
    starts = run.starts if since <= run.started_at < until else 0
    if starts and run.ended_at is not None and run.ended_at <= until:
        seconds = round(run.ended_at - run.started_at, DIGITS)
        return Share(starts, seconds, round(run.energy_wh, DIGITS), run.peak_w)
    first, last = max(since, run.started_at), min(until, points[-1][0])
    if first >= last:
        return Share(starts)
    used_wh = _wh_at(points, last) - _wh_at(points, first)
    return Share(starts, round(last - first, DIGITS), round(used_wh, DIGITS))


def _wh_at(points: Sequence[tuple[float, float]], ts: float) -> float:
    at = bisect_right(points, (ts, float("inf")))
    if at == len(points):
        return points[-1][1]
    (ts0, wh0), (ts1, wh1) = points[at - 1], points[at]
    return wh0 + (wh1 - wh0) * (ts - ts0) / (ts1 - ts0)
