"""Long messages that are dear to read cost whoever is beside them hardly any time.

The long form: .venv/bin/pytest -m soak -n 0 tests/end_to_end/test_heavy.py
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.heavy import heavy, message
from tests.support.knocking import dial, power, rows
from tests.support.servers import PATIENCE_S, Server, running, serve, until

EVERY_S = 2.0


def waits_s(server: Server, sockets: int, times: int) -> list[float]:
    """How long each of so many requests and pings takes beside them, and no row is lost."""
    waits = []
    with dial(server) as device, heavy(server, sockets, PATIENCE_S + times * 2 * EVERY_S):
        until(lambda: int(server.status()["devices connected"]) >= sockets / 2)
        until(lambda: "1 address now" in server.status().get("read more slowly", ""))
        for number in range(times):
            began = time.monotonic()
            server.status()
            assert device.ping().wait(PATIENCE_S)
            waits.append(time.monotonic() - began)
            device.send(power("good", 50.0 + number))
            time.sleep(EVERY_S)
        until(lambda: ("good", 50.0) in rows(server))
    return sorted(waits)


def test_a_crowd_of_them_does_not_stall_the_collector(
    ready_sqlite: Callable[[Path], str], tmp_path: Path
) -> None:
    assert len(message("heavy-1")) <= 64 * 1024
    with running(serve(ready_sqlite(tmp_path), tmp_path)) as server:
        # Before there were budgets it took 20 s and more.
        assert waits_s(server, sockets=60, times=3)[-1] < 10


@pytest.mark.soak
def test_three_hundred_of_them_cost_a_page_no_second(
    ready_sqlite: Callable[[Path], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(serve(ready_sqlite(tmp_path), tmp_path)) as server:
        waits = waits_s(server, sockets=300, times=30)
        with capsys.disabled():
            print(f"\n/ and a pong after {waits[15]:.2f} s, {waits[-1]:.2f} s at the latest")  # noqa: T201
        assert waits[-1] <= 1.0
