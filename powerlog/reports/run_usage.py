"""Calculate what a run used within a span, such as one day of a run across midnight.

An ended run contains all of it. An open run was written at its start; since then the channel's
newest row, the last contact and the clock give its time and energy: by the counter, or, if the
power of the run cannot have drawn that (rule 11), by the power of its minutes.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from django.db.models import Avg, Max

from powerlog.core.energy_bounds import most_wh
from powerlog.localtime import MINUTE, Span
from powerlog.models import PowerLog, Run
from powerlog.reports.channels import Meter


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
    starts: int


@dataclass(frozen=True)
class KnownRun:
    """A run up to `until`, as far as it is known, with the energy used by then.

    lag_s: the time at its end whose energy the counter has not reported yet.
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
        """Return up to when it is in the day totals: for an open run, the last midnight passed."""
        if not self.is_open:
            return self.until
        if self.run.midnights:
            return datetime.fromtimestamp(self.run.midnights[-1][0], UTC)
        return self.run.started_at

    def within(self, span: Span) -> Spent:
        """Return time and energy within the span: exact at known midnights, by time between."""
        if self.run.started_at >= span.start and self.until <= span.end and self.seconds:
            return Spent(self.seconds, self.wh)
        if not self.seconds:  # a single reading
            return Spent(0.0, self.wh) if self.run.started_at in span else Spent()
        part = self.span.clip(span)
        if part is None:
            return Spent()
        return Spent(part.seconds, self._wh_at(part.end) - self._wh_at(part.start))

    def untold(self, span: Span) -> Spent:
        """Return the part of the run that is not in the day totals."""
        told_until = self.told_until
        if not self.is_open or told_until >= span.end:
            return Spent()
        return self.within(Span(max(told_until, span.start), span.end))

    def _wh_at(self, moment: datetime) -> float:
        end = (self.until.timestamp(), self.wh)
        points = [(self.run.started_at.timestamp(), 0.0)]
        # A midnight with more than all is not believed: nor was the counter by then.
        points += [
            (ts, wh) for ts, wh in self.run.midnights if points[0][0] < ts < end[0] and wh <= end[1]
        ]
        points.append(end)
        at = min(max(bisect_right(points, (moment.timestamp(), float("inf"))), 1), len(points) - 1)
        (ts0, wh0), (ts1, wh1) = points[at - 1], points[at]
        return wh0 + (wh1 - wh0) * (moment.timestamp() - ts0) / (ts1 - ts0)


def known(run: Run, meter: Meter, row: PowerLog | None, now: datetime) -> KnownRun:
    """Return the run up to now. row is the channel's newest; only an open run needs it."""
    if run.ended_at is not None:
        return KnownRun(run, run.ended_at, run.energy_wh)
    until = now
    if not meter.in_contact(now):
        until = run.heard_at or meter.heard_at or (row and row.timestamp) or run.started_at
    return _so_far(run, row, max(until, run.started_at))


def _so_far(run: Run, row: PowerLog | None, until: datetime) -> KnownRun:
    """Return an open run's state by the counter if it is known, else by power and time."""
    seconds = (until - run.started_at).total_seconds()
    if run.counter_wh is None:
        return KnownRun(run, until, run.mean_w * seconds / 3600)
    wh, lag_s, peak_w = run.energy_wh, seconds, run.peak_w
    if row is not None and row.timestamp + MINUTE > run.started_at:
        # Less than the run was written with: the counter was reset; the run follows in seconds.
        wh += max(0.0, row.energy_total_wh - run.counter_wh)
        lag_s = max(0.0, (until - max(row.timestamp, run.started_at)).total_seconds())
        peak_w = max(peak_w, row.apower_w)
    if 0.0 <= wh <= most_wh(peak_w * seconds, peak_w):
        return KnownRun(run, until, wh, lag_s)
    return _by_minutes(run, until, KnownRun(run, until, wh, lag_s))


def _by_minutes(run: Run, until: datetime, counted: KnownRun) -> KnownRun:
    """Return `counted` if the power of the run's minutes allows it, else use their mean power."""
    rows = PowerLog.objects.filter(
        device_id=run.device_id,
        channel=run.channel,
        timestamp__gt=run.started_at - MINUTE,
        timestamp__lt=until,
    )
    found = rows.aggregate(mean_w=Avg("apower_w"), peak_w=Max("apower_w"))
    peak_w = max(run.peak_w, found["peak_w"] or 0.0)
    if 0.0 <= counted.wh <= most_wh(peak_w * counted.seconds, peak_w):
        return counted
    mean_w = run.peak_w if found["mean_w"] is None else found["mean_w"]
    return KnownRun(run, until, mean_w * counted.seconds / 3600)


def total(runs: Iterable[KnownRun], span: Span) -> Spent:
    return sum((run.within(span) for run in runs), Spent())
