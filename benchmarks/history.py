"""Millions of rows that could be: what many pumps did in a year, made by PostgreSQL itself.

Every channel runs six times a day for about a quarter of an hour. Runs, minutes, day totals and
silences agree with each other, the newest minute is now, and minutes lie in the order of time, as
a collector would have written them. Days are those of UTC.
"""

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, NamedTuple

import psycopg

from .usage import say

RUNS_A_DAY = 6
ROWS_A_DAY = RUNS_A_DAY * 15.22  # of a channel
CHUNK_ROWS = 500_000
RUNS = """
INSERT INTO runs
    (device_id, channel, started_at, ended_at, energy_wh, mean_w, peak_w, counter_wh, "end",
     midnights)
SELECT device_id, channel, started_at,
    CASE WHEN over THEN ended_at END,
    CASE WHEN over THEN used_wh ELSE 0 END,
    mean_w, mean_w * 1.08,
    sum(used_wh) OVER channel_so_far - CASE WHEN over THEN 0 ELSE used_wh END,
    CASE WHEN NOT over THEN '' WHEN lost < 0.005 THEN 'lost contact' ELSE 'stopped' END,
    '[]'
FROM (
    SELECT *, started_at + run_s * interval '1 second' AS ended_at,
        mean_w * run_s / 3600 AS used_wh,
        started_at + run_s * interval '1 second' < %(now)s AS over
    FROM (
        SELECT device_id, channel, random() AS lost,
            date_trunc('second', %(first)s + day * interval '1 day'
                + (slot + random() / 2) * %(slot)s) AS started_at,
            floor(450 + random() * 804) AS run_s,
            (300 + 400 * (id %% 5)) * (0.97 + random() * 0.06) AS mean_w
        FROM channels
        CROSS JOIN generate_series(0, %(days)s) AS day
        CROSS JOIN generate_series(0, %(runs_a_day)s - 1) AS slot
    ) AS drawn
) AS known
WHERE started_at < %(now)s
WINDOW channel_so_far AS (PARTITION BY device_id, channel ORDER BY started_at)
ORDER BY started_at
"""
MINUTES = """
INSERT INTO power_logs
    (timestamp, device_id, channel, apower_w, voltage_v, current_a, energy_total_wh, source,
     created_at)
SELECT minute, device_id, channel, round((mean_w * (0.96 + random() * 0.08))::numeric, 1),
    round((227 + random() * 6)::numeric, 1), round((mean_w / 190)::numeric, 3),
    counter_wh - energy_wh
        + mean_w * greatest(0, extract(epoch FROM minute - started_at)) / 3600,
    CASE floor(random() * 50) WHEN 0 THEN 'device' WHEN 1 THEN 'carried'
        ELSE 'measured' END,
    minute + interval '2 seconds'
FROM runs, generate_series(
    date_trunc('minute', started_at), coalesce(ended_at, %(now)s) - interval '1 second',
    interval '1 minute'
) AS minute
WHERE started_at >= %(since)s AND started_at < %(until)s
ORDER BY minute
"""
DAY_TOTALS = """
INSERT INTO day_totals
    (device_id, channel, day, active_minutes, filled_minutes, runs, run_s, energy_wh, peak_w)
SELECT device_id, channel, day, active_minutes, filled_minutes, runs, run_s, energy_wh, peak_w
FROM (
    SELECT device_id, channel, (timestamp AT TIME ZONE 'UTC')::date AS day,
        count(*) AS active_minutes, count(*) FILTER (WHERE source <> 'measured') AS filled_minutes,
        max(apower_w) AS peak_w
    FROM power_logs GROUP BY 1, 2, 3
) AS minutes
JOIN (
    SELECT device_id, channel, (started_at AT TIME ZONE 'UTC')::date AS day, count(*) AS runs,
        coalesce(sum(extract(epoch FROM ended_at - started_at)), 0) AS run_s,
        sum(energy_wh) AS energy_wh
    FROM runs GROUP BY 1, 2, 3
) AS runs USING (device_id, channel, day)
"""
# In the part of the day's slots in which no channel runs.
SILENCES = """
INSERT INTO silences (device_id, since, until)
SELECT device_id, since, since + (3 + random() * 40) * interval '1 minute'
FROM (
    SELECT device_id, %(first)s + day * interval '1 day' + 0.8 * %(slot)s AS since
    FROM (SELECT device_id, row_number() OVER (ORDER BY id) AS number FROM devices) AS device
    CROSS JOIN generate_series(0, %(days)s) AS day
    WHERE (day + number) %% 9 = 4  -- also of a small fleet a few days have one
) AS silence
WHERE since < %(now)s - interval '1 hour'
"""


class Fleet(NamedTuple):
    """So many devices with so many channels each, and at least so many rows of them."""

    devices: int
    channels: int
    rows: int

    @property
    def days(self) -> int:
        return ceil(self.rows / (self.devices * self.channels * ROWS_A_DAY))


def fill(database_url: str, fleet: Fleet) -> int:
    """Into the empty tables that Django stands on. How many rows it made."""
    now = datetime.now(UTC).replace(microsecond=0)
    first = now.replace(hour=0, minute=0, second=0) - timedelta(days=fleet.days)
    known = {
        "now": now,
        "first": first,
        "days": fleet.days,
        "runs_a_day": RUNS_A_DAY,
        "slot": timedelta(days=1) / RUNS_A_DAY,
    }
    _introduce(fleet, first, now)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET work_mem = '128MB'; SET TIME ZONE 'UTC'; SELECT setseed(0.5)")
        say(f"{fleet.devices} devices, {fleet.days} days: runs")
        connection.execute(RUNS, known)
        rows = _fill_minutes(connection, fleet, known)
        say("day totals and silences")
        connection.execute(DAY_TOTALS)
        connection.execute(SILENCES, known)
        say("VACUUM ANALYZE")
        connection.execute("VACUUM ANALYZE")
    return rows


def _introduce(fleet: Fleet, first: datetime, now: datetime) -> None:
    """Through the models: what their other fields are is theirs to say."""
    from powerlog.models import Channel, Device

    devices = [
        Device(
            device_id=f"shellypro4pm-{number * 7919:012x}",
            name=f"Site {number}" if number % 3 else "",
            reported_name=f"pump house {number}",
            model="SPSW-104PE16EU",
            firmware="1.5.1",
            address=f"10.0.{number // 250}.{number % 250 + 1}",
            first_seen_at=first,
            last_seen_at=now,
            connected=True,
        )
        for number in range(1, fleet.devices + 1)
    ]
    Device.objects.bulk_create(devices)
    Channel.objects.bulk_create(
        Channel(
            device_id=device.device_id,
            channel=f"switch:{number}",
            name=f"Pump {number + 1}" if number else "",
            reports_power=True,
            nominal_power_w=1100.0,
            flow_m3h=4.2,
            price_kwh="0.29",
        )
        for device in devices
        for number in range(fleet.channels)
    )


def _fill_minutes(connection: Any, fleet: Fleet, known: dict[str, Any]) -> int:
    step = timedelta(days=ceil(CHUNK_ROWS / (fleet.devices * fleet.channels * ROWS_A_DAY)))
    since, rows = known["first"], 0
    while since < known["now"]:
        chunk = {"now": known["now"], "since": since, "until": since + step}
        rows += connection.execute(MINUTES, chunk).rowcount
        say(f"{rows} of about {fleet.rows} minutes")
        since += step
    return rows


def keep_fresh(connection: Any) -> None:
    """As a collector does that hears its devices."""
    connection.execute("UPDATE devices SET last_seen_at = now()")
