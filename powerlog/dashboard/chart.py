"""The chart of a day: the shapes that the template draws as SVG.

A plot is as wide as its window of time is long, in minutes. Each minute with a row is as high as
its power; what kind of minute it is shows in how its area is drawn. A minute without data is
hatched, one that has not come is left blank. Nothing is drawn beyond now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from powerlog.dashboard import axes, formatting
from powerlog.dashboard.axes import Ticks, percent
from powerlog.localtime import MINUTE, Span
from powerlog.models import PowerLog
from powerlog.reports.channels import Meter
from powerlog.reports.day import MeterDay
from powerlog.reports.queries import Minute
from powerlog.reports.run_usage import KnownRun

HEIGHT = 300
MOST_LABELS = 100


@dataclass(frozen=True)
class Band:
    """A span along the plot; x and width as percentages of it."""

    x: str
    width: str
    label: str
    run_id: str = ""


@dataclass(frozen=True)
class Plot:
    """The picture of one channel. paths: one for each kind of minute, bands: one for
    all runs; in width x HEIGHT units."""

    meter: Meter
    width: int
    paths: dict[str, str]
    bands: str
    runs: Sequence[Band]
    gaps: Sequence[Band]
    watts: Ticks
    times: Ticks
    now: str | None
    height: int = HEIGHT

    @property
    def kinds(self) -> set[str]:
        """Return the kinds that a legend has to explain."""
        kinds = {source for source, path in self.paths.items() if path}
        return kinds | ({"run"} if self.runs else set()) | ({"gap"} if self.gaps else set())


def plot(day: MeterDay, window: Span) -> Plot:
    """Return the plot of a window, which is a part of the day or all of it."""
    rows = [row for row in day.rows if row.timestamp in window]
    scale = axes.scale(max((row.apower_w for row in rows), default=0.0), least=10.0)
    return Plot(
        meter=day.meter,
        width=window.minutes,
        paths=_paths(rows, window, scale.top),
        bands=_bands(day.runs, window),
        runs=_run_bands(day.runs, window),
        gaps=[band for gap in day.gaps if (band := _gap_band(gap, window))],
        watts=scale.labels("W"),
        times=axes.times(window),
        now=_share(day.passed.end, window) if day.passed.end < day.span.end else None,
    )


def _share(moment: object, window: Span) -> str | None:
    return percent(window.minute(moment) / window.minutes) if moment in window else None


def _paths(rows: Sequence[Minute], window: Span, top: float) -> dict[str, str]:
    paths = dict.fromkeys(PowerLog.Source.values, "")
    for stretch in _stretches(rows):
        x = round(window.minute(stretch[0].timestamp))
        steps = [f"M{x} {HEIGHT}"]
        for row in stretch:
            steps.append(f"V{HEIGHT - HEIGHT * max(0.0, row.apower_w) / top:.1f}h1")
        paths[stretch[0].source] += "".join([*steps, f"V{HEIGHT}z"])
    return paths


def _stretches(rows: Sequence[Minute]) -> Iterable[list[Minute]]:
    """Yield groups of minutes of one kind that follow each other."""
    stretch = list(rows[:1])
    for before, row in pairwise(rows):
        if row.timestamp - before.timestamp == MINUTE and row.source == before.source:
            stretch.append(row)
        else:
            yield stretch
            stretch = [row]
    if stretch:
        yield stretch


def _bands(runs: Sequence[KnownRun], window: Span) -> str:
    shapes = []
    for run in runs:
        if part := run.span.clip(window):
            x, width = window.minute(part.start), part.seconds / 60
            shapes.append(f"M{x:.1f} 0h{width:.1f}V{HEIGHT}h{-width:.1f}z")
    return "".join(shapes)


def _run_bands(runs: Sequence[KnownRun], window: Span) -> list[Band]:
    """Of very many runs none is so wide that a label could be pointed at."""
    bands, has_labels = [], len(runs) <= MOST_LABELS
    for run in runs:
        end = max(run.until, run.span.start + MINUTE / 60)  # a momentary one is to be seen, too
        if part := Span(run.span.start, end).clip(window):
            bands.append(_band(part, window, _label(run) if has_labels else "", str(run.run.pk)))
    return bands


def _label(run: KnownRun) -> str:
    start = formatting.clock(run.span.start, seconds=True)
    end = "\u2026" if run.is_open else formatting.clock(run.until, seconds=True)
    said = [
        f"{start}{formatting.DASH}{end}",
        formatting.duration(run.seconds),
        formatting.energy(run.wh),
    ]
    return ", ".join(filter(None, [*said, formatting.merged(run.run.starts)]))


def _gap_band(gap: Span, window: Span) -> Band | None:
    part = gap.clip(window)
    label = formatting.clock(gap.start) + formatting.DASH + formatting.clock(gap.end)
    return _band(part, window, label) if part else None


def _band(part: Span, window: Span, label: str, run_id: str = "") -> Band:
    seconds = window.seconds
    x = (part.start - window.start).total_seconds() / seconds
    return Band(percent(x), percent(part.seconds / seconds), label, run_id)
