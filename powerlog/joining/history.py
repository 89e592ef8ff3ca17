"""Move rows, runs and day totals to another device, one batch in each transaction.

Each batch takes its part of the day totals along. A total may be all that is left of a day, so
minutes are never counted again: a row takes its count with it, and what is left of the totals at
the end moves as it is. Runs are never deleted, so those of a day are summed up from the table, for
both devices.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connections
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from powerlog.core.channel_state import ChannelState
from powerlog.core.days import day_of
from powerlog.database.day_totals import COLUMNS, Spell, account_runs
from powerlog.database.minutes import COUNT_ROWS
from powerlog.database.rebuild import hold_totals
from powerlog.database.restore import recall
from powerlog.database.run_shares import Counted, bounds, shares
from powerlog.database.runs import end_lost, store_runs
from powerlog.database.sql import WRITER, given, moment
from powerlog.models import DayTotal, PowerLog, Run

BEFORE_ALL = moment(-1.0)
AT_ONCE = 1000
GONE = "device_id text, channel text, day date, active_minutes int, filled_minutes int"
LESSEN_DAYS = """
WITH gone (device_id, channel, day, active_minutes, filled_minutes) AS ({gone})
UPDATE day_totals SET
    active_minutes = {greatest}(0, day_totals.active_minutes - gone.active_minutes),
    filled_minutes = {greatest}(0, day_totals.filled_minutes - gone.filled_minutes)
FROM gone
WHERE day_totals.device_id = gone.device_id AND day_totals.channel = gone.channel
    AND day_totals.day = gone.day
"""
ALL_DAYS = """
SELECT %s, channel, day, active_minutes, filled_minutes, peak_w, 0, 0, 0
FROM day_totals WHERE device_id = %s ORDER BY channel, day
"""


class Stretch(NamedTuple):
    """The part of a channel that moves next: all that is later than `after`."""

    old_id: str
    new_id: str
    channel: str
    after: datetime = BEFORE_ALL


class Batch(NamedTuple):
    """How many have moved, how many the new device has itself, and the moment of the last one;
    last None: nothing was left."""

    moved: int
    left_out: int
    last: datetime | None


class Row(NamedTuple):
    """A row, as far as it counts. known: the new device has this minute."""

    pk: int
    timestamp: datetime
    apower_w: float
    source: str
    known: bool


def next_channel(model: type[PowerLog | Run], device_id: str, after: str = "") -> str | None:
    """Return the next channel of this device that has rows, or runs."""
    later = model.objects.using(WRITER).filter(device_id=device_id, channel__gt=after)
    return later.order_by("channel").values_list("channel", flat=True).first()


def end_open_runs(old_id: str) -> None:
    """End open runs at their last contact, as the sampler does after a gap."""
    hold_totals()
    running = Run.objects.using(WRITER).filter(device_id=old_id, ended_at=None)
    meters = [(old_id, run.channel) for run in running if not _later_runs(run).exists()]
    for past in recall(meters) if meters else ():
        channel = ChannelState.recalled(past)
        store_runs(channel.runs.stop(channel.last_ts or 0.0, "lost contact"))
    for run in running.all():  # behind later ones, since its end was lost, or without any row
        end_lost(run, timezone.now())


def move_rows(where: Stretch) -> Batch:
    """Move rows. Where the new device has the same minute, its row stays: the first row wins."""
    rows = _rows(where)
    _with_keys(PowerLog, (row.pk for row in rows if row.known)).delete()
    going = [row for row in rows if not row.known]
    _with_keys(PowerLog, (row.pk for row in going)).update(device_id=where.new_id)
    _lessen(where.old_id, where.channel, rows)
    _count(where.new_id, where.channel, going)
    return Batch(len(going), len(rows) - len(going), rows[-1].timestamp if rows else None)


def move_runs(where: Stretch) -> Batch:
    """Move ended runs. Where both devices have the same run, keep the version that knows more."""
    hold_totals()
    runs = list(_later(Run, where, "started_at").filter(ended_at__isnull=False)[:AT_ONCE])
    starts = [run.started_at for run in runs]
    ours = Run.objects.using(WRITER).filter(device_id=where.new_id, channel=where.channel)
    same = {run.started_at: run for run in ours.filter(started_at__in=starts)}
    lesser = [_lesser(run, same[run.started_at]) for run in runs if run.started_at in same]
    _with_keys(Run, (run.pk for run in lesser)).delete()
    _with_keys(Run, (run.pk for run in runs)).update(device_id=where.new_id)
    days = {day for run in (*runs, *same.values()) for day in shares(Counted.of(run))}
    starts_of_days = [bounds(day)[0] for day in days]
    for device_id in (where.old_id, where.new_id):
        account_runs([Spell(device_id, where.channel, at, at) for at in starts_of_days])
    return Batch(len(runs) - len(lesser), len(lesser), starts[-1] if starts else None)


def move_days(old_id: str, new_id: str) -> None:
    """Move what is left of the totals: the minutes of deleted rows, and the peaks."""
    with connections[WRITER].cursor() as cursor:
        statement = COUNT_ROWS.format(days=ALL_DAYS, greatest=_greatest())
        cursor.execute(statement, [new_id, old_id])
    DayTotal.objects.using(WRITER).filter(device_id=old_id).delete()


def _rows(where: Stretch) -> list[Row]:
    same = PowerLog.objects.filter(
        device_id=where.new_id, channel=where.channel, timestamp=OuterRef("timestamp")
    )
    later = _later(PowerLog, where, "timestamp").annotate(known=Exists(same))
    return [Row(*each) for each in later.values_list(*Row._fields)[:AT_ONCE]]


def _later(model: type[PowerLog | Run], where: Stretch, field: str) -> QuerySet:
    """Select rows or runs, locked so that none is deleted before the transaction ends."""
    # Not from the beginning again: until the next VACUUM the index has all that has moved.
    later = {"device_id": where.old_id, "channel": where.channel, f"{field}__gt": where.after}
    return model.objects.using(WRITER).select_for_update().filter(**later).order_by(field)


def _with_keys(model: type[PowerLog | Run], keys: Iterable[int]) -> QuerySet:
    return model.objects.using(WRITER).filter(pk__in=list(keys))


def _later_runs(run: Run) -> QuerySet[Run]:
    of_channel = {"device_id": run.device_id, "channel": run.channel}
    return Run.objects.using(WRITER).filter(**of_channel, started_at__gt=run.started_at)


def _lesser(theirs: Run, ours: Run) -> Run:
    """Return the version of a run that knows less, by the rule of runs.py."""
    if ours.ended_at is None:
        return ours
    both = theirs.counter_wh is not None and ours.counter_wh is not None
    return ours if both and theirs.counter_wh > ours.counter_wh else theirs


def _days(rows: Sequence[Row]) -> dict[date, tuple[int, int, float]]:
    """Count minutes, filled minutes and the peak of each day, in the order of the days."""
    zone = ZoneInfo(settings.TIME_ZONE)
    days: dict[date, tuple[int, int, float]] = {}
    for row in rows:
        day = day_of(row.timestamp.timestamp(), zone)
        minutes, filled, peak_w = days.get(day, (0, 0, 0.0))
        filled += row.source != PowerLog.Source.MEASURED
        days[day] = minutes + 1, filled, max(peak_w, row.apower_w)
    return dict(sorted(days.items()))


def _lessen(device_id: str, channel: str, rows: Sequence[Row]) -> None:
    records = [(device_id, channel, day, *each[:2]) for day, each in _days(rows).items()]
    if records:
        gone, parameters = given(GONE, records)
        with connections[WRITER].cursor() as cursor:
            cursor.execute(LESSEN_DAYS.format(gone=gone, greatest=_greatest()), parameters)


def _count(device_id: str, channel: str, rows: Sequence[Row]) -> None:
    records = [(device_id, channel, day, *each, 0, 0.0, 0.0) for day, each in _days(rows).items()]
    if records:
        days, parameters = given(COLUMNS, records)
        with connections[WRITER].cursor() as cursor:
            cursor.execute(COUNT_ROWS.format(days=days, greatest=_greatest()), parameters)


def _greatest() -> str:
    return "greatest" if connections[WRITER].vendor == "postgresql" else "max"
