"""What the core knows goes into the database here, and comes back from it: rows, runs, the past.

Every write may be repeated: the first row of a minute wins, and of a run the version that knows
most. All of it goes through the writer's own connection.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from math import isfinite
from typing import Any, TypeVar

import msgspec
from django.db import IntegrityError, connections, transaction
from django.db.models import Max, OuterRef, Q, Subquery

from powerlog import models
from powerlog.runs import Run
from powerlog.sampler import Due, Past, Sample

WRITER = "writer"
INSERT_ROWS = """
INSERT INTO power_logs
    (timestamp, device_id, channel, apower_w, voltage_v, current_a, energy_total_wh, source)
{rows}
ON CONFLICT DO NOTHING
"""
# One parameter for a whole batch: 1 µs of CPU a row here, where eight a row cost 28, and three
# times as many rows a second.
ROWS_OF_JSON = """
SELECT to_timestamp(ts), device_id, channel, apower_w, voltage_v, current_a, energy_total_wh, source
FROM json_to_recordset(%s::json) AS sample (
    ts bigint, device_id text, channel text, apower_w float8, voltage_v float8, current_a float8,
    energy_total_wh float8, source text
)
"""
RUNS_OF_JSON = """
SELECT * FROM json_to_recordset(%s::json) AS run (
    device_id text, channel text, started_at timestamptz, ended_at timestamptz, energy_wh float8,
    mean_w float8, peak_w float8, counter_wh float8, "end" text, heard_at timestamptz
)
"""
# An ended run changes only when the counter has said more of it: told again, from an old log or by
# a device's second socket, it is never opened anew, and its energy never counted twice.
UPSERT_RUNS = """
INSERT INTO runs
    (device_id, channel, started_at, ended_at, energy_wh, mean_w, peak_w, counter_wh, "end",
     heard_at)
{runs}
ON CONFLICT (device_id, channel, started_at) DO UPDATE SET
    ended_at = excluded.ended_at, energy_wh = excluded.energy_wh, mean_w = excluded.mean_w,
    peak_w = excluded.peak_w, counter_wh = excluded.counter_wh, "end" = excluded."end",
    heard_at = excluded.heard_at
WHERE runs.ended_at IS NULL
    OR (excluded.ended_at IS NOT NULL AND excluded.counter_wh > runs.counter_wh)
"""
# The newest row of each pair through the index of the unique key, however many rows there are.
NEWEST_ROWS = """
WITH wanted (device_id, channel) AS (VALUES {pairs})
SELECT * FROM power_logs WHERE id IN (
    SELECT (
        SELECT id FROM power_logs AS log
        WHERE log.device_id = wanted.device_id AND log.channel = wanted.channel
            AND log.timestamp <= %s
        ORDER BY log.timestamp DESC LIMIT 1
    ) FROM wanted
)
"""
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
LAST_TS = FOR_EVER.timestamp()
METERS_AT_ONCE = 400
ROWS_AT_ONCE = 2000
RUNS_AT_ONCE = 1000


def fault(due: Due) -> str | None:
    """Why no table can hold this, in a few words; None: every table can."""
    for name, text, longest in (("device id", due.device_id, 100), ("channel", due.channel, 20)):
        if not (0 < len(text) <= longest and text.isprintable()):
            return name
    if isinstance(due, Sample):
        moments = [due.ts]
        numbers = [due.apower_w, due.voltage_v, due.current_a, due.energy_total_wh]
    else:
        moments = [due.started_at, due.ended_at or 0.0, due.heard_at or 0.0]
        numbers = [due.peak_w, due.counter_wh or 0.0, due.booked_wh, due.claim_ws]
    if not all(map(isfinite, numbers)):
        return "not a number"
    return None if all(0 <= ts < LAST_TS for ts in moments) else "time"


def store(due: Sequence[Due]) -> int:
    """Write rows and runs, all or nothing. How many rows were new. Raises Django's errors."""
    rows = [each for each in due if isinstance(each, Sample)]
    runs = [each for each in due if isinstance(each, Run)]
    try:
        with transaction.atomic(using=WRITER):
            new = sum(_insert(part) for part in batched(rows, ROWS_AT_ONCE))
            _store_runs(runs)
    except Exception:
        # Whatever went wrong, the next attempt begins with a connection that is known to be good.
        connections[WRITER].close()
        raise
    return new


def _insert(samples: Sequence[Sample]) -> int:
    """How many of these rows were new."""
    connection = connections[WRITER]
    values: list[Any] = []
    if connection.vendor == "postgresql":
        rows = ROWS_OF_JSON
        values.append(msgspec.json.encode(samples).decode())
    else:
        adapt = connection.ops.adapt_datetimefield_value
        rows = "VALUES " + ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * len(samples))
        for row in samples:
            values += [adapt(_moment(row.ts)), row.device_id, row.channel, row.apower_w]
            values += [row.voltage_v, row.current_a, row.energy_total_wh, row.source]
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ROWS.format(rows=rows), values)
        return cursor.rowcount


def _store_runs(told: Iterable[Run]) -> None:
    """Each run as it was told last, in the order in which they were told first: one ends before the
    next of its channel starts."""
    runs = {(run.device_id, run.channel, run.started_at): run for run in told}
    for part in batched(list(runs.values()), RUNS_AT_ONCE):
        try:
            with transaction.atomic(using=WRITER):
                _upsert(part)
        except IntegrityError:
            for run in part:
                _store_run(run)


def _store_run(run: Run) -> None:
    try:
        with transaction.atomic(using=WRITER):
            _upsert([run])
    except IntegrityError:
        # Another run is open: its end was lost with the process that should have told it, or this
        # one is of an old log. The earlier of the two is over.
        _upsert([_without_rival(run)])


def _upsert(runs: Sequence[Run]) -> None:
    connection = connections[WRITER]
    rows = [_columns(run) for run in runs]
    values: list[Any] = []
    if connection.vendor == "postgresql":
        source = RUNS_OF_JSON
        values.append(msgspec.json.encode(rows).decode())
    else:
        adapt = connection.ops.adapt_datetimefield_value
        source = "VALUES " + ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"] * len(runs))
        for row in rows:
            values += [adapt(v) if isinstance(v, datetime) else v for v in row.values()]
    with connection.cursor() as cursor:
        cursor.execute(UPSERT_RUNS.format(runs=source), values)


def _columns(run: Run) -> dict[str, Any]:
    """In the order in which UPSERT_RUNS names them."""
    return {
        "device_id": run.device_id,
        "channel": run.channel,
        "started_at": _moment(run.started_at),
        "ended_at": None if run.ended_at is None else _moment(run.ended_at),
        "energy_wh": round(run.energy_wh, 3),
        "mean_w": round(run.mean_w, 3),
        "peak_w": run.peak_w,
        "counter_wh": run.counter_wh,
        "end": run.end,
        "heard_at": None if run.heard_at is None else _moment(run.heard_at),
    }


def _without_rival(run: Run) -> Run:
    """Close the earlier of this run and the other open one of its channel; return this one."""
    rivals = models.Run.objects.using(WRITER).filter(
        device_id=run.device_id, channel=run.channel, ended_at__isnull=True
    )
    rival = rivals.exclude(started_at=_moment(run.started_at)).first()
    if rival is None:
        return run
    if rival.started_at < _moment(run.started_at):
        last = _last_contact(run, rival.started_at, _moment(run.started_at))
        rival.ended_at = max(last, rival.heard_at or last)
        rival.end = models.Run.End.LOST_CONTACT
        rival.save(using=WRITER, update_fields=["ended_at", "end"])
        return run
    ended_at = _last_contact(run, _moment(run.started_at), rival.started_at).timestamp()
    ended_at = max(ended_at, run.heard_at or ended_at)
    return msgspec.structs.replace(run, ended_at=ended_at, end="lost contact")


def _last_contact(run: Run, started_at: datetime, before: datetime) -> datetime:
    """The channel's last row between these moments, or the first of them where there is none."""
    rows = models.PowerLog.objects.using(WRITER).filter(
        device_id=run.device_id,
        channel=run.channel,
        timestamp__gt=started_at,
        timestamp__lt=before,
    )
    last = rows.order_by("-timestamp").values_list("timestamp", flat=True).first()
    return last or started_at


def recall(meters: Sequence[tuple[str, str]], before: float | None = None) -> list[Past]:
    """What is known of these (device_id, channel): their newest rows and open runs.

    before is the Unix time after which nothing counts, for old logs; None: everything counts.
    Channels without a row are left out. Raises Django's database errors.
    """
    try:
        limit = FOR_EVER if before is None else _moment(before)
        rows = list(
            chain.from_iterable(
                _newest_rows(part, limit) for part in batched(meters, METERS_AT_ONCE)
            )
        )
        runs = _open_runs({device_id for device_id, _ in meters}, limit) if rows else {}
    except Exception:
        connections[WRITER].close()
        raise
    return [Past(_sample(row), runs.get((row.device_id, row.channel))) for row in rows]


T = TypeVar("T")


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _newest_rows(meters: Sequence[tuple[str, str]], limit: datetime) -> Iterable[models.PowerLog]:
    query = NEWEST_ROWS.format(pairs=", ".join(["(%s, %s)"] * len(meters)))
    parameters = [*chain.from_iterable(meters), limit]
    return models.PowerLog.objects.using(WRITER).raw(query, parameters)


def _open_runs(devices: set[str], limit: datetime) -> dict[tuple[str, str], Run]:
    later_rows = models.PowerLog.objects.filter(
        device_id=OuterRef("device_id"),
        channel=OuterRef("channel"),
        timestamp__gt=OuterRef("started_at"),
    ).order_by()
    found = (
        models.Run.objects.using(WRITER)
        .filter(Q(ended_at__isnull=True) | Q(ended_at__gt=limit))
        .filter(device_id__in=devices, started_at__lte=limit)
        # Of its peak only the first reading was told; its rows know of the later ones.
        .annotate(
            seen_w=Subquery(
                later_rows.values("channel").annotate(peak=Max("apower_w")).values("peak")
            )
        )
    )
    return {
        (run.device_id, run.channel): Run(
            run.device_id,
            run.channel,
            run.started_at.timestamp(),
            max(run.peak_w, run.seen_w or 0.0),
            run.counter_wh,
            run.energy_wh,
            heard_at=run.heard_at and run.heard_at.timestamp(),
        )
        for run in found
    }


def _sample(row: models.PowerLog) -> Sample:
    return Sample(
        int(row.timestamp.timestamp()),
        row.device_id,
        row.channel,
        row.apower_w,
        row.voltage_v,
        row.current_a,
        row.energy_total_wh,
        row.source,
    )


def _moment(ts: float) -> datetime:
    return datetime.fromtimestamp(ts, UTC)
