"""What a stranger can cost: limits on every connection, whichever way Daphne was started.

Daphne's own options reach only a server that is made with them. The two classes here take the
place of Daphne's in every server of this process: of a WebSocket, and of a request for a page.
The promise: what a connection holds in memory is bounded, and nothing that arrives on it makes a
traceback; what it costs in time is bounded as well, and no public address has more than its share
of the connections. What takes for ever to come to its end is ended by deadlines.py, a connection
without a frame of a device by peer.py. A WebSocket that answers no ping within half a minute is
Daphne's business.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import autobahn.websocket.protocol
import daphne.http_protocol
import daphne.server
from daphne.server import Server, reactor
from daphne.ws_protocol import WebSocketFactory
from django.conf import settings
from twisted.internet import asyncioreactor
from twisted.python import log
from twisted.web.http import HTTPChannel

from powerlog.entry.brake import brake
from powerlog.entry.deadlines import POLICY_VIOLATION, PromptSocket
from powerlog.entry.entrance import Entrance, log_without_secrets
from powerlog.entry.farewell import LeavingSocket, farewell
from powerlog.entry.handshake import EarlySocket, Upgrade, bad_request
from powerlog.entry.quick_socket import QuickSocket
from powerlog.entry.traffic import traffic

logger = logging.getLogger(__name__)

MAX_MESSAGE = 64 * 1024  # bytes; the longest status of a Shelly is shorter
MAX_BODY = 1024 * 1024  # bytes that a page is sent
BURST_S = 10.0  # so many seconds' worth of frames may come at once, as after a network that stalled
CUT_OFF = {1009: "too long", POLICY_VIOLATION: "too many or too slow"}
# Bytes of messages that wait to be handled before no more are read; the kernel holds more of them,
# and then the sender. A device says as much in half an hour.
MAX_WAITING = 256 * 1024
MESSAGE_OVERHEAD = 256  # what a message weighs in Python beside its text
LOOK_AGAIN_S = 0.01
READER_LIMIT_S = 120.0  # a reader of pages that takes nothing for so long is gone
handle_reply = Server.handle_reply


class DeviceSocket(LeavingSocket, EarlySocket, PromptSocket, QuickSocket):
    """A WebSocket that is read no faster than it is handled, and takes what it is answered.

    The rate is a token bucket, looked at when it is empty: a frame costs but a subtraction.
    """

    # Autobahn takes an option from the factory only where the class has none.
    maxMessagePayloadSize = maxFramePayloadSize = MAX_MESSAGE
    waiting = 0  # bytes of messages since the last time that none waited
    messages_wait = answers_wait = has_mended = False
    left = int(BURST_S * settings.MAX_FRAMES_PER_S)  # frames, until it is to be filled again
    filled_at = 0.0  # on the monotonic clock: nobody is cut off where the other one is set back

    def onOpen(self) -> None:
        super().onOpen()
        self.filled_at = time.monotonic()
        # So that the transport says when its buffer is full: a flood of pings is one of pongs.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """As Daphne's own, but that a message bears the moment at which it was received: one may
        wait for the past of its device for seconds, and an answer has no other time."""
        self.left -= 1  # not may_say_more(): here each call counts
        if self.muted or (self.left < 0 and not self.refilled()):
            return
        if self.application_queue.empty():
            self.waiting = 0
        self.waiting += len(payload) + MESSAGE_OVERHEAD
        now = self.last_ping = time.time()
        try:
            data = {"bytes": payload} if isBinary else {"text": payload.decode()}
        except UnicodeDecodeError:
            data = {"text": self.mended(payload)}
        if "text" in data and not data["text"].isascii():
            self.waiting += 3 * len(payload)  # one character of four bytes makes four of each
        self.application_queue.put_nowait({"type": "websocket.receive", "at": now, **data})
        if self.waiting > MAX_WAITING and not self.messages_wait:
            self.messages_wait = True
            self.transport.pauseProducing()
            reactor.callLater(LOOK_AGAIN_S, self.catch_up)

    def mended(self, payload: bytes) -> str:
        """The text with U+FFFD in the place of what is not UTF-8: its readings are good."""
        text = payload.decode(errors="replace")
        if not self.has_mended:
            self.warn("%s: not UTF-8, taken with U+FFFD: %.75r", self.address, text[:75])
        self.has_mended = True
        traffic.not_utf8 += 1
        return text

    @property
    def address(self) -> str:
        return ":".join(map(str, self.client_addr or ["a stranger"]))

    def warn(self, line: str, *values: object) -> None:
        host = str(self.client_addr[0]) if self.client_addr else ""
        brake(host, logger, logging.WARNING, line, *values)

    def may_say_more(self) -> bool:
        """Count one more frame. The first that is too much ends the connection."""
        self.left -= 1
        return self.left >= 0 or self.refilled()

    def refilled(self) -> bool:
        now, before = time.monotonic(), self.filled_at
        self.filled_at = now
        self.left = int(min(BURST_S, now - before) * settings.MAX_FRAMES_PER_S) - 1
        if self.left < 0 and self.state == self.STATE_OPEN:
            rate = f"more than {settings.MAX_FRAMES_PER_S} frames a second"
            self._fail_connection(POLICY_VIOLATION, rate)
        return self.left >= 0

    def onFrameBegin(self) -> None:
        """Pings, pongs and pieces of messages, which never get to onMessage(), are frames, too."""
        if self.current_frame.opcode > 7 or not self.current_frame.fin:
            self.may_say_more()
        super().onFrameBegin()

    @property
    def is_read(self) -> bool:  # type: ignore[override]
        return not (self.messages_wait or self.answers_wait)

    def catch_up(self) -> None:
        """Read on once no message waits; the queue does not tell when that is."""
        if self.application_queue.empty():
            self.messages_wait = False
            self.read_on()
        elif self.state != self.STATE_CLOSED:
            reactor.callLater(LOOK_AGAIN_S, self.catch_up)

    def read_on(self) -> None:
        if self.is_read:
            self.transport.resumeProducing()

    def pauseProducing(self) -> None:
        self.answers_wait = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.answers_wait = False
        self.read_on()

    def connectionLost(self, reason: Any) -> None:
        if not settings.BEHIND_PROXY:
            Entrance.tally.leave(getattr(self.transport.getPeer(), "host", ""))
        super().connectionLost(reason)

    def __repr__(self) -> str:
        return f"<WebSocket of {self.client_addr}>"  # Daphne's has the path, with the token

    def stopProducing(self) -> None:
        """The connection is lost; Twisted wants to say so."""

    def handle_reply(self, message: dict[str, Any]) -> None:
        # Daphne learns a moment later that a socket is closed, and sending would raise until then.
        if self.state in (self.STATE_CONNECTING, self.STATE_OPEN):
            super().handle_reply(message)

    def _fail_connection(self, code: int, reason: str) -> None:
        """Say why, once. Who broke a limit is told the code, all else is just dropped."""
        what = CUT_OFF.get(code)
        if not self.failedByMe:
            traffic.frames += 1
            traffic.rejected[what or "no WebSocket frame"] += 1
            self.warn("%s: cut off (%d), %s", self.address, code, reason)
        # Where the peer is to hear of it the rest of its message is read, and thrown away, until
        # it has: for a second at most.
        self.failByDrop = what is None
        super()._fail_connection(code, reason)


class PageRequest(Upgrade):
    """A request whose body is short.

    It is answered no faster than the answer is read, and one that breaks off is cut off.
    """

    refused = False
    drained: asyncio.Event | None = None  # once the transport has told us to wait

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        # None is "in chunks, and who knows how many": no browser sends that.
        if length is None or length > MAX_BODY:
            self.refused = True
            self.channel.write(b"HTTP/1.1 413 Content Too Large\r\n\r\n")
            self.channel.loseConnection()

    def process(self) -> Any:
        if self.refused:
            return None
        # Daphne believes whoever says that the site is somewhere else, and then finds no page.
        self.requestHeaders.removeHeader(b"Daphne-Root-Path")
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


def straight(selectable: Any, call: Callable[..., None], *arguments: Any) -> None:
    """As Twisted's callWithLogger(): a read or write that raises is its log's business."""
    try:
        call(*arguments)
    except Exception:  # noqa: BLE001 (a socket that is gone already, say)
        log.err(system=selectable.logPrefix())


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
    # For each read and write Twisted notes down whose log lines may follow. There are none: what a
    # socket has to say it says itself.
    asyncioreactor.callWithLogger = straight  # type: ignore[attr-defined]
    daphne.http_protocol.WebRequest = PageRequest
    HTTPChannel._respondToBadRequestAndDisconnect = bad_request  # type: ignore[method-assign]
    Server.handle_reply = reply
    Server.kill_all_applications = farewell
    daphne.server.HTTPFactory = Entrance
    Server.log_action = log_without_secrets
