"""Runs into the table `runs`, as often as they are told: the version that knows most stays."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import IntegrityError, connections, transaction

from powerlog import models
from powerlog.core.runs import Run
from powerlog.storage.batches import WRITER, batched, moment, values
from powerlog.storage.totals import Spell

RUNS_OF_JSON = """
SELECT * FROM json_to_recordset(%s::json) AS run (
    device_id text, channel text, started_at timestamptz, ended_at timestamptz, energy_wh float8,
    mean_w float8, peak_w float8, counter_wh float8, "end" text, heard_at timestamptz,
    midnights jsonb
)
"""
# An ended run changes only when the counter has said more of it: told again, from an old log or by
# a device's second socket, it is never opened anew, and its energy never counted twice.
UPSERT_RUNS = """
INSERT INTO runs
    (device_id, channel, started_at, ended_at, energy_wh, mean_w, peak_w, counter_wh, "end",
     heard_at, midnights)
{runs}
ON CONFLICT (device_id, channel, started_at) DO UPDATE SET
    ended_at = excluded.ended_at, energy_wh = excluded.energy_wh, mean_w = excluded.mean_w,
    peak_w = excluded.peak_w, counter_wh = excluded.counter_wh, "end" = excluded."end",
    heard_at = excluded.heard_at, midnights = excluded.midnights
WHERE runs.ended_at IS NULL
    OR (excluded.ended_at IS NOT NULL AND excluded.counter_wh > runs.counter_wh)
"""
RUNS_AT_ONCE = 1000


def store_runs(told: Iterable[Run]) -> set[Spell]:
    """Each run as it was told last, in the order in which they were told first: one ends before the
    next of its channel starts. When something has changed by it."""
    told = list(told)
    runs = {(run.device_id, run.channel, run.started_at): run for run in told}
    changed = {
        Spell(run.device_id, run.channel, run.started_at, _known_until(run))
        for run in told
        if _counts(run)
    }
    for part in batched(list(runs.values()), RUNS_AT_ONCE):
        try:
            with transaction.atomic(using=WRITER):
                _upsert(part)
        except IntegrityError:
            for run in part:
                changed |= _store_run(run)
    return changed


def _counts(run: Run) -> bool:
    """Whether a day has to be reckoned anew. Of an open run that is when it starts and at each
    midnight: what it has used since then counts when it ends. It is told once more when its counter
    has spoken, and a whole fleet leaves its runs when the collector stops."""
    starts = run.heard_at is None and not run.booked_wh
    return starts or bool(run.midnights) or run.ended_at is not None


def _known_until(run: Run) -> float:
    if run.ended_at is not None:
        return run.ended_at
    return run.midnights[-1][0] if run.midnights else run.started_at


def _store_run(run: Run) -> set[Spell]:
    try:
        with transaction.atomic(using=WRITER):
            _upsert([run])
    except IntegrityError:
        # Another run is open: its end was lost with the process that should have told it, or this
        # one is of an old log. The earlier of the two is over.
        run, over = _without_rival(run)
        _upsert([run])
        return over
    return set()


def _upsert(runs: Sequence[Run]) -> None:
    rows = [_columns(run) for run in runs]
    if connections[WRITER].vendor == "postgresql":
        source, parameters = RUNS_OF_JSON, [msgspec.json.encode(rows).decode()]
    else:
        records = [row | {"midnights": json.dumps(row["midnights"])} for row in rows]
        source, parameters = values([list(record.values()) for record in records])
    with connections[WRITER].cursor() as cursor:
        cursor.execute(UPSERT_RUNS.format(runs=source), parameters)


def _columns(run: Run) -> dict[str, Any]:
    """In the order in which UPSERT_RUNS names them."""
    return {
        "device_id": run.device_id,
        "channel": run.channel,
        "started_at": moment(run.started_at),
        "ended_at": None if run.ended_at is None else moment(run.ended_at),
        "energy_wh": round(run.energy_wh, 3),
        "mean_w": round(run.mean_w, 3),
        "peak_w": run.peak_w,
        "counter_wh": run.counter_wh,
        "end": run.end,
        "heard_at": None if run.heard_at is None else moment(run.heard_at),
        "midnights": [(midnight, round(wh, 3)) for midnight, wh in run.midnights],
    }


def _without_rival(run: Run) -> tuple[Run, set[Spell]]:
    """End the earlier of this run and the other open one of its channel. This one, and when the
    table has changed by it."""
    rivals = models.Run.objects.using(WRITER).filter(
        device_id=run.device_id, channel=run.channel, ended_at__isnull=True
    )
    rival = rivals.exclude(started_at=moment(run.started_at)).first()
    if rival is None:
        return run, set()
    if rival.started_at < moment(run.started_at):
        last = last_contact(run, rival.started_at, moment(run.started_at))
        rival.ended_at = max(last, rival.heard_at or last)
        rival.end = models.Run.End.LOST_CONTACT
        rival.save(using=WRITER, update_fields=["ended_at", "end"])
        span = (rival.started_at.timestamp(), rival.ended_at.timestamp())
        return run, {Spell(run.device_id, run.channel, *span)}
    ended_at = last_contact(run, moment(run.started_at), rival.started_at).timestamp()
    ended_at = max(ended_at, run.heard_at or ended_at)
    over = {Spell(run.device_id, run.channel, run.started_at, ended_at)}
    return msgspec.structs.replace(run, ended_at=ended_at, end="lost contact"), over


def last_contact(run: Run | models.Run, started_at: datetime, before: datetime) -> datetime:
    """The channel's last row after the run's start, before this moment and any other run's start;
    the start where there is none."""
    of_channel = {"device_id": run.device_id, "channel": run.channel}
    later = models.Run.objects.using(WRITER).filter(**of_channel, started_at__gt=started_at)
    following = later.order_by("started_at").values_list("started_at", flat=True).first()
    rows = models.PowerLog.objects.using(WRITER).filter(
        **of_channel, timestamp__gt=started_at, timestamp__lt=min(before, following or before)
    )
    last = rows.order_by("-timestamp").values_list("timestamp", flat=True).first()
    return last or started_at
