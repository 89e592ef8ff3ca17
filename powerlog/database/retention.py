"""Delete old minute rows, oldest first, in small transactions, so that no writer waits for long.

The promise: only whole local days are deleted, so that the rest can always be summed up by days;
only rows of power_logs are deleted, and none whose day has no total yet, because only the total
remains. It can stop between any two transactions, and goes on from there the next time.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from powerlog.database.store import WRITER
from powerlog.localtime import local_day
from powerlog.models import DayTotal, PowerLog

# 15 ms of the database's time on either one. SQLite's only writer waits for as long at most.
BATCH_ROWS = 1000
# The pause between two transactions: SQLite's writers retry in steps of up to 25 ms.
PAUSE_S = 0.03


class NoTotals(Exception):
    """The oldest rows must stay: their day has no total."""


@dataclass(frozen=True)
class Old:
    """The rows from before `before`, a local midnight: from the minute `first` to `last`."""

    first: datetime
    last: datetime
    before: datetime

    def estimate(self) -> int:
        """Return about how many there are, by PostgreSQL's planner or by SQLite's index."""
        rows = _rows().filter(timestamp__gte=self.first, timestamp__lt=self.before)
        if connections[WRITER].vendor != "postgresql":
            return rows.count()
        return json.loads(rows.order_by().explain(format="json"))[0]["Plan"]["Plan Rows"]


def old(keep_days: int) -> Old | None:
    """Return the rows older than today and keep_days local days before it; None: there are none.
    Raise Django's errors."""
    before = local_day(timezone.localdate() - timedelta(days=keep_days)).start
    minutes = _rows().filter(timestamp__lt=before).values_list("timestamp", flat=True)
    first = minutes.order_by("timestamp").first()
    last = minutes.order_by("-timestamp").first()
    return Old(first, last, before) if first and last else None


def prune(old: Old, pause: Callable[[float], object] = time.sleep) -> Iterator[int]:
    """Delete them; after each transaction, yield its number of rows. Raise Django's errors,
    NoTotals.

    Stop iterating to stop.
    """
    _refuse_without_totals(old)
    since = old.first
    while batch := _oldest(since, old.before):
        deleted, _ = _rows().filter(id__in=[row_id for row_id, _ in batch]).delete()
        # Not from the start again: until the next VACUUM the index still has all deleted rows.
        since = batch[-1][1]
        yield deleted
        pause(PAUSE_S)


def _oldest(since: datetime, before: datetime) -> list[tuple[int, datetime]]:
    rows = _rows().filter(timestamp__gte=since, timestamp__lt=before)
    return list(rows.order_by("timestamp").values_list("id", "timestamp")[:BATCH_ROWS])


def _refuse_without_totals(old: Old) -> None:
    row = _rows().filter(timestamp=old.first).first()
    if row is None:
        return
    day = timezone.localdate(row.timestamp)
    totals = DayTotal.objects.using(WRITER).filter(
        device_id=row.device_id, channel=row.channel, day=day
    )
    if not totals.exists():
        raise NoTotals(
            f"There is no day total of {row.device_id} {row.channel} on {day}: "
            "`manage.py rebuild_totals` makes them, then the rows may go."
        )


def _rows() -> QuerySet[PowerLog]:
    return PowerLog.objects.using(WRITER)
