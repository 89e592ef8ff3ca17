"""Recompute day totals from rows and runs, channel by channel, while the collector runs.

This is for a changed TIME_ZONE, or a database that had rows before it had totals. Days whose rows
were deleted keep their counted minutes; runs are never deleted.
"""

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connections, transaction
from django.db.models import Count, Max, Q
from django.db.models.functions import TruncDate

from powerlog.core.days import day_of
from powerlog.core.frame import ChannelKey
from powerlog.database.by_key import Within, oldest
from powerlog.database.day_totals import sums
from powerlog.database.run_shares import NOTHING
from powerlog.database.sql import WRITER
from powerlog.models import DayTotal, PowerLog, Run

NEXT_METER = """
SELECT device_id, channel FROM {table} WHERE (device_id, channel) > (%s, %s)
ORDER BY device_id, channel LIMIT 1
"""
COLUMNS = ("active_minutes", "filled_minutes", "runs", "run_s", "energy_wh", "peak_w")


def is_due() -> bool:
    """Return whether there are rows, of a collector without day totals, and no totals at all."""
    no_totals = not DayTotal.objects.using(WRITER).exists()
    return no_totals and PowerLog.objects.using(WRITER).exists()


def meters() -> list[ChannelKey]:
    """Return every channel that has rows or runs, by one index step for each."""
    tables = (PowerLog._meta.db_table, Run._meta.db_table)
    return sorted({meter for table in tables for meter in _meters_of(table)})


def _meters_of(table: str) -> Iterator[ChannelKey]:
    meter: ChannelKey | None = ("", "")
    with connections[WRITER].cursor() as cursor:
        while meter:
            cursor.execute(NEXT_METER.format(table=table), meter)
            if meter := cursor.fetchone():
                yield meter


def rebuild(device_id: str, channel: str) -> int:
    """Recompute the totals of a channel; return the number of days."""
    with transaction.atomic(using=WRITER):
        hold_totals()
        totals = _with_runs(_of_rows(device_id, channel), device_id, channel)
        for total in totals.values():
            total.pk = None
        DayTotal.objects.using(WRITER).bulk_create(
            totals.values(),
            batch_size=1000,
            update_conflicts=True,
            unique_fields=("device_id", "channel", "day"),
            update_fields=COLUMNS,
        )
    return len(totals)


def hold_totals() -> None:
    """Lock the totals to the end of the transaction. Writers wait, and add their counts then."""
    if connections[WRITER].vendor == "postgresql":  # on SQLite a transaction holds all tables
        with connections[WRITER].cursor() as cursor:
            cursor.execute("LOCK TABLE day_totals IN SHARE ROW EXCLUSIVE MODE")


def _of_rows(device_id: str, channel: str) -> dict[date, DayTotal]:
    """Return the minutes of each day: from the rows, or as counted before rows were deleted."""
    of_channel = {"device_id": device_id, "channel": channel}
    rows = PowerLog.objects.using(WRITER).filter(**of_channel)
    first = next(iter(oldest(PowerLog, [Within(device_id, channel)])), None)
    totals = {total.day: total for total in DayTotal.objects.using(WRITER).filter(**of_channel)}
    zone = ZoneInfo(settings.TIME_ZONE)
    if first:
        for day in filter(lambda day: day >= day_of(first.timestamp.timestamp(), zone), totals):
            totals[day] = DayTotal(**of_channel, day=day)
    days = rows.order_by().annotate(day=TruncDate("timestamp", tzinfo=zone)).values("day")
    counted = days.annotate(
        active_minutes=Count("pk"),
        filled_minutes=Count("pk", filter=~Q(source=PowerLog.Source.MEASURED)),
        peak_w=Max("apower_w"),
    )
    for values in counted:
        totals[values["day"]] = DayTotal(**of_channel, **values)
    return totals


def _with_runs(totals: dict[date, DayTotal], device_id: str, channel: str) -> dict[date, DayTotal]:
    of_days = sums(Run.objects.using(WRITER).filter(device_id=device_id, channel=channel))
    for day in {*totals, *of_days}:
        total = totals.setdefault(day, DayTotal(device_id=device_id, channel=channel, day=day))
        found = of_days.get(day, NOTHING)
        total.runs, total.run_s, total.energy_wh = found.runs, found.run_s, found.energy_wh
        total.peak_w = max(total.peak_w, found.peak_w)
    return totals
