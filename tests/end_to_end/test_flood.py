"""One caller that floods costs the devices beside it nothing: not a row, and little time.

The long form: .venv/bin/pytest -m soak -n 0 tests/end_to_end/test_flood.py; FLOOD_SECONDS changes
how long.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.flood import flooded
from tests.support.good_devices import GoodDevices, Minute, lags_s
from tests.support.servers import Server, running, serve, until

DEVICES = 30
SECONDS = float(os.environ.get("FLOOD_SECONDS", "240"))
MOST_RUNS_S = 300  # in the table: the flood could switch some ten thousand times a second


def beside_a_flood(server: Server, seconds: float) -> tuple[GoodDevices, dict[Minute, float]]:
    """The devices with what they said, and when each of their rows was written."""
    good = GoodDevices(DEVICES)
    with flooded(server.socket, seconds + 60):
        asyncio.run(good.live(server.socket, time.time() + seconds))
        until(lambda: set(good.said) <= set(written(server)), limit_s=60)
    return good, written(server)


def written(server: Server) -> dict[Minute, float]:
    query = (
        "SELECT device_id, channel, extract(epoch FROM timestamp)::int,"
        " extract(epoch FROM created_at)::float FROM power_logs WHERE device_id LIKE %s"
    )
    with server.connect() as connection:
        found = connection.execute(query, ["shellypro4pm-600d%"]).fetchall()
    return {Minute(*key): at for *key, at in found}


def runs_of_the_flood(server: Server) -> int:
    with server.connect() as connection:
        query = "SELECT count(*) FROM runs WHERE device_id LIKE %s"
        return connection.execute(query, ["shellypro4pm-f100d%"]).fetchone()[0]


def test_a_flood_from_one_address_costs_the_devices_beside_it_no_row(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    with running(serve(ready_postgres(), tmp_path)) as server:
        began = time.time()
        good, _ = beside_a_flood(server, 12.0)
        assert len(good.said) >= DEVICES * 3
        assert server.status()["rows lost"] == "0"
        assert runs_of_the_flood(server) <= MOST_RUNS_S * (time.time() - began)


@pytest.mark.soak
def test_for_four_minutes_their_rows_are_in_within_three_seconds(
    ready_postgres: Callable[[], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(serve(ready_postgres(), tmp_path)) as server:
        began = time.time()
        good, at = beside_a_flood(server, SECONDS)
        lags, runs = sorted(lags_s(good.said, at.get)), runs_of_the_flood(server)
        megabytes = psutil.Process(server.process.pid).memory_info().rss / 1e6
        with capsys.disabled():
            print(  # noqa: T201 (figures for whoever waits)
                f"\n{len(lags)} rows, none lost; written after {lags[len(lags) // 2]:.2f} s at the"
                f" median, {lags[-1]:.2f} s at the latest; {runs} runs of the flood;"
                f" {megabytes:.0f} MB; refused {server.status()['refused']}"
            )
        assert lags[-1] <= 3.0
        assert runs <= MOST_RUNS_S * (time.time() - began)
        assert megabytes < 300
