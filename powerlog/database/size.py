"""Estimate the size of the data, its growth a day, and how long the disk will last.

The estimates use the database's own statistics and the day totals: no minute rows are read. Free
space is reported only if it can be known; the rest is reported without it.
"""

import math
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.db import connections
from django.db.models import Min, Sum
from django.utils import timezone

from powerlog.database.store import WRITER
from powerlog.models import DayTotal

DAYS = 7  # the growth is the mean of so many whole local days
FEW_ROWS = 10_000  # with fewer rows, the size of a row is not measured but taken from BYTES_A_ROW
BYTES_A_ROW = {"postgresql": 250, "sqlite": 290}  # with its part of four indexes
SERVER = """
SELECT pg_database_size(current_database()), pg_total_relation_size(oid), reltuples,
    host(inet_server_addr()), host(inet_client_addr()),
    (SELECT setting FROM pg_settings WHERE name = 'data_directory')
FROM pg_class WHERE oid = 'power_logs'::regclass
"""
DAY, MONTH, YEAR = 1.0, 30.4, 365.25


@dataclass(frozen=True)
class DataSize:
    """Sizes in bytes: of all data, of the minute rows, of one row; the growth a day and the free
    space, None if unknown."""

    total: int
    rows: int
    row: float
    free: int | None = None
    a_day: float | None = None

    def text(self, keep_days: int | None) -> str:
        """Return a sentence such as `1.4 GB, 12 MB a day, the disk lasts for 3 years`."""
        if self.a_day is None:
            return size(self.total)
        parts = [size(self.total), f"{size(self.a_day)} a day"]
        if keep_days:
            parts.append(f"kept for {keep_days} {'day' if keep_days == 1 else 'days'}")
        if self.a_day and self.free is not None:
            # Once the log has so many days, it grows no more.
            most = math.inf if keep_days is None else self.a_day * (keep_days + 1) - self.rows
            if self.free < most:
                parts.append(f"the disk lasts for {span(self.free / self.a_day)}")
        return ", ".join(parts)


def measured() -> DataSize:
    """Measure the data by asking the database and the disk. Raise Django's errors."""
    own = _postgresql() if connections[WRITER].vendor == "postgresql" else _sqlite()
    minutes = _minutes_a_day()
    a_day = None if minutes is None else minutes * own.row
    return DataSize(own.total, own.rows, own.row, own.free, a_day)


def _postgresql() -> DataSize:
    with connections[WRITER].cursor() as cursor:
        cursor.execute(SERVER)
        total, log, rows, server, client, folder = cursor.fetchone()
    row = log / rows if rows >= FEW_ROWS else BYTES_A_ROW["postgresql"]
    # The server's report of its folder is valid on this machine only: then its address and ours are
    # the same, or there are none on a local socket.
    here = server == client and folder and Path(folder).is_dir()
    return DataSize(total, log, row, shutil.disk_usage(folder).free if here else None)


def _sqlite() -> DataSize:
    with connections[WRITER].cursor() as cursor:
        cursor.execute(
            "SELECT page_size * (page_count - freelist_count), page_size * page_count "
            "FROM pragma_page_size, pragma_page_count, pragma_freelist_count"
        )
        used, total = cursor.fetchone()
        # Rows get ascending ids, and the oldest are deleted first.
        cursor.execute("SELECT max(id) - min(id) + 1 FROM power_logs")
        rows = cursor.fetchone()[0] or 0
    row = used / rows if rows >= FEW_ROWS else BYTES_A_ROW["sqlite"]
    path = Path(connections[WRITER].settings_dict["NAME"])
    return DataSize(total, used, row, shutil.disk_usage(path.parent).free)


def _minutes_a_day() -> float | None:
    """Return the mean rows a day of the last whole days; None before the first one is over."""
    today = timezone.localdate()
    totals = DayTotal.objects.using(WRITER).filter(day__lt=today)
    first = totals.aggregate(first=Min("day"))["first"]
    if first is None:
        return None
    since = max(first, today - timedelta(days=DAYS))
    minutes = totals.filter(day__gte=since).aggregate(sum=Sum("active_minutes"))["sum"] or 0
    return minutes / (today - since).days


def size(number: float) -> str:
    """Return bytes as text in decimal units: `1.4 MB` for 1400000."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{_short(number)} {unit}"
        number /= 1000
    return f"{_short(number)} TB"


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0") if number < 9.95 else f"{number:.0f}"


def span(days: float) -> str:
    if days < 1:
        return "less than a day"
    if days > 20 * YEAR:
        return "more than 20 years"
    for unit, name, least in ((YEAR, "year", 2), (MONTH, "month", 2), (DAY, "day", 1)):
        if days >= least * unit:
            count = int(days / unit)
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    raise AssertionError(days)
