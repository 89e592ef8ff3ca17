"""How long a request and a message may take: from their first byte on, however it trickles.

Twisted's limit starts again with each byte, and Daphne has none for a message: a byte now and then
held a connection for ever.
"""

import time

from daphne.ws_protocol import WebSocketProtocol
from twisted.web.http import HTTPChannel

REQUEST_S = 60.0  # of a connection without one as well
MESSAGE_S = 60.0
POLICY_VIOLATION = 1008
# Pieces of a message are joined when they are so many: a list of single bytes weighs forty times
# what they weigh as one.
MAX_PIECES = 64


class PromptChannel(HTTPChannel):
    """A connection for requests, each complete REQUEST_S after its first byte or the connect.

    It may be as long without a further one. While a request is answered there is no limit here.
    """

    has_begun = True  # the time of the first request begins with the connection

    def resetTimeout(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            super().resetTimeout()

    def requestDone(self, request: object) -> None:
        self.has_begun = False
        super().requestDone(request)


class PromptSocket(WebSocketProtocol):
    """A WebSocket that ends a message, or a control frame, MESSAGE_S after its first byte."""

    is_read = True  # what nobody reads cannot end
    _half: tuple[int, float] | None = None  # messages before it, and when it was first seen

    def check_timeouts(self) -> None:
        """Every two seconds: a message that comes whole costs nothing."""
        super().check_timeouts()
        if not self._is_within_a_message():
            self._half = None
            return
        before, now = self.trafficStats.incomingWebSocketMessages, time.monotonic()
        if self._half is None or self._half[0] != before:
            self._half = before, now
        elif now - self._half[1] > MESSAGE_S:
            reason = f"a message of more than {MESSAGE_S:.0f} s"
            self._fail_connection(POLICY_VIOLATION, reason)

    def _is_within_a_message(self) -> bool:
        begun = self.inside_message or self.current_frame is not None or bool(self.data)
        return begun and self.is_read and self.state == self.STATE_OPEN

    def onMessageFrameData(self, payload: bytes) -> None:
        super().onMessageFrameData(payload)
        join(self.frame_data)

    def onMessageFrame(self, payload: list[bytes]) -> None:
        super().onMessageFrame(payload)
        join(self.message_data)


def join(pieces: list[bytes]) -> None:
    if len(pieces) > MAX_PIECES:
        pieces[:] = [b"".join(pieces)]
