"""The runs of a day as a table: sortable on the page, and as a CSV file."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from powerlog.dashboard import formatting
from powerlog.localtime import MINUTE, Span
from powerlog.models import Run
from powerlog.reports.day import MeterDay
from powerlog.reports.queries import Minute
from powerlog.reports.run_usage import KnownRun
from powerlog.search.csv_formulas import safe

HEADER = (
    "device_id",
    "channel",
    "started_at",
    "ended_at",
    "duration_s",
    "energy_wh",
    "mean_w",
    "mean_v",
    "mean_a",
    "peak_w",
    "how_it_ended",
    "starts",
)


ENDINGS: dict[str, str] = {
    Run.End.OPEN: gettext_noop("still running"),
    Run.End.STOPPED: gettext_noop("stopped"),
    Run.End.LOST_CONTACT: gettext_noop("contact lost"),
}


@dataclass(frozen=True)
class RunLine:
    """A run with the means of its minutes; None if no voltage or current was ever reported."""

    known: KnownRun
    mean_v: float | None
    mean_a: float | None
    peak_w: float
    is_older: bool  # it began before its day

    @property
    def run_id(self) -> str:
        return str(self.known.run.pk)

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the cells after the start in the table."""
        run = self.known
        return (
            formatting.DASH if run.is_open else formatting.clock(run.until, seconds=True),
            formatting.duration(run.seconds),
            formatting.unit(run.wh, "Wh", 1),
            formatting.power(run.mean_w),
            formatting.unit(self.mean_v, "V", 1),
            formatting.unit(self.mean_a, "A", 2),
            formatting.power(self.peak_w),
        )

    @property
    def start(self) -> str:
        return formatting.clock(self.known.run.started_at, seconds=True)

    @property
    def merged(self) -> str:
        return formatting.merged(self.known.run.starts)

    @property
    def ended(self) -> str:
        return _(ENDINGS[self.known.run.end])


Sort = Callable[[RunLine], float]
SORTS: dict[str, Sort] = {
    "start": lambda line: line.known.run.started_at.timestamp(),
    "end": lambda line: line.known.until.timestamp(),
    "duration": lambda line: line.known.seconds,
    "energy": lambda line: line.known.wh,
    "mean": lambda line: line.known.mean_w,
    "volts": lambda line: line.mean_v or 0.0,
    "amperes": lambda line: line.mean_a or 0.0,
    "peak": lambda line: line.peak_w,
}


class Column(NamedTuple):
    """url sorts by this column; order: the present order, in HTML's words."""

    label: str
    url: str
    order: str


def columns(sort: str, here: str) -> list[Column]:
    """Return the columns. here: the page's own address, to which `sort` can be added."""
    heads = [_("Start"), _("End"), _("Duration"), _("Energy"), _("Mean power"), _("Voltage")]
    found = []
    for key, label in zip(SORTS, [*heads, _("Current"), _("Peak")], strict=True):
        order = {key: "ascending", f"-{key}": "descending"}.get(sort, "")
        first, second = (key, f"-{key}") if key in ("start", "end") else (f"-{key}", key)
        found.append(Column(label, f"{here}&sort={second if sort == first else first}", order))
    return found


def lines(day: MeterDay, sort: str = "start") -> list[RunLine]:
    """Return the lines. sort is a key of SORTS, with a minus for the greatest first; else start."""
    key = SORTS.get(sort.removeprefix("-"), SORTS["start"])
    shares = _shares(day.rows, day.runs)
    table = [_line(run, rows, day.span) for run, rows in zip(day.runs, shares, strict=True)]
    return sorted(table, key=key, reverse=sort.startswith("-"))


def _shares(rows: Sequence[Minute], runs: Sequence[KnownRun]) -> list[list[Minute]]:
    """Return the rows of each run. A minute in which one ends and another starts is the first's."""
    shares: list[list[Minute]] = [[] for _ in runs]
    at = 0
    for row in rows:
        while at < len(runs) and runs[at].until <= row.timestamp:
            at += 1
        if at < len(runs) and runs[at].span.start < row.timestamp + MINUTE:
            shares[at].append(row)
    return shares


def _line(run: KnownRun, rows: Sequence[Minute], day: Span) -> RunLine:
    # 0 is "never reported".
    volts = [row.voltage_v for row in rows if row.voltage_v]
    amperes = [row.current_a for row in rows if row.current_a]
    peak_w = max(row.apower_w for row in rows) if rows and run.is_open else 0.0
    return RunLine(
        run,
        fmean(volts) if volts else None,
        fmean(amperes) if amperes else None,
        max(peak_w, run.run.peak_w),
        run.run.started_at < day.start,
    )


def as_csv(day: MeterDay) -> str:
    """Return the runs as CSV, with a byte order mark, by which a spreadsheet detects UTF-8."""
    text = io.StringIO()
    text.write("\ufeff")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for line in lines(day):
        run = line.known
        writer.writerow(
            [
                safe(day.meter.device_id),
                safe(day.meter.channel),
                timezone.localtime(run.run.started_at).isoformat(timespec="seconds"),
                "" if run.is_open else timezone.localtime(run.until).isoformat(timespec="seconds"),
                round(run.seconds),
                f"{run.wh:.3f}",
                f"{run.mean_w:.1f}",
                "" if line.mean_v is None else f"{line.mean_v:.1f}",
                "" if line.mean_a is None else f"{line.mean_a:.3f}",
                f"{line.peak_w:.1f}",
                run.run.end or "running",
                run.run.starts,
            ]
        )
    return text.getvalue()
