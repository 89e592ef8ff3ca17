"""What a run used, and within which stretch of time: on this day, say, of a run across midnight.

An ended run tells it all. An open one was told at its start; since then its newest row, contact and
clock say how far it has come.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from powerlog.models import PowerLog, Run
from powerlog.pages.localtime import MINUTE, Span
from powerlog.pages.meters import Meter


@dataclass(frozen=True)
class Spent:
    """Time and energy."""

    seconds: float = 0.0
    wh: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.seconds + other.seconds, self.wh + other.wh)


class PastRun(NamedTuple):
    """An ended run, as much of it as its figures need: a tenth of what a Run costs."""

    started_at: datetime
    ended_at: datetime
    energy_wh: float
    mean_w: float
    peak_w: float
    midnights: list[tuple[float, float]]


@dataclass(frozen=True)
class KnownRun:
    """A run as far as it is known: it has come to `until`, and used so much by then.

    lag_s: for so long at its end the counter has not yet said what it used.
    """

    run: Run | PastRun
    until: datetime
    wh: float
    lag_s: float = 0.0

    @cached_property
    def span(self) -> Span:
        return Span(self.run.started_at, self.until)

    @cached_property
    def seconds(self) -> float:
        return self.span.seconds

    @property
    def is_open(self) -> bool:
        return self.run.ended_at is None

    @property
    def mean_w(self) -> float:
        told_s = self.seconds - self.lag_s
        return self.wh * 3600 / told_s if told_s > 0 else self.run.mean_w

    @property
    def told_until(self) -> datetime:
        """Up to here it is in the day totals: an open run is up to the last midnight passed."""
        if not self.is_open:
            return self.until
        if self.run.midnights:
            return datetime.fromtimestamp(self.run.midnights[-1][0], UTC)
        return self.run.started_at

    def within(self, span: Span) -> Spent:
        """Exact at the midnights that were told, by time between them."""
        if self.run.started_at >= span.start and self.until <= span.end and self.seconds:
            return Spent(self.seconds, self.wh)
        if not self.seconds:  # a single reading
            return Spent(0.0, self.wh) if self.run.started_at in span else Spent()
        part = self.span.clip(span)
        if part is None:
            return Spent()
        return Spent(part.seconds, self._wh_at(part.end) - self._wh_at(part.start))

    def untold(self, span: Span) -> Spent:
        """What the day totals do not have of it."""
        told_until = self.told_until
        if not self.is_open or told_until >= span.end:
            return Spent()
        return self.within(Span(max(told_until, span.start), span.end))

    def _wh_at(self, moment: datetime) -> float:
        end = (self.until.timestamp(), self.wh)
        points = [(self.run.started_at.timestamp(), 0.0)]
        points += [(ts, wh) for ts, wh in self.run.midnights if points[0][0] < ts < end[0]]
        points.append(end)
        at = min(max(bisect_right(points, (moment.timestamp(), float("inf"))), 1), len(points) - 1)
        (ts0, wh0), (ts1, wh1) = points[at - 1], points[at]
        return wh0 + (wh1 - wh0) * (moment.timestamp() - ts0) / (ts1 - ts0)


def known(run: Run, meter: Meter, row: PowerLog | None, now: datetime) -> KnownRun:
    """row is the channel's newest one; it matters for an open run alone."""
    if run.ended_at is not None:
        return KnownRun(run, run.ended_at, run.energy_wh)
    until = now
    if not meter.in_contact(now):
        until = run.heard_at or meter.heard_at or (row and row.timestamp) or run.started_at
    return _so_far(run, row, max(until, run.started_at))


def _so_far(run: Run, row: PowerLog | None, until: datetime) -> KnownRun:
    """By the counter where it is known, else by power and time."""
    seconds = (until - run.started_at).total_seconds()
    if run.counter_wh is None:
        return KnownRun(run, until, run.mean_w * seconds / 3600)
    if row is None or row.timestamp + MINUTE <= run.started_at:
        return KnownRun(run, until, run.energy_wh, seconds)
    # From before a reset the counter is more than the run can have used.
    most_wh = 2 * run.peak_w * (seconds + 60) / 3600
    rise_wh = row.energy_total_wh - run.counter_wh
    wh = run.energy_wh + (rise_wh if 0 < rise_wh <= most_wh else 0.0)
    lag = until - max(row.timestamp, run.started_at)
    return KnownRun(run, until, wh, max(0.0, lag.total_seconds()))


def total(runs: Iterable[KnownRun], span: Span) -> Spent:
    return sum((run.within(span) for run in runs), Spent())
