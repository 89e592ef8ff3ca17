"""The past of channels out of the database (rule 8): their newest rows, and their open runs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import TypeVar

from django.db import connections
from django.db.models import Max, Model, OuterRef, Q, Subquery

from powerlog import models
from powerlog.core.runs import Run
from powerlog.sampler import Past, Sample
from powerlog.storage.batches import WRITER, batched, moment

M = TypeVar("M", bound=Model)
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
NEWEST_RUNS = """
WITH wanted (device_id, channel) AS (VALUES {pairs})
SELECT * FROM runs WHERE id IN (
    SELECT (
        SELECT id FROM runs AS run
        WHERE run.device_id = wanted.device_id AND run.channel = wanted.channel
            AND run.started_at <= %s
        ORDER BY run.started_at DESC LIMIT 1
    ) FROM wanted
)
"""
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
METERS_AT_ONCE = 400


def recall(meters: Sequence[tuple[str, str]], before: float | None = None) -> list[Past]:
    """Return the newest rows and open runs of these (device_id, channel), or when the last ended.

    Beside them those of the other channels of these devices that have an open run: a device may
    have come back without a channel (another profile), and its run has to end. before is the Unix
    time after which nothing counts, for old logs; None: everything counts. Channels without a row
    are left out. Raises Django's database errors.
    """
    try:
        limit = FOR_EVER if before is None else moment(before)
        runs = _open_runs({device_id for device_id, _ in meters}, limit)
        wanted = list(dict.fromkeys([*meters, *runs]))
        rows = list(
            chain.from_iterable(
                _newest(models.PowerLog, NEWEST_ROWS, part, limit)
                for part in batched(wanted, METERS_AT_ONCE)
            )
        )
        ended = [meter for meter in wanted if meter not in runs] if rows else []
        ends = {
            (run.device_id, run.channel): run.ended_at.timestamp()
            for part in batched(ended, METERS_AT_ONCE)
            for run in _newest(models.Run, NEWEST_RUNS, part, limit)
            if run.ended_at
        }
    except Exception:
        connections[WRITER].close()
        raise
    return [
        Past(_sample(row), runs.get(meter), ends.get(meter))
        for row in rows
        for meter in [(row.device_id, row.channel)]
    ]


def _newest(
    model: type[M], query: str, meters: Sequence[tuple[str, str]], limit: datetime
) -> Iterable[M]:
    parameters = [*chain.from_iterable(meters), limit]
    pairs = ", ".join(["(%s, %s)"] * len(meters))
    return model.objects.using(WRITER).raw(query.format(pairs=pairs), parameters)


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
            at_midnights=tuple((midnight, wh) for midnight, wh in run.midnights),
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
