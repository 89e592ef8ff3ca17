"""Strangers and devices at the doors of a real server."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.frames import delta
from tests.support.servers import PATIENCE_S, Server, until


def knock(server: Server, path: str = "/ws", **headers: str) -> int:
    """The HTTP status that a handshake gets: 101 is in."""
    try:
        with dial(server, path, **headers):
            return 101
    except InvalidStatus as exc:
        return exc.response.status_code


def dial(server: Server, path: str = "/ws", **headers: str) -> ClientConnection:
    url = server.socket.removesuffix("/ws") + path
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return connect(url, additional_headers=told, compression=None, open_timeout=PATIENCE_S)


def closed(socket: ClientConnection) -> int | None:
    """The code with which the server closes it, once it does."""
    try:
        while True:
            socket.recv(PATIENCE_S)
    except ConnectionClosed as exc:
        return exc.rcvd and exc.rcvd.code


def counted(server: Server, name: str) -> Counter[str]:
    """How many there were for each reason, of a line of `/`."""
    told = server.status()[name].partition("(")[2].removesuffix(")")
    parts = (part.split(" ", 1) for part in told.split(", ") if part)
    return Counter({reason: int(count) for count, reason in parts})


def power(device_id: str, watts: float, at: float | None = None) -> str:
    return delta(at or time.time(), device_id, switch_0={"apower": watts})


@contextmanager
def beside(server: Server, device_id: str, path: str = "/ws", **headers: str) -> Iterator[None]:
    """A good device that speaks before, and after, and loses nothing in between."""
    with dial(server, path, **headers) as device:
        device.send(power(device_id, 111.0, time.time() - 60))
        until(lambda: (device_id, 111.0) in rows(server))
        yield
        device.send(power(device_id, 222.0))
        until(lambda: (device_id, 222.0) in rows(server))


def rows(server: Server) -> list[tuple[Any, ...]]:
    return [(row[0], row[2]) for row in server.rows()]
