"""Read rows and runs of the channels of one device: the newest, and those of a span.

Each table is asked once for all channels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone

from powerlog.localtime import DAY, Span
from powerlog.models import DayTotal, PowerLog, Run, Silence
from powerlog.reports.channels import Meter, newest
from powerlog.reports.run_usage import PastRun

SHORTEST_SILENCE = timedelta(minutes=2)


class Minute(NamedTuple):
    """A row, with only the columns that a page shows."""

    timestamp: datetime
    apower_w: float
    voltage_v: float
    current_a: float
    source: str


@dataclass(frozen=True)
class Latest:
    """The newest row and run of a channel, if there are any."""

    row: PowerLog | None
    run: Run | None

    @property
    def open_run(self) -> Run | None:
        return self.run if self.run is not None and self.run.ended_at is None else None


@dataclass(frozen=True)
class Records:
    """The data of a channel and a day. Runs are whole: the first may start the day before."""

    rows: Sequence[Minute]
    runs: Sequence[Run]
    total: DayTotal | None


def latest(meters: Sequence[Meter]) -> list[Latest]:
    keys = [each.key for each in meters]
    rows, runs = newest(PowerLog, keys), newest(Run, keys)
    return [Latest(rows.get(key), runs.get(key)) for key in keys]


def of_day(meters: Sequence[Meter], day: date, span: Span) -> list[Records]:
    """Return the records of a day. span: from the day's first moment to its last."""
    rows: dict[str, list[Minute]] = {each.channel: [] for each in meters}
    runs: dict[str, list[Run]] = {each.channel: [] for each in meters}
    inside = _of(PowerLog, meters).filter(timestamp__gte=span.start, timestamp__lt=span.end)
    found = inside.order_by("timestamp").values_list("channel", *Minute._fields)
    for channel, *row in found:
        rows[channel].append(Minute._make(row))
    for run in _runs(meters, span):
        runs[run.channel].append(run)
    totals = {each.channel: each for each in _of(DayTotal, meters).filter(day=day)}
    return [Records(rows[name], runs[name], totals.get(name)) for name in rows]


def _runs(meters: Sequence[Meter], span: Span) -> Iterator[Run]:
    """Yield the runs that were active within this span."""
    before = newest(Run, [each.key for each in meters], before=span.start)
    for run in before.values():
        if run.ended_at is None or run.ended_at > span.start:
            yield run
    inside = _of(Run, meters).filter(started_at__gte=span.start, started_at__lt=span.end)
    yield from inside.order_by("started_at")


def past_runs(meter: Meter, spans: Sequence[Span]) -> list[PastRun]:
    """Return the ended runs that were active within these spans, in order."""
    # Back by a day: a run across midnight began on the evening before.
    inside = [
        Q(started_at__gte=each.start - DAY, started_at__lt=each.end, ended_at__gt=each.start)
        for each in spans
    ]
    runs = _of(Run, [meter]).filter(reduce(or_, inside)).order_by("started_at")
    return list(map(PastRun._make, runs.values_list(*PastRun._fields)))


def silences(meter: Meter, span: Span, now: datetime) -> list[Span]:
    """Return the silences of the device, with the one that still goes on."""
    found = Silence.objects.filter(
        device_id=meter.device_id, until__gt=span.start, since__lt=span.end
    )
    spans = [Span(*each) for each in found.order_by("since").values_list("since", "until")]
    if meter.heard_at and now - meter.heard_at > SHORTEST_SILENCE:
        spans.append(Span(meter.heard_at, now))
    return spans


def has_older(meter: Meter, day: date) -> bool:
    """Return whether the channel has any history of days before this one."""
    return _of(DayTotal, [meter]).filter(day__lt=day).exists()


def last_day(meter: Meter) -> date | None:
    """Return the last day with data."""
    totals = _of(DayTotal, [meter]).filter(Q(run_s__gt=0) | Q(active_minutes__gt=0))
    day = totals.order_by("-day").values_list("day", flat=True).first()
    row = newest(PowerLog, [meter.key]).get(meter.key)
    days = [each for each in (day, row and timezone.localdate(row.timestamp)) if each]
    return max(days, default=None)


def _of(model: type[PowerLog] | type[Run] | type[DayTotal], meters: Sequence[Meter]) -> QuerySet:
    channels = [each.channel for each in meters]
    return model.objects.filter(device_id=meters[0].device_id, channel__in=channels)
