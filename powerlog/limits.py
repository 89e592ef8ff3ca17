"""What a stranger can cost: limits on every connection, whichever way Daphne was started.

Daphne's own options reach only a server that is made with them. The two classes here take the
place of Daphne's in every server of this process: of a WebSocket, and of a request for a page.
The promise: what a connection holds in memory is bounded, and nothing that arrives on it makes a
traceback. Silence is Daphne's business: it ends a request that stops half-way after a minute, and
a WebSocket that answers no ping as well.
"""

import asyncio
import logging
import time
from typing import Any

import autobahn.websocket.protocol
import daphne.http_protocol
from daphne.http_protocol import WebRequest
from daphne.server import Server, reactor
from daphne.ws_protocol import WebSocketFactory

from powerlog.quick_socket import QuickSocket
from powerlog.traffic import traffic

logger = logging.getLogger(__name__)

# Bytes of a message, and of what is sent to a page. The longest status of a Shelly is below 64 KB.
MAX_MESSAGE = 1024 * 1024
# Bytes of messages that wait to be handled before no more are read; the kernel holds more of them,
# and then the sender. A device says as much in half an hour.
MAX_WAITING = 256 * 1024
MESSAGE_OVERHEAD = 256  # what a message weighs in Python beside its text
LOOK_AGAIN_S = 0.01
READER_LIMIT_S = 120.0  # a reader of pages that takes nothing for so long is gone
handle_reply = Server.handle_reply


class DeviceSocket(QuickSocket):
    """A WebSocket that is read no faster than it is handled, and takes what it is answered."""

    # Autobahn takes an option from the factory only where the class has none.
    maxMessagePayloadSize = maxFramePayloadSize = MAX_MESSAGE
    waiting = 0  # bytes of messages since the last time that none waited
    messages_wait = answers_wait = False

    def onOpen(self) -> None:
        super().onOpen()
        # So that the transport says when its buffer is full: a flood of pings is one of pongs.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """As Daphne's own, but that a message bears the moment at which it was received: one may
        wait for the past of its device for seconds, and an answer has no other time."""
        if self.muted:
            return
        if self.application_queue.empty():
            self.waiting = 0
        self.waiting += len(payload) + MESSAGE_OVERHEAD
        now = self.last_ping = time.time()
        data = {"bytes": payload} if isBinary else {"text": payload.decode()}
        self.application_queue.put_nowait({"type": "websocket.receive", "at": now, **data})
        if self.waiting > MAX_WAITING and not self.messages_wait:
            self.messages_wait = True
            self.transport.pauseProducing()
            reactor.callLater(LOOK_AGAIN_S, self.catch_up)

    def catch_up(self) -> None:
        """Read on once no message waits; the queue does not tell when that is."""
        if self.application_queue.empty():
            self.messages_wait = False
            self.read_on()
        elif self.state != self.STATE_CLOSED:
            reactor.callLater(LOOK_AGAIN_S, self.catch_up)

    def read_on(self) -> None:
        if not (self.messages_wait or self.answers_wait):
            self.transport.resumeProducing()

    def pauseProducing(self) -> None:
        self.answers_wait = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.answers_wait = False
        self.read_on()

    def stopProducing(self) -> None:
        """The connection is lost; Twisted wants to say so."""

    def handle_reply(self, message: dict[str, Any]) -> None:
        # Daphne learns a moment later that a socket is closed, and sending would raise until then.
        if self.state in (self.STATE_CONNECTING, self.STATE_OPEN):
            super().handle_reply(message)

    def _fail_connection(self, code: int, reason: str) -> None:
        """Say why, once. A message that is too long is closed with 1009, all else just dropped."""
        too_long = code == self.CLOSE_STATUS_CODE_MESSAGE_TOO_BIG
        if not self.failedByMe:
            traffic.frames += 1
            traffic.rejected["too long" if too_long else "no WebSocket frame"] += 1
            address = ":".join(map(str, self.client_addr or ["a stranger"]))
            logger.warning("%s: cut off (%d), %s", address, code, reason)
        # Where the peer is to hear of it the rest of its message is read, and thrown away, until
        # it has: for a second at most.
        self.failByDrop = not too_long
        super()._fail_connection(code, reason)


class PageRequest(WebRequest):
    """A request whose body is short, and whose headers Daphne can read.

    It is answered no faster than the answer is read, and one that breaks off is cut off.
    """

    refused = False
    drained: asyncio.Event | None = None  # once the transport has told us to wait

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        # None is "in chunks, and who knows how many": no browser sends that.
        if length is None or length > MAX_MESSAGE:
            self.refused = True
            self.channel.write(b"HTTP/1.1 413 Content Too Large\r\n\r\n")
            self.channel.loseConnection()

    def process(self) -> Any:
        if self.refused:
            return None
        # Daphne believes whoever says that the site is somewhere else, and then finds no page.
        self.requestHeaders.removeHeader(b"Daphne-Root-Path")
        offered = self.requestHeaders.getRawHeaders(b"Sec-WebSocket-Protocol", [])
        if not all(map(bytes.isascii, offered)):
            return self.basic_error(400, b"Bad Request", "Invalid header value")
        processed = super().process()
        if application := self.server.connections.get(self, {}).get("application_instance"):
            application.add_done_callback(self.answered)
        return processed

    def handle_reply(self, message: dict[str, Any]) -> None:
        more = message.get("more_body", False)
        if more and not self.producer and self.channel:
            self.registerProducer(self, True)  # so that the transport says when its buffer is full
        elif not more and self.producer:
            self.unregisterProducer()
        super().handle_reply(message)

    def pauseProducing(self) -> None:
        self.drained = asyncio.Event()

    def resumeProducing(self) -> None:
        if self.drained:
            self.drained.set()

    stopProducing = resumeProducing  # the connection is lost: nothing is to be waited for

    def connectionLost(self, reason: Any) -> None:
        self.resumeProducing()
        super().connectionLost(reason)

    async def wait_for_reader(self) -> None:
        if self.drained is None:
            return
        try:
            # No wait_for(): it loses a cancellation that comes together with the event.
            async with asyncio.timeout(READER_LIMIT_S):
                await self.drained.wait()
        except TimeoutError:
            self.cut_off()

    def answered(self, application: asyncio.Future[None]) -> None:
        if self._response_started and not self.finished:
            self.cut_off()  # or the half of an answer would look like all of it

    def cut_off(self) -> None:
        if self.channel and self.channel.transport:
            self.channel.transport.abortConnection()


async def reply(server: Server, protocol: Any, message: dict[str, Any]) -> None:
    """Daphne's own, and then the time that the reader takes."""
    await handle_reply(server, protocol, message)
    if isinstance(protocol, PageRequest):
        await protocol.wait_for_reader()


def apply() -> None:
    """Let every server of this process make its connections of these classes."""
    WebSocketFactory.protocol = DeviceSocket
    # At each handshake Autobahn formats all its options for a line of debugging that nobody reads:
    # a quarter of what an arrival costs.
    autobahn.websocket.protocol.pformat = repr
    daphne.http_protocol.WebRequest = PageRequest
    Server.handle_reply = reply
