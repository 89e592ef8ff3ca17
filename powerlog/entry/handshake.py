"""A connection from its request until it is a WebSocket.

Daphne answers a handshake when the application has accepted it, some turns of its loop later. The
promise: what a device sends meanwhile is neither lost nor more than so much memory.
"""

from typing import Any

from daphne.http_protocol import WebRequest
from daphne.ws_protocol import WebSocketProtocol
from twisted.protocols.policies import ProtocolWrapper

# Bytes that may come before the answer. More of them wait in the kernel, and then at the sender.
MAX_EARLY = 64 * 1024


class Upgrade(WebRequest):
    """A request that becomes a WebSocket, if it asks for one."""

    def process(self) -> Any:
        transport = self.transport
        processed = super().process()
        if self.transport is None:
            self._hand_over(transport)
        return processed

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

    def onOpen(self) -> None:
        super().onOpen()
        self.transport.resumeProducing()
