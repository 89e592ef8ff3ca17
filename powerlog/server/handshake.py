"""A connection from its request until it is a WebSocket.

Daphne answers a handshake when the application has accepted it, some turns of its loop later. The
promise: what a device sends meanwhile is neither lost nor more than so much memory, and a handshake
that fails before the doors see it is counted as they count theirs.
"""

import logging
from collections.abc import Mapping
from typing import Any

from daphne.http_protocol import WebRequest
from daphne.ws_protocol import WebSocketProtocol
from twisted.protocols.policies import ProtocolWrapper

from powerlog.client_address import caller
from powerlog.devices.connections import traffic
from powerlog.log_once import once

logger = logging.getLogger(__name__)

BAD_HANDSHAKE = "a bad handshake"
# Bytes that may come before the answer. More of them wait in the kernel, and then at the sender.
MAX_EARLY = 64 * 1024
MAX_DIALLED = 1024  # of the address with its token


class Upgrade(WebRequest):
    """A request that becomes a WebSocket, if it asks for one."""

    def process(self) -> Any:
        transport, wants_one = self.transport, self._wants_one()
        if wants_one and not any(self.requestHeaders.getRawHeaders(b"Origin", [])):
            # None at all is a device to the doors; an empty one has no host, and Autobahn fails it.
            self.requestHeaders.removeHeader(b"Origin")
        processed = self._process()
        if self.transport is None:
            self._hand_over(transport)
        elif wants_one:  # with a header that is wrong, or without one that it needs
            refuse(transport.getPeer(), self._headers(), BAD_HANDSHAKE)
        return processed

    def _process(self) -> Any:
        offered = self.requestHeaders.getRawHeaders(b"Sec-WebSocket-Protocol", [])
        if self._wants_one() and len(self.uri) > MAX_DIALLED:
            return self.basic_error(400, b"Bad Request", "Too long an address")
        if all(map(bytes.isascii, offered)):
            return super().process()
        return self.basic_error(400, b"Bad Request", "Invalid header value")

    def _wants_one(self) -> bool:
        below_ws = (self.path + b"/").startswith(b"/ws/")
        return below_ws or self.requestHeaders.hasHeader(b"Sec-WebSocket-Key")

    def _headers(self) -> dict[str, str]:
        lines = self.requestHeaders.getAllRawHeaders()
        return {name.lower().decode("latin-1"): b",".join(v).decode("latin-1") for name, v in lines}

    def _hand_over(self, transport: Any) -> None:
        """Daphne gives the transport to the WebSocket. What was read with the handshake is left in
        Twisted's channel, which takes it for the next request."""
        is_wrapped = isinstance(transport, ProtocolWrapper)  # by TLS
        socket = transport.wrappedProtocol if is_wrapped else transport.protocol
        self.channel.rawDataReceived = socket.dataReceived
        if after_body := b"".join(self.channel._dataBuffer):
            socket.dataReceived(after_body)


class EarlySocket(WebSocketProtocol):
    """A WebSocket whose client speaks before it has been answered."""

    def processHandshake(self) -> None:
        """Read the handshake, and keep what follows it.

        Autobahn keeps it as well, however much it is, but takes it for a second handshake where it
        finds two line breaks in it, such as a mask makes of anything.
        """
        if not hasattr(self, "handshake_deferred"):  # Daphne's, from the handshake to the answer
            super().processHandshake()
        elif len(self.data) > MAX_EARLY:
            self.transport.pauseProducing()

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """Count it, but for what the application refuses or fails at. The reason repeats what was
        sent, which may be a token: no log has it."""
        if 400 <= code < 500 and code != 403:
            refuse(self.transport.getPeer(), getattr(self, "http_headers", {}), BAD_HANDSHAKE)
        super().failHandshake(reason, code, responseHeaders)

    def onOpen(self) -> None:
        super().onOpen()
        self._forget_handshake()
        self.transport.resumeProducing()

    def _forget_handshake(self) -> None:
        """16 KB of headers weigh 350 KB here, and would until the socket ends. The application
        holds the same lists."""
        for sent in (self.clean_headers, self.http_headers, self.websocket_protocols):
            sent.clear()
        self.http_request_data, self.http_request_params = b"", {}


def refuse(peer: Any, headers: Mapping[str, str], why: str) -> None:
    """Count and log a refused connection. headers have names in lower case."""
    address = caller(getattr(peer, "host", ""), headers)
    traffic.refused[why] += 1
    once(logger, logging.INFO, f"{address or 'a stranger'} is refused: {why}")
