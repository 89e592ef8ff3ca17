"""How big the data is, what a day adds to it, and how long the disk will last with that.

All of it is estimated from what the database knows of itself, and from the day totals: nothing here
reads the log. Free space is told only where it can be known; the rest is told without it.
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

DAYS = 7  # whole local days, of which the growth is the mean
FEW_ROWS = 10_000  # below it what a row takes is not measured but taken from
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
    """Bytes: of all, of the minute rows, of one of them; a day's growth and the free space, which
    are None where they are not known."""

    total: int
    rows: int
    row: float
    free: int | None = None
    a_day: float | None = None

    def text(self, keep_days: int | None) -> str:
        """For people, such as `1.4 GB, 12 MB a day, the disk lasts for 3 years`."""
        if self.a_day is None:
            return size(self.total)
        parts = [size(self.total), f"{size(self.a_day)} a day"]
        if keep_days:
            parts.append(f"kept for {keep_days} {'day' if keep_days == 1 else 'days'}")
        if self.a_day and self.free is not None:
            # With so many days in it the log grows no more.
            most = math.inf if keep_days is None else self.a_day * (keep_days + 1) - self.rows
            if self.free < most:
                parts.append(f"the disk lasts for {span(self.free / self.a_day)}")
        return ", ".join(parts)


def measured() -> DataSize:
    """Asks the database, and the disk. Raises Django's errors."""
    own = _postgresql() if connections[WRITER].vendor == "postgresql" else _sqlite()
    minutes = _minutes_a_day()
    a_day = None if minutes is None else minutes * own.row
    return DataSize(own.total, own.rows, own.row, own.free, a_day)


def _postgresql() -> DataSize:
    with connections[WRITER].cursor() as cursor:
        cursor.execute(SERVER)
        total, log, rows, server, client, folder = cursor.fetchone()
    row = log / rows if rows >= FEW_ROWS else BYTES_A_ROW["postgresql"]
    # The server's own word of where it is, which is worth something on this machine only: its
    # address and ours are the same, or there are none on a local socket.
    here = server == client and folder and Path(folder).is_dir()
    return DataSize(total, log, row, shutil.disk_usage(folder).free if here else None)


def _sqlite() -> DataSize:
    with connections[WRITER].cursor() as cursor:
        cursor.execute(
            "SELECT page_size * (page_count - freelist_count), page_size * page_count "
            "FROM pragma_page_size, pragma_page_count, pragma_freelist_count"
        )
        used, total = cursor.fetchone()
        # Rows get their ids in turn, and the oldest go first.
        cursor.execute("SELECT max(id) - min(id) + 1 FROM power_logs")
        rows = cursor.fetchone()[0] or 0
    row = used / rows if rows >= FEW_ROWS else BYTES_A_ROW["sqlite"]
    path = Path(connections[WRITER].settings_dict["NAME"])
    return DataSize(total, used, row, shutil.disk_usage(path.parent).free)


def _minutes_a_day() -> float | None:
    """Rows a day, the mean of the last whole days; None before the first of them is over."""
    today = timezone.localdate()
    totals = DayTotal.objects.using(WRITER).filter(day__lt=today)
    first = totals.aggregate(first=Min("day"))["first"]
    if first is None:
        return None
    since = max(first, today - timedelta(days=DAYS))
    minutes = totals.filter(day__gte=since).aggregate(sum=Sum("active_minutes"))["sum"] or 0
    return minutes / (today - since).days


def size(number: float) -> str:
    """1400000 bytes: `1.4 MB`, as disks are sold."""
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
