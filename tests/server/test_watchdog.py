"""A process whose event loop hangs ends all the same, and what it had accepted is written."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.support.frames import PUMP, delta, meter
from tests.support.servers import Server, daphne, running, until

HANGING = "tests.support.hanging_asgi:application"
ENDS_WITHIN_S = 20


def with_a_row(server: Server) -> None:
    with connect(server.socket, open_timeout=20) as device:
        device.send(delta(None, switch_2=meter(430.0)))
        until(lambda: server.status()["frames"] == "1")


def hangs(server: Server) -> None:
    server.process.send_signal(signal.SIGUSR1)
    until(lambda: "it hangs" in server.output)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_who_is_told_to_stop_does_although_its_event_loop_hangs(
    ready_sqlite: Callable[[Path], str], tmp_path: Path, how: signal.Signals
) -> None:
    with running(daphne(ready_sqlite(tmp_path), tmp_path, HANGING)) as server:
        with_a_row(server)
        hangs(server)
        server.process.send_signal(how)
        assert server.process.wait(ENDS_WITHIN_S) == 1
        assert [row[:3] for row in server.rows()] == [(PUMP, "switch:2", 430.0)]
        assert "told to stop, and its event loop does not" in server.output
        assert "stopped, 1 rows written" in server.output


def test_an_event_loop_that_stands_still_ends_the_process(
    ready_sqlite: Callable[[Path], str], tmp_path: Path
) -> None:
    with running(daphne(ready_sqlite(tmp_path), tmp_path, HANGING)) as server:
        with_a_row(server)
        hangs(server)
        assert server.process.wait(ENDS_WITHIN_S) == 1
        assert len(server.rows()) == 1
        assert "its event loop has stood still" in server.output


def test_a_process_that_was_stopped_for_a_while_has_not_hung(
    ready_sqlite: Callable[[Path], str], tmp_path: Path
) -> None:
    """As by Ctrl-Z."""
    with running(daphne(ready_sqlite(tmp_path), tmp_path, HANGING)) as server:
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            connect(server.socket, open_timeout=4)
        server.process.send_signal(signal.SIGCONT)
        with_a_row(server)
        assert server.stop() == 0
