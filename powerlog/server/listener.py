"""Where connections arrive, and what the server's own log says of them.

The promise: no public address has more than its share of the connections, of whatever kind, and no
token gets into an access log.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

from daphne.http_protocol import HTTPFactory
from daphne.server import Server
from django.conf import settings
from twisted.web.http import _GenericHTTPChannelProtocol

from powerlog.devices.connections import traffic
from powerlog.log_once import once
from powerlog.server import deadlines
from powerlog.server.connection_limits import Gate

logger = logging.getLogger(__name__)


class Entrance(HTTPFactory):
    """Where all connections arrive, of devices and of pages, also those that never ask anything."""

    gate = Gate()
    is_open = True  # until the server stops

    def protocol(self) -> _GenericHTTPChannelProtocol:
        return _GenericHTTPChannelProtocol(deadlines.PromptChannel())

    def buildProtocol(self, addr: Any) -> Any:
        """None, which closes it, where its address has as many as it may have, or came too often.

        Behind a proxy all come from the proxy: there the doors count, and only WebSockets.
        """
        if not self.is_open:
            return None
        address = getattr(addr, "host", "")
        if not settings.BEHIND_PROXY and (why := self.gate.enter(address)):
            traffic.refused[why] += 1
            once(logger, logging.WARNING, f"{address} is refused: {why}")
            return None
        protocol = super().buildProtocol(addr)
        protocol.timeOut = deadlines.REQUEST_S
        # Of one that becomes a WebSocket the DeviceSocket hears when it is lost.
        protocol.connectionLost = partial(self.lost, protocol.connectionLost, addr)
        return protocol

    @classmethod
    def lost(cls, tell: Callable[[Any], None], addr: Any, reason: Any) -> None:
        cls.leave(addr)
        tell(reason)

    @classmethod
    def leave(cls, addr: Any) -> None:
        if not settings.BEHIND_PROXY:
            cls.gate.leave(getattr(addr, "host", ""))


def log_without_secrets(
    server: Server, protocol: str, action: str, details: dict[str, Any]
) -> None:
    """Daphne's access log, where somebody wants it: a path below /ws is a token.

    A path may hold one wherever it was mistyped: of sockets to elsewhere nothing is shown.
    """
    if server.action_logger:
        path = unquote(str(details.get("path", "")))
        below = path.lower().find("/ws")
        if protocol == "websocket" or below >= 0:
            path = f"{path[:below]}/ws…" if below == 0 or protocol == "http" else "…"
        server.action_logger(protocol, action, details | {"path": path})
