"""Export rows, runs and day totals as CSV: the columns, and how each database writes them.

The promise: exactly what a search finds, in the order of time, in one pass and in pieces, however
much it is. Times are those of TIME_ZONE, in ISO 8601 with their offset; numbers have a point; units
are in the header; what is not known is empty. No text begins a formula in a spreadsheet, for names
and ids come from strangers.

PostgreSQL writes the lines itself, a million in less than two seconds. On SQLite Python does.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Model
from django.utils import timezone

from powerlog.database.store import WRITER
from powerlog.models import Channel, Device, Run
from powerlog.search.csv_formulas import safe, safe_sql
from powerlog.search.forms import DaySearch, LogSearch, RunSearch, Search

BOM = "\ufeff".encode()  # without it Excel reads UTF-8 as something else
ROWS_AT_ONCE = 1000

BEST_NAME = safe_sql("COALESCE(NULLIF(name, ''), reported_name)")
# One look-up for each row, of which PostgreSQL remembers the answers (Memoize): that keeps the
# order of the rows, where a join would sort a million of them, and cleans each name once.
QUERY = f"""
COPY (
    SELECT {{columns}}
    FROM ({{rows}}) AS log LEFT JOIN LATERAL (
        SELECT {safe_sql("log.device_id")} AS device_id, {safe_sql("log.channel")} AS channel,
            (SELECT NULLIF({BEST_NAME}, '') FROM devices
                WHERE device_id = log.device_id) AS device_name,
            (SELECT NULLIF({BEST_NAME}, '') FROM channels
                WHERE device_id = log.device_id AND channel = log.channel) AS channel_name
        OFFSET 0
    ) AS meter ON true
    ORDER BY log.{{moment}}
) TO STDOUT (FORMAT csv)
"""


class Meter(NamedTuple):
    """Ids and names of the channel of a row, safe for spreadsheets."""

    device_id: str
    device_name: str
    channel: str
    channel_name: str


class Column(NamedTuple):
    """Its title; the same in PostgreSQL's words, over log and meter, and in Python's."""

    title: str
    sql: str
    value: Callable[[Any, Meter], Any]


def stored(title: str, field: str) -> Column:
    return Column(title, f'log."{field}"', lambda row, meter: number(getattr(row, field)))


def reported(title: str, field: str) -> Column:
    """Return a column in which 0, which means never reported, is empty: it would spoil means."""
    sql = f"NULLIF(log.{field}, 0)"
    return Column(title, sql, lambda row, meter: number(getattr(row, field) or None))


def rounded(title: str, sql: str, value: Callable[[Any], float | None], places: int = 3) -> Column:
    def of(row: Any, meter: Meter) -> Any:
        exact = value(row)
        return exact if exact is None else number(round(exact, places))

    return Column(title, f"round(({sql})::numeric, {places})::float8", of)


def moment(title: str, sql: str, field: str) -> Column:
    # ISO 8601 with T and offset, as JSON has it: to_char() takes three times as long.
    return Column(title, f"to_jsonb({sql}) #>> '{{}}'", lambda row, meter: iso(getattr(row, field)))


def second(title: str, field: str) -> Column:
    return moment(title, f"date_trunc('second', log.{field})", field)


def of_meter(title: str, field: str) -> Column:
    return Column(title, f"meter.{field}", lambda row, meter: getattr(meter, field))


METER = (
    of_meter("device id", "device_id"),
    of_meter("device name", "device_name"),
    of_meter("channel", "channel"),
    of_meter("channel name", "channel_name"),
)


def once_ended(title: str, field: str) -> Column:
    """Return a column that is empty for an open run, whose value is complete when it ends."""
    return Column(
        title,
        f"CASE WHEN log.ended_at IS NOT NULL THEN log.{field} END",
        lambda run, meter: run.ended_at and number(getattr(run, field)),
    )


def length_s(run: Run) -> float | None:
    return run.ended_at and (run.ended_at - run.started_at).total_seconds()


@dataclass(frozen=True)
class Table:
    """A table that can be exported, with its name and its search."""

    name: str
    search: type[Search]
    columns: tuple[Column, ...]

    @property
    def model(self) -> type[Model]:
        return self.search.model

    @property
    def header(self) -> bytes:
        return line([column.title for column in self.columns]).encode()

    def copy(self, search: Search) -> tuple[str, Sequence[Any]]:
        """Return PostgreSQL's statement for it, and the parameters."""
        query = search.queryset().order_by().query
        # An empty result is a file as well, with a header.
        sql, parameters = query.get_compiler(WRITER, elide_empty=False).as_sql()
        columns = ", ".join(column.sql for column in self.columns)
        return QUERY.format(columns=columns, rows=sql, moment=search.moment), parameters

    def lines(self, search: Search) -> Iterator[str]:
        """Yield the lines, for a database that writes no CSV."""
        meter = Meters()
        for row in search.queryset().order_by(search.moment, "pk").iterator(ROWS_AT_ONCE):
            known = meter(row.device_id, row.channel)
            yield line([column.value(row, known) for column in self.columns])


ROWS = Table(
    "rows",
    LogSearch,
    (
        moment("time", "log.timestamp", "timestamp"),
        *METER,
        stored("power (W)", "apower_w"),
        reported("voltage (V)", "voltage_v"),
        reported("current (A)", "current_a"),
        reported("counter (Wh)", "energy_total_wh"),
        stored("source", "source"),
    ),
)
RUNS = Table(
    "runs",
    RunSearch,
    (
        second("started", "started_at"),
        second("ended", "ended_at"),
        rounded("duration (s)", "EXTRACT(EPOCH FROM log.ended_at - log.started_at)", length_s, 0),
        *METER,
        once_ended("energy (Wh)", "energy_wh"),
        once_ended("mean power (W)", "mean_w"),
        stored("peak power (W)", "peak_w"),
        Column(
            "how it ended",
            """COALESCE(NULLIF(log."end", ''), 'still running')""",
            lambda run, meter: run.end or "still running",
        ),
        stored("starts", "starts"),
    ),
)
DAYS = Table(
    "days",
    DaySearch,
    (
        stored("day", "day"),
        *METER,
        stored("active minutes", "active_minutes"),
        stored("filled minutes", "filled_minutes"),
        stored("runs", "runs"),
        rounded("run time (s)", "log.run_s", lambda total: total.run_s, 0),
        rounded("energy (Wh)", "log.energy_wh", lambda total: total.energy_wh),
        stored("peak power (W)", "peak_w"),
        rounded(
            "mean power (W)",
            "log.energy_wh * 3600 / NULLIF(log.run_s, 0)",
            lambda total: total.mean_w,
        ),
    ),
)
TABLES = {table.name: table for table in (ROWS, RUNS, DAYS)}


class Meters:
    """Names by device and channel; a household on SQLite has few."""

    def __init__(self) -> None:
        self._devices = {each.device_id: each for each in Device.objects.all()}
        self._channels = {(each.device_id, each.channel): each for each in Channel.objects.all()}
        self._known: dict[tuple[str, str], Meter] = {}

    def __call__(self, device_id: str, channel: str) -> Meter:
        key = (device_id, channel)
        if key not in self._known:
            device = _name(self._devices.get(device_id))
            self._known[key] = Meter(
                *map(safe, (device_id, device, channel, _name(self._channels.get(key))))
            )
        return self._known[key]


def _name(entry: Device | Channel | None) -> str:
    return (entry.name or entry.reported_name) if entry else ""


def number(value: Any) -> Any:
    """Return a number as PostgreSQL writes it: 430 and not 430.0."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else value


def iso(value: datetime | None) -> str | None:
    return value and timezone.localtime(value).isoformat(timespec="seconds")


class _Echo:
    write = staticmethod(str)


line = csv.writer(_Echo(), lineterminator="\n").writerow
