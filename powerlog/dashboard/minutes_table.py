"""The data of the chart of a day: a table for readers who cannot see it, and the numbers that the
crosshair reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from powerlog.dashboard import formatting
from powerlog.localtime import MINUTE, Span
from powerlog.models import PowerLog
from powerlog.reports.day import MeterDay
from powerlog.reports.queries import Minute

BY_MINUTE = 180  # up to so many minutes the table is by the minute, beyond by the hour


@dataclass(frozen=True)
class Line:
    """An hour or a minute of the table. Counts are of minutes."""

    span: Span
    rows: Sequence[Minute]
    no_data: int

    @property
    def start(self) -> str:
        return formatting.clock(self.span.start)

    @property
    def cells(self) -> list[str]:
        """Return the cells after the start in the table."""
        volts = [row.voltage_v for row in self.rows if row.voltage_v]
        amperes = [row.current_a for row in self.rows if row.current_a]
        watts = [row.apower_w for row in self.rows]
        sources = [row.source for row in self.rows]
        return [
            formatting.power(_mean(watts)),
            formatting.power(max(watts, default=None)),
            formatting.unit(_mean(volts), "V", 1),
            formatting.unit(_mean(amperes), "A", 2),
            str(len(self.rows)),
            str(sources.count(PowerLog.Source.DEVICE)),
            str(sources.count(PowerLog.Source.CARRIED)),
            str(self.no_data),
        ]


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def table(day: MeterDay, window: Span) -> list[Line]:
    part = window.clip(day.passed)
    if part is None:
        return []
    step = MINUTE if window.minutes <= BY_MINUTE else 60 * MINUTE
    lines, start, at = [], part.start, 0
    rows = [row for row in day.rows if row.timestamp in part]
    while start < part.end:
        span = Span(start, min(start + step, part.end))
        first = at
        while at < len(rows) and rows[at].timestamp < span.end:
            at += 1
        blind = (gap.clip(span) for gap in day.gaps)
        no_data = round(sum(hole.seconds for hole in blind if hole) / 60)
        lines.append(Line(span, rows[first:at], no_data))
        start += step
    return lines


def numbers(days: Sequence[MeterDay]) -> dict[str, Any]:
    """Return the crosshair's data: minutes since `start`, a Unix time; sources by first letter."""
    span, passed = days[0].span, days[0].passed
    return {
        "start": int(span.start.timestamp()),
        "passed": passed.minutes,
        "meters": [
            {
                "name": day.meter.name,
                "minutes": [_numbers(row, span) for row in day.rows],
                "gaps": [
                    [round(span.minute(each.start)), round(span.minute(each.end))]
                    for each in day.gaps
                ],
            }
            for day in days
        ],
    }


def _numbers(row: Minute, span: Span) -> list[Any]:
    minute = round(span.minute(row.timestamp))
    return [
        minute,
        round(row.apower_w, 1),
        round(row.voltage_v, 1),
        round(row.current_a, 2),
        row.source[0],
    ]
