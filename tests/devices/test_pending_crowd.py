"""A crowd of one address in the waiting room of a real server, and a device from elsewhere."""

import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from powerlog.devices.pending import PLACES
from tests.support.knocking import counted, power
from tests.support.rubbish import TEXT, USUAL, asking, wire
from tests.support.servers import PATIENCE_S, Server, running, serve, until

CLOSE_4003 = b"\x88\x02\x0f\xa3"


def comes(server: Server, device_id: str, address: str) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S, (address, 0))
    line.sendall(asking(*USUAL) + wire(TEXT, power(device_id, 430.0).encode()))
    return line


def waiting(server: Server) -> set[str]:
    with closing(server.connect()) as connection:
        query = "SELECT device_id FROM devices WHERE admission = 'waiting'"
        return {device_id for (device_id,) in connection.execute(query).fetchall()}


def test_it_keeps_no_other_address_out(
    ready_sqlite: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMISSION", "approve")
    with running(serve(ready_sqlite(tmp_path), tmp_path)) as server, ExitStack() as lines:
        crowd = [
            lines.enter_context(comes(server, f"invented-{number}", "127.0.0.1"))
            for number in range(PLACES)
        ]
        until(lambda: len(waiting(server)) == PLACES)
        lines.enter_context(comes(server, "good", "127.0.0.2"))
        until(lambda: "good" in waiting(server))
        assert counted(server, "refused") == {"the waiting room is full": 1}
        until(lambda: sum(CLOSE_4003 in heard(line) for line in crowd) == 1)


def heard(line: socket.socket) -> bytes:
    try:
        return line.recv(65_536, socket.MSG_DONTWAIT | socket.MSG_PEEK)
    except BlockingIOError:
        return b""
