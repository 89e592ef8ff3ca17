"""Read snapshots of channels from the database (rule 8): their newest rows and open runs.

The cost depends on the number of channels, not on the rows and runs that they have.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connections
from django.db.models import Q, Window
from django.db.models.functions import RowNumber

from powerlog import models
from powerlog.core.days import day_of
from powerlog.core.frame import ChannelKey
from powerlog.core.run_state import RunState
from powerlog.core.sampler import MAX_CHANNELS, Sample, Snapshot
from powerlog.database.by_key import Within, newest
from powerlog.database.run_shares import bounds
from powerlog.database.sql import WRITER, batched, given, moment

NEXT_CHANNEL = """
SELECT channel FROM runs WHERE device_id = %s AND channel > %s
ORDER BY device_id, channel LIMIT 1
"""
SINCE = "device_id text, channel text, since timestamptz, until timestamptz, day date"
# Reads the rows of one day at most, and a total for each day after it.
PEAKS = """
WITH run (device_id, channel, since, until, day) AS ({runs})
SELECT device_id, channel,
    (
        SELECT max(apower_w) FROM power_logs AS log
        WHERE log.device_id = run.device_id AND log.channel = run.channel
            AND log.timestamp >= run.since AND log.timestamp < run.until
    ),
    (
        SELECT max(peak_w) FROM day_totals AS total
        WHERE total.device_id = run.device_id AND total.channel = run.channel
            AND total.day > run.day
    )
FROM run
"""
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
METERS_AT_ONCE = 400


def recall(meters: Sequence[ChannelKey], before: float | None = None) -> list[Snapshot]:
    """Return the newest rows and open runs of these (device_id, channel), or when the last ended.

    Beside them those of the other channels of these devices that have an open run: a device may
    have come back without a channel (another profile), and its run has to end. before is the Unix
    time after which nothing counts, for old logs; None: everything counts. Channels without a row
    are left out. Raises Django's database errors.
    """
    try:
        limit = FOR_EVER if before is None else moment(before)
        runs = _open_now(meters) if before is None else _open_at(meters, limit)
        open_runs = {
            (run.device_id, run.channel): _run(run, peak_w)
            for part in batched(list(runs), METERS_AT_ONCE)
            for run, peak_w in _with_peaks(part)
        }
        wanted = [Within(*meter, until=limit) for meter in {*meters, *open_runs}]
        rows = list(
            chain.from_iterable(
                newest(models.PowerLog, part) for part in batched(wanted, METERS_AT_ONCE)
            )
        )
        ended = [each for each in wanted if (each.device_id, each.channel) not in open_runs]
        ends = {
            (run.device_id, run.channel): run.ended_at.timestamp()
            for part in batched(ended, METERS_AT_ONCE)
            for run in newest(models.Run, part)
            if run.ended_at
        }
    except Exception:
        connections[WRITER].close()
        raise
    return [
        Snapshot(_sample(row), open_runs.get(meter), ends.get(meter))
        for row in rows
        for meter in [(row.device_id, row.channel)]
    ]


def _open_now(meters: Sequence[ChannelKey]) -> Iterable[models.Run]:
    """Return the open runs of these channels; for each device no more than a connection may have
    channels. A device that invents channels can leave thousands open."""
    devices, channels = ({meter[at] for meter in meters} for at in (0, 1))
    open_runs = models.Run.objects.using(WRITER).filter(ended_at__isnull=True).order_by()
    number = Window(RowNumber(), partition_by="device_id", order_by="channel")
    numbered = open_runs.filter(device_id__in=devices).annotate(number=number)
    return numbered.filter(Q(number__lte=MAX_CHANNELS) | Q(channel__in=channels))


def _open_at(meters: Sequence[ChannelKey], limit: datetime) -> Iterator[models.Run]:
    """Yield the runs of these devices that were open at this moment: one a channel at most."""
    channels = [
        Within(device_id, channel, until=limit)
        for device_id in {device_id for device_id, _ in meters}
        for channel in _channels_of(device_id)
    ]
    for part in batched(channels, METERS_AT_ONCE):
        for run in newest(models.Run, part):
            if run.ended_at is None or run.ended_at > limit:
                yield run


def _channels_of(device_id: str) -> Iterator[str]:
    """Yield the device's channels, by one index step for each, however many runs they have."""
    with connections[WRITER].cursor() as cursor:
        found: tuple[str] | None = ("",)
        while found:
            cursor.execute(NEXT_CHANNEL, [device_id, *found])
            if found := cursor.fetchone():
                yield found[0]


def _with_peaks(runs: Sequence[models.Run]) -> list[tuple[models.Run, float]]:
    """Return each run with its highest power.

    A run is written with its peak so far when it starts, when it has passed midnight and when a
    connection ends: only minutes from then on can have a higher one. The run of a device without
    a counter is not written at midnight: the totals of the days since have its peak.
    """
    zone = ZoneInfo(settings.TIME_ZONE)
    records = []
    for run in runs:
        known = [run.started_at.timestamp(), *(midnight for midnight, _ in run.midnights[-1:])]
        since = max(*known, run.heard_at.timestamp() if run.heard_at else 0.0)
        day = day_of(since, zone)
        until = moment(bounds(day)[1])
        records.append((run.device_id, run.channel, moment(since), until, day))
    values, parameters = given(SINCE, records)
    with connections[WRITER].cursor() as cursor:
        cursor.execute(PEAKS.format(runs=values), parameters)
        found = {(device_id, channel): peaks for device_id, channel, *peaks in cursor.fetchall()}
    return [
        (run, max(run.peak_w, *(w or 0.0 for w in found[run.device_id, run.channel])))
        for run in runs
    ]


def _run(run: models.Run, peak_w: float) -> RunState:
    return RunState(
        run.device_id,
        run.channel,
        run.started_at.timestamp(),
        peak_w,
        run.counter_wh,
        run.energy_wh,
        heard_at=run.heard_at and run.heard_at.timestamp(),
        at_midnights=tuple((midnight, wh) for midnight, wh in run.midnights),
        starts=run.starts,
    )


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
