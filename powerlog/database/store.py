"""Write what the core returns to the database: rows, runs, and the day totals that they change.

Every write may be repeated: the first row of a minute wins, and the most complete version of a run.
All of it goes through the writer's own connection, all or nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite

from django.db import OperationalError, connections, transaction
from psycopg.errors import DeadlockDetected

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Sample
from powerlog.database.minutes import store_rows
from powerlog.database.runs import store_runs
from powerlog.database.sql import WRITER, batched

LAST_TS = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
ROWS_AT_ONCE = 2000
ATTEMPTS = 3


def fault(due: Due) -> str | None:
    """Return why no table can hold this, in a few words; None: the tables can."""
    for name, text, longest in (("device id", due.device_id, 100), ("channel", due.channel, 20)):
        if not (0 < len(text) <= longest and text.isprintable()):
            return name
    if isinstance(due, Sample):
        moments = [due.ts]
        numbers = [due.apower_w, due.voltage_v, due.current_a, due.energy_total_wh]
    else:
        moments = [due.started_at, due.ended_at or 0.0, due.heard_at or 0.0]
        numbers = [due.peak_w, due.counter_wh or 0.0, due.booked_wh, due.claim_ws]
    if not all(map(isfinite, numbers)):
        return "not a number"
    return None if all(0 <= ts < LAST_TS for ts in moments) else "time"


def store(due: Sequence[Due]) -> int:
    """Write rows and runs, all or nothing; return how many rows were new. Raise Django's errors."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _store(due)
        except OperationalError as exc:
            # Another process counts on the same days, of a device that has just moved.
            if attempt == ATTEMPTS or not isinstance(exc.__cause__, DeadlockDetected):
                raise
    raise AssertionError  # the last attempt has raised


def prove(due: Sequence[Due]) -> None:
    """Write these and roll back. Raise the database's error if it does not take them."""
    _store(due, rolled_back=True)


def _store(due: Sequence[Due], rolled_back: bool = False) -> int:
    rows = [each for each in due if isinstance(each, Sample)]
    runs = [each for each in due if isinstance(each, RunState)]
    try:
        with transaction.atomic(using=WRITER):
            new = sum(store_rows(part) for part in batched(rows, ROWS_AT_ONCE))
            store_runs(runs)
            transaction.set_rollback(rolled_back, using=WRITER)
    except BaseException:
        # After any error, the next attempt begins with a connection that is known to be good.
        connections[WRITER].close()
        raise
    return new
