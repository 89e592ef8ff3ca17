"""Draw today's power of many channels: one query, a value for every quarter of an hour."""

from collections.abc import Mapping, Sequence
from itertools import chain, groupby

from django.db import connection

from powerlog.core.frame import ChannelKey
from powerlog.localtime import Span

BUCKET_MIN = 15
HEIGHT = 24
QUARTERS = """
WITH wanted (device_id, channel) AS (VALUES {pairs})
SELECT device_id, channel, CAST(({epoch} - %s) / {bucket_s} AS int) AS quarter, SUM(apower_w)
FROM wanted JOIN power_logs USING (device_id, channel)
WHERE timestamp >= %s AND timestamp < %s
GROUP BY device_id, channel, quarter
"""
EPOCH = {
    "postgresql": "CAST(EXTRACT(EPOCH FROM timestamp) AS bigint)",
    "sqlite": "CAST(strftime('%%s', timestamp) AS int)",
}


def sparks(keys: Sequence[ChannelKey], day: Span) -> dict[ChannelKey, str]:
    """Return an SVG path for each channel that has a row on that day, HEIGHT units high."""
    if not keys:
        return {}
    query = QUARTERS.format(
        pairs=", ".join(["(%s, %s)"] * len(keys)),
        epoch=EPOCH[connection.vendor],
        bucket_s=BUCKET_MIN * 60,
    )
    adapt = connection.ops.adapt_datetimefield_value
    span = [int(day.start.timestamp()), adapt(day.start), adapt(day.end)]
    with connection.cursor() as cursor:
        cursor.execute(query, [*chain.from_iterable(keys), *span])
        found: dict[ChannelKey, dict[int, float]] = {}
        for device_id, channel, quarter, watts in cursor.fetchall():
            found.setdefault((device_id, channel), {})[quarter] = watts / BUCKET_MIN
    return {key: path(watts, day.minutes // BUCKET_MIN) for key, watts in found.items()}


def path(watts: Mapping[int, float], count: int) -> str:
    """Return a path with a step for each quarter; the highest step fills the height."""
    top = max(watts.values(), default=0.0)
    if top <= 0:
        return ""
    heights = [
        HEIGHT - round(max(0.0, watts.get(each, 0.0)) * HEIGHT / top) for each in range(count)
    ]
    steps = [f"V{height}h{len(list(group))}" for height, group in groupby(heights)]
    return f"M0 {HEIGHT}{''.join(steps)}V{HEIGHT}z"
