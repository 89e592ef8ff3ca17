"""Write samples to the table `power_logs`, each minute once, and add new ones to their day total.

Only a row that was not there counts, in the same transaction: the day totals are right, however
often and however late rows arrive.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.conf import settings
from django.db import connections

from powerlog.core.days import day_of
from powerlog.core.sampler import Sample
from powerlog.database.sql import WRITER, moment, values
from powerlog.models import PowerLog

INSERT_ROWS = """
INSERT INTO power_logs
    (timestamp, device_id, channel, apower_w, voltage_v, current_a, energy_total_wh, source)
{rows}
ON CONFLICT DO NOTHING
RETURNING device_id, channel, timestamp, apower_w, source
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
COUNT_ROWS = """
INSERT INTO day_totals
    (device_id, channel, day, active_minutes, filled_minutes, peak_w, runs, run_s, energy_wh)
{days}
ON CONFLICT (device_id, channel, day) DO UPDATE SET
    active_minutes = day_totals.active_minutes + excluded.active_minutes,
    filled_minutes = day_totals.filled_minutes + excluded.filled_minutes,
    peak_w = {greatest}(day_totals.peak_w, excluded.peak_w)
"""
# In one order, so that two processes with the same days wait for each other without a deadlock.
DAYS_OF_NEW_ROWS = """
SELECT device_id, channel, (timestamp AT TIME ZONE %s)::date, count(*),
    count(*) FILTER (WHERE source <> 'measured'), max(apower_w), 0, 0, 0
FROM new GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
AT_ONCE = f"""
WITH new AS ({INSERT_ROWS.format(rows=ROWS_OF_JSON)}),
counted AS ({COUNT_ROWS.format(days=DAYS_OF_NEW_ROWS, greatest="greatest")})
SELECT count(*) FROM new
"""


def store_rows(samples: Sequence[Sample]) -> int:
    """Write these rows; return how many were new."""
    if connections[WRITER].vendor == "postgresql":
        with connections[WRITER].cursor() as cursor:
            cursor.execute(AT_ONCE, [msgspec.json.encode(samples).decode(), settings.TIME_ZONE])
            return cursor.fetchone()[0]
    rows, parameters = values([_columns(row) for row in samples])
    with connections[WRITER].cursor() as cursor:
        cursor.execute(INSERT_ROWS.format(rows=rows), parameters)
        new = cursor.fetchall()
    _count(new)
    return len(new)


def _columns(row: Sample) -> list[Any]:
    """Return the values of a row in the order of INSERT_ROWS."""
    columns = [moment(row.ts), row.device_id, row.channel, row.apower_w, row.voltage_v]
    return [*columns, row.current_a, row.energy_total_wh, row.source]


def _count(rows: Iterable[tuple[str, str, datetime, float, str]]) -> None:
    """Add rows of SQLite, whose moments are UTC without a zone, to their day totals."""
    zone = ZoneInfo(settings.TIME_ZONE)
    days: dict[tuple[Any, ...], list[Any]] = {}
    for device_id, channel, at, watts, source in rows:
        day = day_of(at.replace(tzinfo=UTC).timestamp(), zone)
        total = days.setdefault((device_id, channel, day), [0, 0, 0.0])
        total[0] += 1
        total[1] += source != PowerLog.Source.MEASURED
        total[2] = max(total[2], watts)
    if days:
        records, parameters = values([(*key, *total, 0, 0.0, 0.0) for key, total in days.items()])
        with connections[WRITER].cursor() as cursor:
            cursor.execute(COUNT_ROWS.format(days=records, greatest="max"), parameters)
