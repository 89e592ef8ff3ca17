"""The end of a server: devices learn that it goes, and what they sent before is handled.

Daphne cancels the applications, whatever waits in their queues, and Twisted cuts the sockets off: a
device sees a lost connection, and after some of them dials ever less often. Here each socket is
closed with 1001 first. Its client answers that after all that it sent before, and its application
ends when it has handled it. The promise: no client, and no database, holds this up beyond LIMIT_S.
"""

import asyncio
from typing import Any

from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol

from powerlog.server.listener import Entrance

GOING_AWAY = 1001
# Autobahn cuts off who has not answered within a second. The rest is for what waits to be handled:
# longer than a burst of ten thousand devices takes, and for a first frame that asks for the past.
LIMIT_S = 2.5
CANCEL_LIMIT_S = 0.5


class LeavingSocket(WebSocketProtocol):
    """Close with 1001 when the server goes, also a socket that opens only then."""

    def onOpen(self) -> None:
        super().onOpen()
        if not Entrance.is_open:
            self.go_away()

    def go_away(self) -> None:
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(GOING_AWAY)


async def say_farewell(server: Server) -> None:
    """Close all sockets and end all applications when the reactor is to stop."""
    Entrance.is_open = False
    ended = cancel(applications(server, of_sockets=False))
    for protocol in list(server.connections):
        if isinstance(protocol, LeavingSocket):
            protocol.go_away()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LIMIT_S
    while (open_ones := applications(server, of_sockets=True)) and loop.time() < deadline:
        await asyncio.wait(open_ones, timeout=deadline - loop.time())
    if ended := ended + cancel(open_ones):
        await asyncio.wait(ended, timeout=CANCEL_LIMIT_S)


def applications(server: Server, of_sockets: bool) -> list[asyncio.Future[Any]]:
    """Return those that have not ended: an incomplete request has none."""
    return [
        application
        for protocol, details in server.connections.items()
        if isinstance(protocol, LeavingSocket) is of_sockets
        and (application := details.get("application_instance"))
        and not application.done()
    ]


def cancel(applications: list[asyncio.Future[Any]]) -> list[asyncio.Future[Any]]:
    for application in applications:
        application.cancel()
    return applications
