"""Pass many records to the database in one statement, on PostgreSQL or SQLite."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import msgspec
from django.db import connections

T = TypeVar("T")

STATEMENT_LIMIT_S = 20  # of a page
WRITER = "writer"  # the connection for all that does not serve pages; see collector_site


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def moment(ts: float) -> datetime:
    return datetime.fromtimestamp(ts, UTC)


def values(records: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """Return `VALUES (…), …` for these records, all of one length, and the parameters."""
    adapt = connections[WRITER].ops.adapt_datetimefield_value
    record = f"({', '.join(['%s'] * len(records[0]))})"
    flat = [adapt(v) if isinstance(v, datetime) else v for each in records for v in each]
    if connections[WRITER].vendor == "sqlite":
        flat = [v.isoformat() if type(v) is date else v for v in flat]
    return f"VALUES {', '.join([record] * len(records))}", flat


def given(columns: str, records: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """Return the same with column names and types. PostgreSQL gets all records as one parameter:
    one for each value costs several times the CPU."""
    if connections[WRITER].vendor != "postgresql":
        return values(records)
    names = [column.split()[0] for column in columns.split(", ")]
    text = msgspec.json.encode([dict(zip(names, each, strict=True)) for each in records]).decode()
    return f"SELECT * FROM json_to_recordset(%s::json) AS given ({columns})", [text]
