"""Write runs to the table `runs`, as often as they are reported; the most complete state stays.

What a run changes on its days is added to `day_totals` in the same transaction. The work follows
from the runs that are reported, never from those that a channel has already.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from django.db import OperationalError, connections

from powerlog import models
from powerlog.core.run_state import RunState
from powerlog.database.by_key import MICROSECOND, Within, newest, oldest, statement
from powerlog.database.day_totals import GREATEST, IN_ORDER, Change, add_changes
from powerlog.database.run_shares import Counted
from powerlog.database.sql import WRITER, batched, given, moment

Key = tuple[str, str, datetime]  # device_id, channel, started_at
RUNS_AT_ONCE = 2000
ATTEMPTS = 3
COLUMNS = (
    "device_id text, channel text, started_at timestamptz, ended_at timestamptz, energy_wh float8, "
    "mean_w float8, peak_w float8, counter_wh float8, how text, heard_at timestamptz, "
    "midnights jsonb, starts int"
)
STORED = "device_id, channel, started_at, id, ended_at, energy_wh, peak_w, midnights, starts"
LOCKED = {"postgresql": "ORDER BY device_id, channel, started_at FOR UPDATE", "sqlite": ""}
# An ended run changes only when the counter has gone on: an old report, of a log or of a second
# socket, neither opens it again nor counts its energy twice. A peak never falls, nor do starts.
UPDATE = """
WITH reported (
    device_id, channel, started_at, ended_at, energy_wh, mean_w, peak_w, counter_wh, how, heard_at,
    midnights, starts, id
) AS ({runs})
UPDATE runs SET
    ended_at = reported.ended_at, energy_wh = reported.energy_wh, mean_w = reported.mean_w,
    peak_w = {greatest}(runs.peak_w, reported.peak_w), counter_wh = reported.counter_wh,
    "end" = reported.how, heard_at = reported.heard_at, midnights = reported.midnights,
    starts = {greatest}(runs.starts, reported.starts)
FROM reported
WHERE runs.id = reported.id AND (
    runs.ended_at IS NULL
    OR (reported.ended_at IS NOT NULL AND reported.counter_wh > runs.counter_wh)
)
RETURNING runs.id
"""
# A run that another process has written is left out; so is an open run beside another open one.
INSERT = """
INSERT INTO runs
    (device_id, channel, started_at, ended_at, energy_wh, mean_w, peak_w, counter_wh, "end",
     heard_at, midnights, starts)
{runs} {in_order}
ON CONFLICT DO NOTHING
RETURNING id
"""


class Row(NamedTuple):
    """A run as the table has it."""

    device_id: str
    channel: str
    started_at: datetime
    ended_at: datetime | None
    energy_wh: float
    mean_w: float
    peak_w: float
    counter_wh: float | None
    end: str
    heard_at: datetime | None
    midnights: Sequence[Sequence[float]]
    starts: int

    @property
    def key(self) -> Key:
        return self.device_id, self.channel, self.started_at

    def counted(self, peak_w: float = 0.0, starts: int = 1) -> Counted:
        """Return what counts of it when it is written over one with this peak and these starts."""
        ended_at = None if self.ended_at is None else self.ended_at.timestamp()
        peak_w = max(peak_w, self.peak_w)
        started_at = self.started_at.timestamp()
        starts = max(starts, self.starts)
        return Counted(started_at, ended_at, self.energy_wh, peak_w, self.midnights, starts)

    def lost(self, ended_at: datetime) -> "Row":
        """Return it as ended there."""
        seconds = (ended_at - self.started_at).total_seconds()
        mean_w = round(self.energy_wh * 3600 / seconds, 3) if seconds > 0 else self.peak_w
        end = models.Run.End.LOST_CONTACT.value
        return self._replace(ended_at=ended_at, end=end, mean_w=mean_w)


class Stored(NamedTuple):
    """A run of the table, as STORED reads it, without the key."""

    id: int
    ended_at: datetime | None
    energy_wh: float
    peak_w: float
    midnights: str
    starts: int

    def counted(self, row: Row) -> Counted:
        ended_at = self.ended_at and self.ended_at.replace(tzinfo=UTC).timestamp()
        midnights = msgspec.json.decode(self.midnights)
        started_at = row.started_at.timestamp()
        return Counted(started_at, ended_at, self.energy_wh, self.peak_w, midnights, self.starts)


def store_runs(reported: Iterable[RunState]) -> None:
    """Write each run as it was reported last, and add what its days gain by it."""
    rows = {row.key: row for row in map(_row, reported)}
    changes, refused = _write(list(rows.values()))
    for row in refused:
        changes += _write_again(row)
    add_changes(changes)


def _row(run: RunState) -> Row:
    return Row(
        run.device_id,
        run.channel,
        moment(run.started_at),
        None if run.ended_at is None else moment(run.ended_at),
        round(run.energy_wh, 3),
        round(run.mean_w, 3),
        run.peak_w,
        run.counter_wh,
        run.end,
        None if run.heard_at is None else moment(run.heard_at),
        [[midnight, round(wh, 3)] for midnight, wh in run.midnights],
        run.starts,
    )


def _write(rows: Sequence[Row]) -> tuple[list[Change], list[Row]]:
    """Return what has changed, and the runs that were refused: another process has written them
    meanwhile, or they are open, and another one of their channel is, too."""
    stored = _stored(rows)
    changes = _update([(stored[row.key], row) for row in rows if row.key in stored])
    new = [row for row in rows if row.key not in stored]
    inserted = _insert(new)
    for row in new:
        if row.key in inserted:
            changes.append(Change(row.device_id, row.channel, None, row.counted()))
    return changes, [row for row in new if row.key not in inserted]


def _stored(rows: Sequence[Row]) -> dict[Key, Stored]:
    """Return the state before, locked until the transaction ends: what it counted for is taken from
    the day totals, and no other process may do so, too."""
    stored: dict[Key, Stored] = {}
    for part in batched(rows, RUNS_AT_ONCE):
        wanted = [Within(*row.key, row.started_at) for row in part]
        query, parameters = statement(models.Run, wanted, STORED)
        with connections[WRITER].cursor() as cursor:
            cursor.execute(f"{query} {LOCKED[connections[WRITER].vendor]}", parameters)
            for device_id, channel, started_at, *values in cursor:
                key = (device_id, channel, started_at.replace(tzinfo=UTC))
                stored[key] = Stored(*values)
    return stored


def _update(pairs: Sequence[tuple[Stored, Row]]) -> list[Change]:
    """Write these before new ones are inserted: a run ends before the next of its channel."""
    updated: set[int] = set()
    greatest = GREATEST[connections[WRITER].vendor]
    for part in batched(pairs, RUNS_AT_ONCE):
        records = [(*_values(row), stored.id) for stored, row in part]
        runs, parameters = given(f"{COLUMNS}, id bigint", records)
        with connections[WRITER].cursor() as cursor:
            cursor.execute(UPDATE.format(runs=runs, greatest=greatest), parameters)
            updated.update(run_id for (run_id,) in cursor)
    return [
        Change(
            row.device_id,
            row.channel,
            stored.counted(row),
            row.counted(stored.peak_w, stored.starts),
        )
        for stored, row in pairs
        if stored.id in updated
    ]


def _insert(rows: Sequence[Row]) -> set[Key]:
    """Return the keys of those that were not there."""
    inserted: set[Key] = set()
    for part in batched(rows, RUNS_AT_ONCE):
        runs, parameters = given(COLUMNS, list(map(_values, part)))
        in_order = IN_ORDER[connections[WRITER].vendor]
        with connections[WRITER].cursor() as cursor:
            cursor.execute(INSERT.format(runs=runs, in_order=in_order), parameters)
            found = [run_id for (run_id,) in cursor]
        if len(found) == len(part):
            inserted.update(row.key for row in part)
        else:
            keys = models.Run.objects.using(WRITER).filter(pk__in=found).order_by()
            inserted.update(keys.values_list("device_id", "channel", "started_at"))
    return inserted


def _values(row: Row) -> Sequence[Any]:
    if connections[WRITER].vendor == "postgresql":
        return row
    return row._replace(midnights=json.dumps(row.midnights))


def _write_again(row: Row) -> list[Change]:
    """Write a run that was refused."""
    changes: list[Change] = []
    for _ in range(ATTEMPTS):
        more, refused = _write([row] if row.ended_at else _without_rival(row))
        changes += more
        if not refused:
            return changes
    raise OperationalError("other processes open runs of the same channel, again and again")


def _without_rival(row: Row) -> list[Row]:
    """End the earlier of this run and the other open one of its channel: the end of the other was
    lost with its process, or this one is of an old log."""
    rivals = models.Run.objects.using(WRITER).select_for_update().order_by()
    # No LIMIT, which would invite another index than that of open runs: there is one at most.
    of_channel = rivals.filter(device_id=row.device_id, channel=row.channel, ended_at__isnull=True)
    for rival in of_channel.exclude(started_at=row.started_at):
        values = (getattr(rival, name) for name in Row._fields)
        earlier, later = sorted((row, Row(*values)), key=lambda each: each.started_at)
        last = _last_contact(earlier, later.started_at)
        return [earlier.lost(max(last, earlier.heard_at or last)), later]
    return [row]


def end_lost(run: models.Run, before: datetime) -> None:
    """End an open run at its last contact before this moment."""
    row = Row(*(getattr(run, name) for name in Row._fields))
    last = _last_contact(row, before)
    changes, _ = _write([row.lost(max(last, row.heard_at or last))])
    add_changes(changes)


def _last_contact(row: Row, before: datetime) -> datetime:
    """Return the channel's last minute after the run's start, before this moment and any other
    run's start; the start where there is none."""
    after = row.started_at + MICROSECOND
    later = oldest(models.Run, [Within(row.device_id, row.channel, after)])
    before = min([before, *(run.started_at for run in later)])
    minutes = newest(
        models.PowerLog, [Within(row.device_id, row.channel, after, before - MICROSECOND)]
    )
    return max([row.started_at, *(minute.timestamp for minute in minutes)])
