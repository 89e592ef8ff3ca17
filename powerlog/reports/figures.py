"""The figures of a span of one channel, mostly a day, and their usual values.

All of them follow from the runs, which are kept for ever. Pure: it asks no database.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate
from statistics import median

from powerlog.localtime import Span, without
from powerlog.models import DayTotal
from powerlog.reports.run_usage import KnownRun, Spent, total

HOUR = timedelta(hours=1)
ENOUGH_DAYS = 2  # fewer do not show what is usual


@dataclass(frozen=True)
class Figures:
    """Figures of a span. known_s is the time without the silences. None: unknown."""

    known_s: float
    run_s: float = 0.0
    energy_wh: float = 0.0
    lag_s: float = 0.0  # part of the run time whose energy the counter has not reported yet
    runs: int = 0  # all starts: a merged run has several
    peak_w: float | None = None
    longest_run_s: float | None = None
    longest_pause_s: float | None = None
    busiest_hour: int = 0  # the most starts within any sixty minutes

    @property
    def mean_w(self) -> float | None:
        told_s = self.run_s - self.lag_s
        return self.energy_wh * 3600 / told_s if told_s > 0 else None

    @property
    def duty(self) -> float | None:
        """Return the share of the known time in which it ran."""
        return min(1.0, self.run_s / self.known_s) if self.known_s > 0 else None


def figures(
    runs: Sequence[KnownRun],
    span: Span,
    silences: Sequence[Span] = (),
    day: DayTotal | None = None,
    peak_w: float = 0.0,
) -> Figures:
    """Return the figures of these runs within a past span. silences: spans without data.

    day is the day total of the span. It has the most exact energy; the rest of an open run is
    added. peak_w: the peak of the rows, which include the peaks of an open run.
    """
    inside = [run for run in runs if run.run.started_at < span.end and run.until >= span.start]
    if day is None:
        used = total(inside, span)
    else:
        used = sum((run.untold(span) for run in inside), Spent(day.run_s, day.energy_wh))
    known = without(span, list(silences))
    peak_w = max(peak_w, day.peak_w if day else 0.0)
    parts = [part for run in inside if (part := run.span.clip(span))]
    started = [run.run for run in inside if run.run.started_at in span]
    return Figures(
        known_s=sum(each.seconds for each in known),
        run_s=used.seconds,
        energy_wh=used.wh,
        lag_s=sum(run.lag_s for run in inside),
        runs=sum(run.starts for run in started),
        peak_w=peak_w or max((run.run.peak_w for run in inside), default=None),
        longest_run_s=max((part.seconds for part in parts), default=None),
        longest_pause_s=_longest_pause(span, parts, silences) if parts else None,
        busiest_hour=_busiest_hour(
            sorted((run.started_at.timestamp(), run.starts) for run in started)
        ),
    )


def usual(days: Sequence[Figures], of: Callable[[Figures], float | None]) -> float | None:
    """Return the median of one figure of these days."""
    values = [value for day in days if (value := of(day)) is not None]
    return median(values) if len(values) >= ENOUGH_DAYS else None


def _longest_pause(span: Span, runs: list[Span], silences: Sequence[Span]) -> float | None:
    """Return the longest known span between two runs, or after the last. A silence ends it."""
    since_first = Span(min(run.start for run in runs), span.end)
    pauses = without(since_first, [*runs, *silences])
    return max((pause.seconds for pause in pauses), default=None)


def _busiest_hour(runs: Sequence[tuple[float, int]]) -> int:
    """Return the most starts within an hour. runs: start, in order, and number of starts."""
    hour, starts = HOUR.total_seconds(), [ts for ts, _ in runs]
    until = list(accumulate((count for _, count in runs), initial=0))
    # The number of starts in the hour that ends with each start.
    return max(
        (until[at] - until[bisect_right(starts, ts - hour)] for at, ts in enumerate(starts, 1)),
        default=0,
    )
