"""The picture of a pump's day: the shapes that the dashboard's template draws as SVG.

One unit to the right is a minute since local midnight, so a day in which the clocks change is as
wide as it is long. A minute without a row is left empty: the channel was off, or is not known.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from powerlog.models import PowerLog
from powerlog.stats import PumpDay, local_moment

HEIGHT = 300


@dataclass(frozen=True)
class Chart:
    """The bars, one path for each source, in a box of width x height units; and the labels.

    Labels stand at per cent of the box: hours from its left edge, watts from its upper one.
    """

    width: int
    height: int
    paths: dict[str, str]
    hours: list[tuple[float, str]]
    watts: list[tuple[float, str]]


def day_chart(day: PumpDay) -> Chart:
    """The power of every active minute as a bar, one unit wide."""
    width = _minutes(day.end - day.start)
    top = _scale_top(day.peak_w or 0)
    paths = dict.fromkeys(PowerLog.Source.values, "")
    for row in day.rows:
        x = _minutes(row.timestamp - day.start)
        height = HEIGHT * max(0.0, row.apower_w) / top
        paths[row.source] += f"M{x} {HEIGHT}v{-height:.1f}h1V{HEIGHT}z"
    date = timezone.localdate(day.start)
    hours = [
        (round(100 * _minutes(local_moment(date, hour) - day.start) / width, 3), f"{hour:02}:00")
        for hour in range(0, 24, 3)
    ]
    watts = [(100 - 25.0 * part, f"{top * part / 4:g} W") for part in range(5)]
    return Chart(width, HEIGHT, paths, hours, watts)


def _minutes(span: timedelta) -> int:
    return round(span.total_seconds() / 60)


def _scale_top(peak_w: float) -> float:
    """The next round power above the peak: 1, 2 or 5 times a power of ten, at least 10 W."""
    decade = 10.0 ** math.floor(math.log10(max(peak_w, 10)))
    return next(step * decade for step in (1, 2, 5, 10) if step * decade >= peak_w)
