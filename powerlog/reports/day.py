"""A day of a channel: minutes, runs, unknown times, and the figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from math import ceil, floor

from django.utils import timezone

from powerlog.localtime import DAY, MINUTE, Span, local_day, local_moment
from powerlog.reports import queries
from powerlog.reports.channels import Meter
from powerlog.reports.figures import Figures, figures
from powerlog.reports.queries import Latest, Minute
from powerlog.reports.run_usage import KnownRun, known

WEEKS = 4


@dataclass(frozen=True)
class MeterDay:
    """A day of a channel. gaps are spans of whole minutes without data; passed is up to now."""

    meter: Meter
    day: date
    span: Span
    passed: Span
    rows: Sequence[Minute]
    runs: Sequence[KnownRun]
    gaps: Sequence[Span]
    figures: Figures
    usually: Sequence[Figures] = field(default=())

    @property
    def is_empty(self) -> bool:
        return not (self.rows or self.runs)


def meter_days(
    meters: Sequence[Meter],
    day: date,
    now: datetime,
    newest: Sequence[Latest],
    *,
    compare: bool = False,
) -> list[MeterDay]:
    """Return the day for channels of one device, in their order.

    compare: with the same weekday of the last four weeks, up to the same time of day.
    """
    span = local_day(day)
    passed = Span(span.start, min(max(now, span.start), span.end))
    back = span.start - WEEKS * 7 * DAY if compare else span.start
    silences = queries.silences(meters[0], Span(back, span.end), now)
    found = queries.of_day(meters, day, span)
    days = []
    for meter, latest, told in zip(meters, newest, found, strict=True):
        runs = [known(run, meter, latest.row, now) for run in told.runs]
        gaps = _gaps(passed, [*silences, *_before_the_first_word(meter, passed)], told.rows)
        usually = _same_weekdays(meter, day, passed, silences) if compare else ()
        peak_w = max((row.apower_w for row in told.rows), default=0.0)
        what = figures(runs, passed, gaps, told.total, peak_w)
        days.append(MeterDay(meter, day, span, passed, told.rows, runs, gaps, what, usually))
    return days


def _before_the_first_word(meter: Meter, passed: Span) -> list[Span]:
    """Return the part of a day before the device's first contact, unless there is older history."""
    first = meter.first_heard_at
    if first is None or first <= passed.start:
        return []
    if queries.has_older(meter, timezone.localdate(first)):
        return []
    return [Span(passed.start, min(first, passed.end))]


def _gaps(passed: Span, silences: Sequence[Span], rows: Sequence[Minute]) -> list[Span]:
    """Return the minutes of the silences that have no row. Some have one: from the device's record,
    or carried over."""
    have = {floor(passed.minute(row.timestamp)) for row in rows}
    blind: set[int] = set()
    for silence in silences:
        if part := silence.clip(passed):
            blind.update(range(floor(passed.minute(part.start)), ceil(passed.minute(part.end))))
    gaps: list[Span] = []
    for minute in sorted(blind - have):
        start = passed.start + minute * MINUTE
        end = min(start + MINUTE, passed.end)
        if gaps and gaps[-1].end == start:
            gaps[-1] = Span(gaps[-1].start, end)
        else:
            gaps.append(Span(start, end))
    return gaps


def _same_weekdays(
    meter: Meter, day: date, passed: Span, silences: Sequence[Span]
) -> list[Figures]:
    """Return the figures of the same weekdays on which it ran at all."""
    days = [day - week * 7 * DAY for week in range(1, WEEKS + 1)]
    past = queries.past_runs(meter, list(map(local_day, days)))
    ended = [KnownRun(run, run.ended_at, run.energy_wh) for run in past]
    found = []
    for other in days:
        each = local_day(other)
        ran = [run for run in ended if run.run.started_at < each.end and run.until > each.start]
        if ran:
            part = _as_far_into(other, passed, local_day(day))
            blind = [hole for silence in silences if (hole := silence.clip(part))]
            found.append(figures(ran, part, blind))
    return found


def _as_far_into(other: date, passed: Span, day: Span) -> Span:
    """Return another day up to the time of day of this one; all of it if this one is over."""
    whole = local_day(other)
    if passed.end >= day.end:
        return whole
    return Span(whole.start, local_moment(other, timezone.localtime(passed.end).time()))
