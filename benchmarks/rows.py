"""`python -m benchmarks.rows`: what one RowWriter brings into PostgreSQL, and how soon.

First as many rows as fast as its backlog takes them, then so many a second: for how long does a
row wait from submit() until it is committed? The writer, its spool and its store are the
collector's own, the rows those of a fleet: each minute all channels of all devices.
"""

import os
import time
from argparse import ArgumentParser, Namespace
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

import django
import psycopg
from django.core.management import call_command

from tests.support.postgres import Postgres

from .usage import Usage, new_database, place, run, say, table

DEVICES = 10_000
CHANNELS = ("switch:0", "switch:1", "switch:2")
FIRST_MINUTE = 29_000_000  # in 2025
CHUNK_ROWS = 500
# So many may wait, as long as they come out faster than they become old enough for the spool.
MOST_WAITING = 6_000
TICKS_PER_S = 100


class Waits(NamedTuple):
    """How long rows waited: seconds, and how many of them. The rows of each batch."""

    seconds: list[tuple[float, int]]
    batches: list[int]

    def at(self, share: float) -> float:
        """What this share of the rows did not exceed."""
        left = share * sum(rows for _, rows in self.seconds)
        for waited, rows in sorted(self.seconds):
            left -= rows
            if left <= 0:
                return waited
        return 0.0


class Watch:
    """The real `store`, which notes for how long what it has committed had waited."""

    def __init__(self, store: Callable[[Sequence[Any]], int]) -> None:
        self._store = store
        self._submitted: deque[tuple[float, int]] = deque()
        self.waits = Waits([], [])

    def submitted(self, rows: int) -> None:
        self._submitted.append((time.monotonic(), rows))

    def __call__(self, due: Sequence[Any]) -> int:
        new = self._store(due)
        now, left = time.monotonic(), len(due)
        self.waits.batches.append(left)
        while left:  # rows come out in the order in which they went in
            at, rows = self._submitted.popleft()
            if rows > left:
                self._submitted.appendleft((at, rows - left))
                rows = left
            self.waits.seconds.append((now - at, rows))
            left -= rows
        return new


def fleet_rows() -> Iterator[Any]:
    """Distinct rows without end."""
    from powerlog.core.sampler import Sample

    devices = [f"shellypro4pm-{number * 7919 % 2**48:012x}" for number in range(DEVICES)]
    for minute in count(FIRST_MINUTE):
        watts = 430.0 + minute % 40
        for device_id in devices:
            for channel in CHANNELS:
                yield Sample(
                    minute * 60, device_id, channel, watts, 228.2, 1.884, minute / 7, "measured"
                )


def set_up(database_url: str, folder: Path) -> None:
    """Django on this database; from here on, and not before, the collector can be imported."""
    os.environ |= {
        "DATABASE_URL": database_url,
        "SPOOL_DIR": str(folder / "unused"),
        "DJANGO_SETTINGS_MODULE": "collector_site.settings",
    }
    django.setup()
    call_command("migrate", verbosity=0)


def writer(folder: Path) -> tuple[Any, Watch]:
    from powerlog.database.restore import recall
    from powerlog.database.store import store
    from powerlog.writer.row_writer import RowWriter
    from powerlog.writer.spool import Spool

    watch = Watch(store)
    folder.mkdir()
    return RowWriter(watch, recall, Spool(folder, 2_000_000)), watch


def sustained(rows: Iterator[Any], number: int, folder: Path, postgres: Postgres) -> list[str]:
    row_writer, watch = writer(folder)
    here, there = Usage(os.getpid()), Usage(postgres.pid)
    began, here_s, there_s = time.monotonic(), here.cpu_s(), there.cpu_s()
    for done in range(0, number, CHUNK_ROWS):
        row_writer.backlog.wait_for(lambda: row_writer.backlog.waiting < MOST_WAITING)
        watch.submitted(CHUNK_ROWS)
        row_writer.submit(list(islice(rows, CHUNK_ROWS)))
        if done % 100_000 == 0:
            say(f"{done} of {number} rows submitted")
    row_writer.stop(60)
    took_s = time.monotonic() - began
    assert row_writer.written == number, (row_writer.written, row_writer.backlog.lost)
    costs = (here.cpu_s() - here_s, there.cpu_s() - there_s)
    return [f"{number / took_s:.0f}", *(f"{cost / number * 1e6:.1f} µs" for cost in costs)]


def offered(rows: Iterator[Any], per_s: int, seconds: int, folder: Path) -> list[str]:
    row_writer, watch = writer(folder)
    row_writer.start()
    began, most_spooled = time.monotonic(), 0
    for tick in range(seconds * TICKS_PER_S):
        time.sleep(max(0.0, began + tick / TICKS_PER_S - time.monotonic()))
        due = list(islice(rows, per_s // TICKS_PER_S))
        watch.submitted(len(due))
        row_writer.submit(due)
        most_spooled = max(most_spooled, row_writer.backlog.spooled)
    took_s = time.monotonic() - began
    while row_writer.backlog.waiting or row_writer.backlog.spooled:
        time.sleep(0.1)
    row_writer.stop()
    waits = watch.waits
    say(f"{per_s} rows/s offered, {row_writer.written} written, at most {most_spooled} spooled")
    return [
        f"{per_s}",
        f"{seconds * per_s / took_s:.0f}",
        *(f"{waits.at(share):.2f} s" for share in (0.5, 0.99, 1.0)),
        f"{sum(waits.batches) / len(waits.batches):.0f}",
        f"{max(waits.batches)}",
        f"{most_spooled}",
    ]


def bytes_a_row(database_url: str) -> list[str]:
    """Of the table alone, and with its indexes."""
    query = "SELECT count(*), pg_table_size('power_logs'), pg_total_relation_size('power_logs')"
    with psycopg.connect(database_url) as connection:
        number, alone, total = connection.execute(f"{query} FROM power_logs").fetchone() or (
            1,
            0,
            0,
        )
    return [f"{number}", f"{alone / number:.0f}", f"{total / number:.0f}"]


def measure(asked: Namespace) -> None:
    with place() as (postgres, folder):
        url = new_database(postgres, "rows")
        set_up(url, folder)
        rows = fleet_rows()
        fastest = sustained(rows, asked.rows, folder / "sustained", postgres)
        size = bytes_a_row(url)
        latencies = [
            offered(rows, per_s, asked.seconds, folder / f"{per_s}") for per_s in asked.offered
        ]
    table(("rows/s sustained", "CPU a row, collector", "CPU a row, PostgreSQL"), [fastest])
    table(("rows in the table", "bytes a row", "with indexes"), [size])
    table(
        ("offered/s", "taken/s", "p50", "p99", "max", "rows a batch", "largest", "most spooled"),
        latencies,
    )


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.rows", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="as fast as they go (1000000)")
    parser.add_argument("--seconds", type=int, default=20, help="of each rate (20)")
    parser.add_argument(
        "--offered", type=int, nargs="+", default=[1_000, 5_000, 10_000, 20_000], help="rows/s"
    )
    return parser.parse_args()


def main() -> None:
    measure(arguments())


if __name__ == "__main__":
    run(main)
