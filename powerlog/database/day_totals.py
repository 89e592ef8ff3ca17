"""The runs of each channel on each local day, in `day_totals`: running sums.

minutes.py counts the minutes of a day. When a run is written, what its days gain or lose by it is
added to them (run_shares.py has the share of a run on a day), in the transaction of the run: the
work follows from the runs that are written, never from those that a day has already. A device can
make millions of them in a day.

account_runs() computes the same sums from the table, for those who change runs by other ways.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connections, transaction
from django.db.models import DurationField, F, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from powerlog.core.days import days_between
from powerlog.core.frame import ChannelKey
from powerlog.database.run_shares import (
    DIGITS,
    NOTHING,
    Counted,
    Share,
    bounds,
    change,
    shares,
)
from powerlog.database.sql import WRITER, batched, given, moment
from powerlog.models import Run

DAYS_AT_ONCE = 2000
RUNS_AT_ONCE = 2000
COLUMNS = (
    "device_id text, channel text, day date, active_minutes int, filled_minutes int, "
    "peak_w float8, runs int, run_s float8, energy_wh float8"
)
# Two processes that write days or runs in the same order wait for each other and do not deadlock.
# It is the order of the database, which also counts the minutes of a day.
IN_ORDER = {"postgresql": "ORDER BY 1, 2, 3", "sqlite": ""}
DAYS = """
INSERT INTO day_totals
    (device_id, channel, day, active_minutes, filled_minutes, peak_w, runs, run_s, energy_wh)
{days} {in_order}
ON CONFLICT (device_id, channel, day) DO UPDATE SET
"""
ADD = """
    runs = day_totals.runs + excluded.runs,
    run_s = round(CAST(day_totals.run_s + excluded.run_s AS numeric), 6),
    energy_wh = round(CAST(day_totals.energy_wh + excluded.energy_wh AS numeric), 6),
    peak_w = {greatest}(day_totals.peak_w, excluded.peak_w)
"""
REPLACE = """
    runs = excluded.runs, run_s = excluded.run_s, energy_wh = excluded.energy_wh,
    peak_w = {greatest}(day_totals.peak_w, excluded.peak_w)
"""
# A row that ON CONFLICT finds is locked, also where WHERE then leaves it alone.
LOCK = "runs = day_totals.runs WHERE FALSE"
GREATEST = {"postgresql": "greatest", "sqlite": "max"}


class Spell(NamedTuple):
    """A span of a channel, Unix seconds."""

    device_id: str
    channel: str
    since: float
    until: float


class Day(NamedTuple):
    device_id: str
    channel: str
    day: date


class Change(NamedTuple):
    """A run as it was in the table (None: it was not there), and as it is now."""

    device_id: str
    channel: str
    before: Counted | None
    after: Counted


def add_changes(changes: Iterable[Change]) -> None:
    """Add to each day what it gains by these changes.

    Call it in their transaction. The state before must be locked when it is read: two processes
    must not take the same state away twice.
    """
    gained: dict[Day, Share] = {}
    for device_id, channel, before, after in changes:
        for day, gain in change(before, after).items():
            key = Day(device_id, channel, day)
            gained[key] = gained.get(key, NOTHING).plus(gain)
    for part in batched(list(gained.items()), DAYS_AT_ONCE):
        _write(part, ADD)


def account_runs(changed: Collection[Spell]) -> None:
    """Compute the sums of all days that these spells touch from the table.

    It reads all earlier runs of these channels: use it for repairs, not for every batch.
    """
    channels: dict[ChannelKey, set[date]] = {}
    for device_id, channel, since, until in changed:
        days = days_between(since, until, ZoneInfo(settings.TIME_ZONE))
        channels.setdefault((device_id, channel), set()).update(days)
    for (device_id, channel), touched in sorted(channels.items()):
        days = [Day(device_id, channel, day) for day in sorted(touched)]
        for part in batched(days, DAYS_AT_ONCE):
            with transaction.atomic(using=WRITER):
                # Another process that adds to one of these days waits, or this one waits for it:
                # after that the table has exactly the runs that the sums have.
                _write([(day, NOTHING) for day in part], LOCK)
                of_table = sums(_runs_on(part))
                _write([(day, of_table.get(day.day, NOTHING)) for day in part], REPLACE)


def _runs_on(days: Sequence[Day]) -> QuerySet[Run]:
    """Return all runs of the channel that reach into the days from the first to the last."""
    device_id, channel, first = days[0]
    since, until = moment(bounds(first)[0]), moment(bounds(days[-1].day)[1])
    runs = Run.objects.using(WRITER).filter(device_id=device_id, channel=channel)
    reaching = Q(ended_at__gte=since) | Q(ended_at__isnull=True)
    return runs.filter(reaching, started_at__lt=until)


def _write(totals: Sequence[tuple[Day, Share]], action: str) -> None:
    records = [
        (*day, 0, 0, total.peak_w, total.runs, total.run_s, total.energy_wh)
        for day, total in totals
    ]
    days, parameters = given(COLUMNS, records)
    vendor = connections[WRITER].vendor
    statement = (DAYS + action).format(
        days=days, in_order=IN_ORDER[vendor], greatest=GREATEST[vendor]
    )
    with connections[WRITER].cursor() as cursor:
        cursor.execute(statement, parameters)


def sums(runs: QuerySet[Run]) -> dict[date, Share]:
    """Return what each day has of these runs.

    It works for any number of runs: the database adds up those that end on the day on which they
    start, and the others are never all in memory.
    """
    zone = ZoneInfo(settings.TIME_ZONE)
    first_day, last_day = TruncDate("started_at", tzinfo=zone), TruncDate("ended_at", tzinfo=zone)
    runs = runs.order_by().annotate(first_day=first_day, last_day=last_day)
    within = (
        runs.filter(first_day=F("last_day"))
        .values_list("first_day")
        .annotate(
            number=Sum("starts"),
            time=Sum(F("ended_at") - F("started_at"), output_field=DurationField()),
            wh=Sum("energy_wh"),
            highest_w=Max("peak_w"),
        )
    )
    totals = {
        day: Share(number, time.total_seconds(), round(wh, DIGITS), highest_w)
        for day, number, time, wh, highest_w in within
    }
    others = runs.filter(Q(last_day__isnull=True) | Q(last_day__gt=F("first_day")))
    for run in others.iterator(RUNS_AT_ONCE):
        for day, part in shares(Counted.of(run)).items():
            totals[day] = totals.get(day, NOTHING).plus(part)
    return totals
