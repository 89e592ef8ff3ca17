"""A WebSocket that is read no faster than its messages are handled, paid for, and answered.

What is not read waits in the kernel, and then at the sender: nothing is lost. What it may send is
drawn from its budget in small parts, so that a frame costs two subtractions.
"""

import logging
import time
from typing import Any

from daphne.server import reactor
from django.conf import settings

from powerlog.devices.connections import traffic
from powerlog.log_budget import brake
from powerlog.log_once import once
from powerlog.server.deadlines import POLICY_VIOLATION
from powerlog.server.listener import Entrance
from powerlog.server.rate_limits import Budget
from powerlog.server.slowed_addresses import slowed
from powerlog.server.speed_patches import QuickSocket

logger = logging.getLogger(__name__)

# Bytes of messages that wait to be handled before no more are read. A device says as much in half
# an hour.
MAX_WAITING = 256 * 1024
MESSAGE_OVERHEAD = 256  # what a message weighs in Python beside its text
LOOK_AGAIN_S = 0.01
WORTH_A_LINE_S = 1.0
PIECE_OR_CONTROL = 7
Message = dict[str, Any]


class PacedSocket(QuickSocket):
    """Its messages wait in application_queue, Daphne's."""

    waiting = 0  # bytes of messages since the last time that none waited
    messages_wait = answers_wait = has_mended = False
    frames_left = bytes_left = 0  # drawn from the budget; a debt is waited for
    unpaid_until = 0.0  # on the monotonic clock
    unpaid: tuple[Message, int] | None = None
    slowed_at: str | None = None  # the address that is read more slowly because of this
    autoPingTimeoutCall = None

    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget()

    def onOpen(self) -> None:
        super().onOpen()
        # So that the transport says when its buffer is full: a flood of pings is one of pongs.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """As Daphne's own, but that a message bears the moment at which it was received: one may
        wait for the past of its device for seconds, and an answer has no other time."""
        self.frames_left -= 1  # not counts(): here each call counts
        if self.muted or (self.frames_left < 0 and not self.draws_frames()):
            return
        weight = len(payload) + MESSAGE_OVERHEAD
        self.bytes_left -= weight
        if self.bytes_left < 0:
            self.draw_bytes()
        now = self.last_ping = time.time()
        message: Message = {"type": "websocket.receive", "at": now}
        if isBinary:
            message["bytes"] = payload
        else:
            try:
                message["text"] = text = payload.decode()
            except UnicodeDecodeError:
                message["text"] = text = self.mended(payload)
            if not text.isascii():
                weight += 3 * len(payload)  # one character of four bytes makes four of each
        if self.held:
            self.unpaid = message, weight
        else:
            self.hand_on(message, weight)

    def hand_on(self, message: Message, weight: int) -> None:
        if self.application_queue.empty():
            self.waiting = 0
        self.waiting += weight
        self.application_queue.put_nowait(message)
        if self.waiting > MAX_WAITING and not self.messages_wait:
            self.messages_wait, self.full = True, Entrance.is_open
            self.pause()
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

    def onFrameBegin(self) -> None:
        """Pings, pongs and pieces of messages, which never get to onMessage(), are frames, too."""
        if self.current_frame.opcode > PIECE_OR_CONTROL or not self.current_frame.fin:
            self.frames_left -= 1
            self.bytes_left -= MESSAGE_OVERHEAD
            if self.frames_left < 0:
                self.draws_frames()
            if self.bytes_left < 0:
                self.draw_bytes()
        super().onFrameBegin()

    def draws_frames(self) -> bool:
        """False: there are none left. The first that is too much ends the connection."""
        self.frames_left = self.budget.draw_frames() - 1
        if self.frames_left < 0 and self.state == self.STATE_OPEN:
            rate = f"more than {settings.MAX_FRAMES_PER_S} frames a second"
            self._fail_connection(POLICY_VIOLATION, rate)
        return self.frames_left >= 0

    def draw_bytes(self) -> None:
        """Pay for what was read; where that takes time it waits, and nothing more is read."""
        drawn, wait_s = self.budget.draw_bytes(-self.bytes_left)
        self.bytes_left += drawn
        if not wait_s or not Entrance.is_open:
            return
        self.unpaid_until = time.monotonic() + wait_s
        address = self.budget.address or "a stranger"
        if wait_s > WORTH_A_LINE_S:
            once(logger, logging.WARNING, f"{address} is read more slowly: it sends too much")
        if not self.held:
            self.held = True
            self.slowed_at = address
            slowed.begins(address)
            self.pause()
            reactor.callLater(wait_s, self.go_on)

    def go_on(self) -> None:
        """Read on once it is paid for, first what is here already."""
        if (wait_s := self.unpaid_until - time.monotonic()) > 0:
            reactor.callLater(wait_s, self.go_on)
            return
        self.held = False
        self.is_slowed_no_more()
        if self.state == self.STATE_CLOSED:
            return
        if self.unpaid:
            self.hand_on(*self.unpaid)
            self.unpaid = None
        self.dataReceived(b"")
        self.read_on()

    def is_slowed_no_more(self) -> None:
        if self.slowed_at is not None:
            slowed.ends(self.slowed_at)
            self.slowed_at = None

    def pause(self) -> None:
        """Stop reading. An answer to a ping cannot be expected from then on."""
        self.transport.pauseProducing()
        if self.autoPingTimeoutCall:
            self._cancelAutoPingTimeoutCall()

    def check_timeouts(self) -> None:
        if self.held or self.messages_wait:
            self.last_ping = time.time()
        super().check_timeouts()

    def catch_up(self) -> None:
        """Read on once no message waits, first what is here already; the queue does not tell when
        that is."""
        if self.application_queue.empty():
            self.messages_wait = self.full = False
            if self.state != self.STATE_CLOSED:
                self.dataReceived(b"")
            self.read_on()
        elif self.state != self.STATE_CLOSED:
            reactor.callLater(LOOK_AGAIN_S, self.catch_up)

    @property
    def is_read(self) -> bool:
        return not (self.messages_wait or self.answers_wait or self.held)

    def read_on(self) -> None:
        if self.is_read:
            self.transport.resumeProducing()

    def pauseProducing(self) -> None:
        self.answers_wait = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.answers_wait = False
        self.read_on()

    def stopProducing(self) -> None:
        """The connection is lost; Twisted wants to say so."""

    def connectionLost(self, reason: Any) -> None:
        self.budget.close(self.frames_left)
        self.is_slowed_no_more()
        super().connectionLost(reason)
