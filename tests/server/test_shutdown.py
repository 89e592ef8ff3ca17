"""The end of a collector, as its devices see it: real servers, real sockets."""

import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.frames import delta
from tests.support.knocking import closed, dial, power
from tests.support.rubbish import PING, USUAL, asking, wire
from tests.support.servers import PATIENCE_S, Server, daphne, running, serve, until

DEVICES, TURNS = 20, 60
CLOSE_1001 = b"\x88\x02\x03\xe9"
Start = Callable[[str, Path], Server]


def two_processes(database_url: str, folder: Path) -> Server:
    return serve(database_url, folder, "--processes", "2")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("start", [serve, daphne, two_processes])
def test_every_socket_is_closed_with_1001(
    ready_sqlite: Callable[[Path], str], tmp_path: Path, start: Start, how: signal.Signals
) -> None:
    with running(start(ready_sqlite(tmp_path), tmp_path)) as server, ExitStack() as sockets:
        devices = [sockets.enter_context(dial(server)) for _ in range(6)]
        for number, device in enumerate(devices[:4]):  # and two that have not spoken yet
            device.send(power(f"device-{number}", 430.0))
        until(lambda: len(server.rows()) == 4)
        assert server.stop(how) == 0
        assert [closed(device) for device in devices] == [1001] * 6
        assert "Traceback" not in server.output
        assert " ERROR " not in server.output


def turns(number: int, start: float) -> list[str]:
    """On in every even second and off in every odd one: a frame that is lost costs a run."""
    return [
        delta(start + second, f"device-{number}", switch_0={"apower": 430.0 * (1 - second % 2)})
        for second in range(TURNS)
    ]


def test_what_a_device_sends_until_it_learns_of_the_end_is_written(
    ready_database: str, tmp_path: Path
) -> None:
    with running(serve(ready_database, tmp_path)) as server, ExitStack() as sockets:
        devices = [sockets.enter_context(dial(server)) for _ in range(DEVICES)]
        start = time.time() - TURNS
        for number, device in enumerate(devices):
            for frame in turns(number, start):
                device.send(frame)
        assert server.stop() == 0
        assert [closed(device) for device in devices] == [1001] * DEVICES
        assert len(server.runs()) == DEVICES * TURNS / 2
        assert {end for *_, end in server.runs()} == {"stopped"}


def says_nothing(server: Server) -> socket.socket:
    """It never answers the close frame, nor anything else."""
    line = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
    line.sendall(asking(*USUAL))
    assert line.recv(1000).startswith(b"HTTP/1.1 101")
    return line


def takes_nothing(server: Server) -> socket.socket:
    """It asks for more answers than it and the kernel hold, and takes none."""
    line = says_nothing(server)
    line.setblocking(False)
    pings = wire(PING, b"x" * 125) * 1900
    try:
        while pings:
            pings = pings[line.send(pings) :]
    except BlockingIOError:
        pass
    return line


def shakes_hands(server: Server) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
    line.sendall(asking(*USUAL)[:-2])
    return line


@pytest.mark.parametrize("start", [serve, daphne])
def test_who_does_not_answer_holds_up_neither_the_end_nor_the_others(
    ready_sqlite: Callable[[Path], str], tmp_path: Path, start: Start
) -> None:
    with (
        running(start(ready_sqlite(tmp_path), tmp_path)) as server,
        dial(server) as device,
        says_nothing(server) as silent,
        takes_nothing(server),
        shakes_hands(server),
    ):
        device.send(power("quick", 430.0))
        assert server.stop() == 0
        assert closed(device) == 1001
        assert silent.recv(65_536).endswith(CLOSE_1001)
        assert [row[2] for row in server.rows()] == [430.0]
        assert "Traceback" not in server.output


def test_a_first_frame_whose_past_the_database_does_not_tell_is_written(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    url = ready_postgres()
    with running(serve(url, tmp_path)) as server, server.connect() as other:
        other.execute("LOCK TABLE power_logs IN ACCESS EXCLUSIVE MODE")
        with dial(server) as device:
            device.send(power("asked-for", 430.0))
            until(lambda: server.status()["frames"] == "1")
            assert server.stop() == 0
            assert closed(device) == 1001
    with running(serve(url, tmp_path)) as again:
        until(lambda: [row[2] for row in again.rows()] == [430.0])
