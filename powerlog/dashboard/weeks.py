"""Thirty days and twelve months of a channel as bars, from its day totals.

A day with a silence is marked: what the device did during it is not in the bar.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from powerlog.dashboard import axes, formatting
from powerlog.dashboard.axes import Ticks, percent
from powerlog.localtime import Span, local_day, local_days
from powerlog.models import DayTotal
from powerlog.reports.channels import Meter
from powerlog.reports.queries import Latest, silences
from powerlog.reports.run_usage import Spent, known

Show = Literal["time", "energy"]
DAYS = 30
MONTHS = 12
TOLD = ("run_s", "energy_wh", "runs", "peak_w")
NOTHING = (0.0, 0.0, 0, 0.0)
GAP = 0.18  # between two bars, of the width that each has


@dataclass(frozen=True)
class Total:
    """The totals of a channel in a day or a month; missing_s: its seconds of silence."""

    first: date
    last: date
    spent: Spent
    runs: int = 0
    peak_w: float = 0.0
    missing_s: float = 0.0

    def value(self, show: Show) -> float:
        return self.spent.seconds if show == "time" else self.spent.wh


def totals_of_days(
    meter: Meter, first: date, last: date, now: datetime, newest: Latest
) -> list[Total]:
    """Return the totals of each of these days that has begun, in order."""
    last = min(last, timezone.localdate(now))
    if last < first:
        return []
    found = DayTotal.objects.filter(device_id=meter.device_id, channel=meter.channel)
    inside = found.filter(day__gte=first, day__lte=last)
    told = {day: told for day, *told in inside.values_list("day", *TOLD)}
    missing = _missing(meter, first, last, now)
    run = newest.open_run
    open_run = known(run, meter, newest.row, now) if run else None
    # The first day, of whatever time zone, that may have some of it.
    since = open_run.told_until.date() - timedelta(days=1) if open_run else date.max
    totals = []
    for day in local_days(first, last):
        run_s, energy_wh, runs, peak_w = told.get(day, NOTHING)
        spent = Spent(run_s, energy_wh)
        if open_run and since <= day:
            spent += open_run.untold(local_day(day))
        gap_s = missing.get(day, 0.0)
        totals.append(Total(day, day, spent, runs, peak_w, gap_s))
    return totals


def months(days: Sequence[Total]) -> list[Total]:
    """Return the sums by calendar month, in order."""
    grouped: dict[date, list[Total]] = {}
    for day in days:
        grouped.setdefault(day.first.replace(day=1), []).append(day)
    return [_sum(first, group) for first, group in grouped.items()]


def month_before(day: date, months: int) -> date:
    """Return the first day of the month that is this many months before that of the day."""
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def _sum(first: date, days: Sequence[Total]) -> Total:
    return Total(
        first,
        month_before(first, -1) - timedelta(days=1),
        sum((day.spent for day in days), Spent()),
        sum(day.runs for day in days),
        max(day.peak_w for day in days),
        sum(day.missing_s for day in days),
    )


def _missing(meter: Meter, first: date, last: date, now: datetime) -> dict[date, float]:
    """Return the seconds of silence of each day that has any."""
    span = Span(local_day(first).start, min(local_day(last).end, now))
    missing: dict[date, float] = {}
    for silence in silences(meter, span, now):
        part = silence.clip(span)
        for day in _days_of(part) if part else ():
            if hole := local_day(day).clip(part):
                missing[day] = missing.get(day, 0.0) + hole.seconds
    return missing


def _days_of(span: Span) -> Iterable[date]:
    return local_days(timezone.localdate(span.start), timezone.localdate(span.end))


@dataclass(frozen=True)
class Bar:
    """missing: how high the hatch stands; the day is missing for that share."""

    total: Total
    x: str
    width: str
    slot_x: str
    slot_width: str
    middle: str
    y: str
    height: str
    label: str
    day: str  # to be asked for
    title: str
    value: str
    missing: str

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        total = self.total
        return (
            formatting.duration(total.spent.seconds),
            formatting.energy(total.spent.wh),
            formatting.number(total.runs),
            formatting.power(total.peak_w or None),
            formatting.duration(total.missing_s) if total.missing_s else formatting.DASH,
        )


@dataclass(frozen=True)
class Bars:
    """A bar chart: labels upwards, and along in the middle of some bars."""

    bars: Sequence[Bar]
    heights: Ticks
    show: Show
    by_month: bool

    @property
    def title(self) -> str:
        if self.show == "time":
            return _("Run time by month") if self.by_month else _("Run time by day")
        return _("Energy by month") if self.by_month else _("Energy by day")

    @property
    def sum(self) -> str:
        value = sum(bar.total.value(self.show) for bar in self.bars)
        return formatting.duration(value) if self.show == "time" else formatting.energy(value)

    @property
    def has_missing(self) -> bool:
        return any(bar.total.missing_s for bar in self.bars)

    @property
    def is_empty(self) -> bool:
        return not any(bar.total.value(self.show) for bar in self.bars)


def bars(totals: Sequence[Total], show: Show, slots: int, by_month: bool) -> Bars:
    """Return a chart with room for `slots` bars; the last total stands at the right edge."""
    per_unit = 3600 if show == "time" else 1000
    peak = max((total.value(show) / per_unit for total in totals), default=0.0)
    scale = axes.scale(peak, least=1.0)
    drawn = [
        _bar(
            total,
            at + slots - len(totals),
            slots,
            total.value(show) / per_unit / scale.top,
            show,
            by_month,
        )
        for at, total in enumerate(totals)
    ]
    return Bars(drawn, scale.labels("h" if show == "time" else "kWh"), show, by_month)


def _bar(total: Total, slot: int, slots: int, share: float, show: Show, by_month: bool) -> Bar:
    seconds = Span(local_day(total.first).start, local_day(total.last).end).seconds
    missing = min(1.0, max(total.missing_s / seconds, 0.04)) if total.missing_s else 0.0
    say = formatting.duration if show == "time" else formatting.energy
    return Bar(
        total,
        x=percent((slot + GAP / 2) / slots),
        width=percent((1 - GAP) / slots),
        slot_x=percent(slot / slots),
        slot_width=percent(1 / slots),
        middle=percent((slot + 0.5) / slots),
        y=percent(1 - share),
        height=percent(share),
        label=formats.date_format(total.first, "M") if by_month else str(total.first.day),
        day=(total.last if by_month else total.first).isoformat(),
        title=formats.date_format(total.first, "F Y") if by_month else formatting.day(total.first),
        value=say(total.value(show)),
        missing=percent(missing) if missing else "",
    )
