"""What a database does for an action, counted instead of timed; and tables that are full."""

from collections.abc import Callable
from datetime import datetime

from django.db import connections, transaction

from tests.support.line import SWITCH

READ = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))
FROM pg_stat_xact_user_tables WHERE relname IN ('power_logs', 'runs', 'day_totals')
"""
NUMBERS = {
    "postgresql": "SELECT n, %s::timestamptz + n * interval '1 s' * {every_s} AS at "
    "FROM generate_series(0, {number} - 1) AS n",
    "sqlite": "WITH RECURSIVE made (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM made "
    "WHERE n + 1 < {number}) SELECT n, datetime(%s, (n * {every_s}) || ' seconds') AS at FROM made",
}
RUNS = """
INSERT INTO runs (device_id, channel, started_at, ended_at, energy_wh, mean_w, peak_w, counter_wh,
    "end", midnights)
SELECT %s, %s, at, at, 0.01, 400, 430, n, 'stopped', '[]' FROM ({numbers}) AS numbers
"""
ROWS = """
INSERT INTO power_logs (timestamp, device_id, channel, apower_w, voltage_v, current_a,
    energy_total_wh, source)
SELECT at, %s, %s, 400, 230, 2, n, 'measured' FROM ({numbers}) AS numbers
"""


def steps(action: Callable[[], object]) -> int:
    """How many rows PostgreSQL reads for this action; of SQLite, a tenth of its instructions."""
    connection = connections["writer"]
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        with transaction.atomic(using="writer"), connection.cursor() as cursor:
            before = cursor.execute(READ).fetchone()[0]
            action()
            return int(cursor.execute(READ).fetchone()[0] - before)
    instructions = 0

    def count() -> int:
        nonlocal instructions
        instructions += 1
        return 0

    connection.connection.set_progress_handler(count, 1)
    try:
        action()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return instructions // 10


def fill(table: str, number: int, since: datetime, every_s: int, device_id: str) -> None:
    """Put so many ended runs (RUNS) or minutes (ROWS) of a channel into its table."""
    connection = connections["writer"]
    numbers = NUMBERS[connection.vendor].format(number=number, every_s=every_s)
    with connection.cursor() as cursor:
        since_text = since if connection.vendor == "postgresql" else f"{since:%Y-%m-%d %H:%M:%S}"
        cursor.execute(table.format(numbers=numbers), [device_id, SWITCH, since_text])
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE power_logs, runs, day_totals")
