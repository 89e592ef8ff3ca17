"""`python -m benchmarks.runs`: what runs cost where a channel has very many of them.

A relay that chatters, or an attacker, makes as many runs as frames. A batch of runs is stored on
an empty day and on a day that has a million of the same channel; the state of a channel is
restored behind all of them, and behind an open run of a year; a fleet leaves its open runs.
"""

import statistics
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from .rows import set_up
from .usage import new_database, place, run, say, table

DAY = datetime(2025, 6, 16, tzinfo=UTC)
DEVICE, CHANNEL = "shellypro4pm-0a1b2c3d4e5f", "switch:2"
BATCH_RUNS = 200
BATCHES = 20
YEAR_MIN = 365 * 24 * 60
MANY_RUNS = """
INSERT INTO runs
    (device_id, channel, started_at, ended_at, energy_wh, mean_w, peak_w, counter_wh, "end",
     midnights)
SELECT %s, %s, at, at + interval '20 ms', 0.01, 400, 430, n, 'stopped', '[]'
FROM (SELECT n, %s + n * interval '50 ms' AS at FROM generate_series(1, %s) AS n) AS made
"""
YEAR_OF_ROWS = """
INSERT INTO power_logs
    (timestamp, device_id, channel, apower_w, voltage_v, current_a, energy_total_wh)
SELECT %s + n * interval '1 minute', %s, %s, 400, 230, 2, n FROM generate_series(0, %s) AS n
"""


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def ended(at: float, number: int, device_id: str = DEVICE) -> Any:
    from powerlog.core.run_state import RunState

    start = at + number
    return RunState(
        device_id, CHANNEL, start, 430.0, 100.0, 0.1, ended_at=start + 0.5, end="stopped"
    )


def batches(day: datetime) -> list[float]:
    """How long each batch of runs of the crowded channel takes on this day."""
    from powerlog.database.store import store

    evening = day.timestamp() + 20 * 3600
    runs = [ended(evening, number) for number in range(BATCHES * BATCH_RUNS)]
    parts = [runs[first : first + BATCH_RUNS] for first in range(0, len(runs), BATCH_RUNS)]
    return [timed(lambda part=part: store(part)) for part in parts]


def fleet(devices: int) -> Iterator[tuple[str, float]]:
    """What a fleet costs whose runs start, are left open, and end: name and seconds."""
    import msgspec

    from powerlog.database.store import store

    at = DAY.timestamp() + 3600
    runs = [
        msgspec.structs.replace(
            ended(at, 0, f"device-{n:06}"), ended_at=None, end="", booked_wh=0.0
        )
        for n in range(devices)
    ]
    left = [msgspec.structs.replace(run, booked_wh=5.0, heard_at=at + 60) for run in runs]
    over = [ended(at, 0, run.device_id) for run in runs]
    for name, told in (("start", runs), ("are left open", left), ("end", over)):
        parts = [told[first : first + 2000] for first in range(0, devices, 2000)]
        yield name, sum(timed(lambda part=part: store(part)) for part in parts) / 1000


def measure(asked: Namespace) -> None:
    with place() as (postgres, folder):
        url = new_database(postgres, "runs")
        set_up(url, folder)
        from powerlog.core.run_state import RunState
        from powerlog.database.restore import recall
        from powerlog.database.store import store

        lines = [("batch, empty day", batches(DAY - timedelta(days=1)))]
        with psycopg.connect(url, autocommit=True) as connection:
            say(f"{asked.runs} runs of one channel and {YEAR_MIN} rows are made")
            connection.execute(MANY_RUNS, [DEVICE, CHANNEL, DAY, asked.runs])
            year = DAY - timedelta(days=365)
            connection.execute(YEAR_OF_ROWS, [year, "year", CHANNEL, YEAR_MIN])
            connection.execute("VACUUM ANALYZE")
        lines.append(("batch, crowded day", batches(DAY)))
        store([RunState("year", CHANNEL, year.timestamp(), 430.0, 100.0)])
        for name, device_id in (("many runs", DEVICE), ("an open run of a year", "year")):
            meters = [(device_id, CHANNEL)]
            took = [timed(lambda meters=meters: recall(meters)) for _ in range(5)]
            lines.append((f"restore, {name}", took))
        fleets = list(fleet(asked.devices))
    table(
        ("what", "median", "longest"),
        [(name, f"{statistics.median(t):.1f} ms", f"{max(t):.1f} ms") for name, t in lines],
    )
    table(
        (f"the runs of {asked.devices} channels", "seconds"),
        [(name, f"{seconds:.2f}") for name, seconds in fleets],
    )


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000, help="on one day (1000000)")
    parser.add_argument("--devices", type=int, default=30_000, help="of the fleet (30000)")
    return parser.parse_args()


def main() -> None:
    measure(arguments())


if __name__ == "__main__":
    run(main)
