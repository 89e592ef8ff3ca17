"""Accept connections, and keep tokens out of the access log.

No public address has more than its share of the connections, of whatever kind.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

from daphne.http_protocol import HTTPFactory
from django.conf import settings
from twisted.web.http import _GenericHTTPChannelProtocol

from powerlog.devices.connections import traffic
from powerlog.log_once import once
from powerlog.server import deadlines
from powerlog.server.connection_limits import Gate
from powerlog.server.handshake import refuse
from powerlog.server.http_request import PageRequest

logger = logging.getLogger(__name__)

NO_REQUEST = "no HTTP request"


class CountedChannel(deadlines.PromptChannel):
    """Count what Twisted cannot read as a request, and answer it as Twisted does."""

    def _respondToBadRequestAndDisconnect(self) -> None:
        refuse(self.getPeer(), {}, NO_REQUEST)
        super()._respondToBadRequestAndDisconnect()


class Entrance(HTTPFactory):
    """Accept all connections, of devices and pages, also those that never send a request."""

    gate = Gate()
    is_open = True  # until the server stops

    def protocol(self) -> _GenericHTTPChannelProtocol:
        return _GenericHTTPChannelProtocol(CountedChannel())

    def buildProtocol(self, addr: Any) -> Any:
        """Return None, which closes the connection, if its address has too many or came too often.

        Behind a proxy all come from the proxy: there handshake_check.py counts WebSockets alone.
        """
        if not self.is_open:
            return None
        address = getattr(addr, "host", "")
        if not settings.BEHIND_PROXY and (why := self.gate.enter(address)):
            traffic.refused[why] += 1
            once(logger, logging.WARNING, f"{address} is refused: {why}")
            return None
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = PageRequest
        protocol.timeOut = deadlines.REQUEST_S
        # One that becomes a WebSocket is lost in DeviceSocket.connectionLost().
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


def without_token(protocol: str, path: str) -> str:
    """Return the path without what may be a token: all below /ws.

    A mistyped path may hold one anywhere: a socket to elsewhere shows nothing.
    """
    path = unquote(path)
    below = path.lower().find("/ws")
    if protocol != "websocket" and below < 0:
        return path
    return f"{path[:below]}/ws…" if below == 0 or protocol == "http" else "…"
