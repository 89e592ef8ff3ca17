"""A day of a channel, out of the database: minutes, runs, what is not known, and the figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import reduce
from math import ceil, floor
from operator import or_
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone

from powerlog.models import DayTotal, PowerLog, Run, Silence
from powerlog.pages.localtime import DAY, MINUTE, Span, local_day
from powerlog.pages.meters import Meter
from powerlog.pages.spent import KnownRun, PastRun, known
from powerlog.stats import Figures, figures

WEEKS = 4
SHORTEST_SILENCE = timedelta(minutes=2)


class Minute(NamedTuple):
    """A row, without what a page does not show."""

    timestamp: datetime
    apower_w: float
    voltage_v: float
    current_a: float
    source: str


@dataclass(frozen=True)
class Latest:
    """The newest row and run of a channel, as far as it has any."""

    row: PowerLog | None
    run: Run | None

    @property
    def open_run(self) -> Run | None:
        return self.run if self.run is not None and self.run.ended_at is None else None


@dataclass(frozen=True)
class MeterDay:
    """gaps are the stretches of whole minutes of which nothing is known; passed is up to now."""

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


def meter_day(
    meter: Meter, day: date, now: datetime, newest: Latest, *, compare: bool = False
) -> MeterDay:
    """compare: with the same weekday of the last four weeks, up to the same time of day."""
    span = local_day(day)
    passed = Span(span.start, min(max(now, span.start), span.end))
    rows = minutes(meter, span)
    runs = [known(run, meter, newest.row, now) for run in runs_of(meter, span)]
    back = span.start - WEEKS * 7 * DAY if compare else span.start
    silences = silences_of(meter, Span(back, span.end), now)
    gaps = _gaps(passed, [*silences, *_before_the_first_word(meter, passed)], rows)
    total = DayTotal.objects.filter(device_id=meter.device_id, channel=meter.channel, day=day)
    peak_w = max((row.apower_w for row in rows), default=0.0)
    return MeterDay(
        meter,
        day,
        span,
        passed,
        rows,
        runs,
        gaps,
        figures(runs, passed, gaps, total.first(), peak_w),
        _same_weekdays(meter, day, passed, silences) if compare else (),
    )


def minutes(meter: Meter, span: Span) -> list[Minute]:
    rows = _of(PowerLog, meter).filter(timestamp__gte=span.start, timestamp__lt=span.end)
    return list(map(Minute._make, rows.order_by("timestamp").values_list(*Minute._fields)))


def runs_of(meter: Meter, span: Span) -> list[Run]:
    """Those that were on within this stretch, whole: the first may be of the day before."""
    runs = _of(Run, meter).order_by("started_at")
    before = runs.filter(started_at__lt=span.start).last()
    inside = list(runs.filter(started_at__gte=span.start, started_at__lt=span.end))
    if before and (before.ended_at is None or before.ended_at > span.start):
        inside.insert(0, before)
    return inside


def silences_of(meter: Meter, span: Span, now: datetime) -> list[Span]:
    """When nothing was heard of the device: since it fell silent, too."""
    found = Silence.objects.filter(
        device_id=meter.device_id, until__gt=span.start, since__lt=span.end
    )
    silences = [Span(*each) for each in found.order_by("since").values_list("since", "until")]
    if meter.heard_at and now - meter.heard_at > SHORTEST_SILENCE:
        silences.append(Span(meter.heard_at, now))
    return silences


def _before_the_first_word(meter: Meter, passed: Span) -> list[Span]:
    """The part of a day before the device was ever heard, unless there is older history."""
    first = meter.first_heard_at
    if first is None or first <= passed.start:
        return []
    older = _of(DayTotal, meter).filter(day__lt=timezone.localdate(first))
    return [] if older.exists() else [Span(passed.start, min(first, passed.end))]


def last_day(meter: Meter) -> date | None:
    """The last day with data."""
    totals = _of(DayTotal, meter).filter(Q(run_s__gt=0) | Q(active_minutes__gt=0))
    day = totals.order_by("-day").values_list("day", flat=True).first()
    row = _of(PowerLog, meter).order_by("-timestamp").values_list("timestamp", flat=True).first()
    days = [each for each in (day, row and timezone.localdate(row)) if each]
    return max(days, default=None)


def latest(meter: Meter) -> Latest:
    return Latest(
        _of(PowerLog, meter).order_by("-timestamp").first(),
        _of(Run, meter).order_by("-started_at").first(),
    )


def _of(model: type[PowerLog] | type[Run] | type[DayTotal], meter: Meter) -> QuerySet:
    return model.objects.filter(device_id=meter.device_id, channel=meter.channel)


def _gaps(passed: Span, silences: Sequence[Span], rows: Sequence[Minute]) -> list[Span]:
    """The minutes of the silences that have no row: the device vouched for some, or they were
    carried over."""
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
    """Of the days on which it ran at all."""
    days = [local_day(day - week * 7 * DAY) for week in range(1, WEEKS + 1)]
    # Back by a day: a run across midnight began on the evening before.
    inside = [
        Q(started_at__gte=each.start - DAY, started_at__lt=each.end, ended_at__gt=each.start)
        for each in days
    ]
    runs = _of(Run, meter).filter(reduce(or_, inside)).order_by("started_at")
    past = map(PastRun._make, runs.values_list(*PastRun._fields))
    ended = [KnownRun(run, run.ended_at, run.energy_wh) for run in past]
    found = []
    for each in days:
        ran = [run for run in ended if run.run.started_at < each.end and run.until > each.start]
        if ran:
            part = _as_far_into(each, passed, local_day(day))
            blind = [hole for silence in silences if (hole := silence.clip(part))]
            found.append(figures(ran, part, blind))
    return found


def _as_far_into(other: Span, passed: Span, day: Span) -> Span:
    """The same part of another day as has passed of this one; all of it where this one is over."""
    if passed.end >= day.end:
        return other
    return Span(other.start, min(other.start + (passed.end - passed.start), other.end))
