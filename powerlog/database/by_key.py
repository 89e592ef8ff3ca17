"""Find rows and runs of single channels through the unique key, never through another index.

`WHERE device_id = … AND channel = … ORDER BY started_at DESC LIMIT 1` asks for the same. But where
one channel has most of a table, PostgreSQL expects any other one to have as much, takes the index
of started_at alone, and walks through a million runs of one channel for each run of another, in
160 ms. It cannot take that index to compare whole keys, in 5 µs.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from django.db.models.query import RawQuerySet

from powerlog.database.sql import WRITER, given
from powerlog.models import PowerLog, Run

Row = TypeVar("Row", PowerLog, Run)

EVER = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)  # the resolution of moments in the tables
TIMES = {PowerLog: "timestamp", Run: "started_at"}
COLUMNS = "device_id text, channel text, since timestamptz, until timestamptz"
NEAREST = """
WITH wanted (device_id, channel, since, until) AS ({wanted})
SELECT {columns} FROM {table} WHERE id IN (
    SELECT (
        SELECT id FROM {table} AS found
        WHERE (found.device_id, found.channel, found.{time})
                >= (wanted.device_id, wanted.channel, wanted.since)
            AND (found.device_id, found.channel, found.{time})
                <= (wanted.device_id, wanted.channel, wanted.until)
        ORDER BY found.device_id {order}, found.channel {order}, found.{time} {order} LIMIT 1
    ) FROM wanted
)
"""


class Within(NamedTuple):
    """A channel and a span, both ends included."""

    device_id: str
    channel: str
    since: datetime = EVER[0]
    until: datetime = EVER[1]


def newest(model: type[Row], wanted: Sequence[Within], using: str = WRITER) -> "RawQuerySet[Row]":
    """Return the newest row of each of these, where there is one."""
    return model.objects.using(using).raw(*statement(model, wanted))


def oldest(model: type[Row], wanted: Sequence[Within]) -> "RawQuerySet[Row]":
    return model.objects.using(WRITER).raw(*statement(model, wanted, order="ASC"))


def statement(
    model: type[Row], wanted: Sequence[Within], columns: str = "*", order: str = "DESC"
) -> tuple[str, list[Any]]:
    """Return the statement for the newest rows, or the oldest, with its parameters."""
    records, parameters = given(COLUMNS, wanted)
    table, time = model._meta.db_table, TIMES[model]
    query = NEAREST.format(wanted=records, columns=columns, table=table, time=time, order=order)
    return query, parameters
