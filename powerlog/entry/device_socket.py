"""A device's WebSocket: what it may cost.

The promise: what a connection holds in memory is bounded, what it costs in time is bounded by the
budgets of its device and its address, and nothing that arrives on it makes a traceback. Silence is
Daphne's business: it ends a WebSocket that answers no ping within half a minute; one that answers
them and never says a word is ended here.
"""

import logging
from typing import Any

from powerlog.entry.entrance import Entrance
from powerlog.entry.farewell import LeavingSocket
from powerlog.entry.handshake import EarlySocket
from powerlog.entry.paced_socket import POLICY_VIOLATION, PacedSocket
from powerlog.entry.traffic import traffic

logger = logging.getLogger(__name__)

MAX_MESSAGE = 64 * 1024  # bytes; the longest status of a Shelly is shorter
FIRST_FRAME_S = 60.0  # a Shelly speaks as soon as it is connected
CUT_OFF = {1009: "too long", POLICY_VIOLATION: "too many or none"}


class DeviceSocket(LeavingSocket, EarlySocket, PacedSocket):
    """All that a WebSocket of this server is."""

    # Autobahn takes an option from the factory only where the class has none.
    maxMessagePayloadSize = maxFramePayloadSize = MAX_MESSAGE

    def check_timeouts(self) -> None:
        super().check_timeouts()
        never_spoke = self.state == self.STATE_OPEN and not self.waiting
        if never_spoke and self.duration() > FIRST_FRAME_S:
            self._fail_connection(POLICY_VIOLATION, f"no message for {FIRST_FRAME_S:.0f} s")

    def go_away(self) -> None:
        super().go_away()
        self.unpaid_until = 0.0
        if self.held:
            self.go_on()

    def connectionLost(self, reason: Any) -> None:
        Entrance.leave(self.transport.getPeer())
        super().connectionLost(reason)

    def __repr__(self) -> str:
        return f"<WebSocket of {self.client_addr}>"  # Daphne's has the path, with the token

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
            logger.warning("%s: cut off (%d), %s", self.address, code, reason)
        # Where the peer is to hear of it the rest of its message is read, and thrown away, until
        # it has: for a second at most.
        self.failByDrop = what is None
        super()._fail_connection(code, reason)
