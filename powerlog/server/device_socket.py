"""A device's WebSocket: what it may cost.

The promise: what a connection holds in memory is bounded, what it costs in time is bounded by the
budgets of its device and its address, and nothing that arrives on it makes a traceback. A message
that never ends is ended by deadlines.py, a connection without a frame of a device by session.py. A
WebSocket that answers no ping within half a minute is Daphne's business.
"""

from typing import Any

from powerlog.devices.connections import traffic
from powerlog.server.deadlines import POLICY_VIOLATION, PromptSocket
from powerlog.server.flow_control import PacedSocket
from powerlog.server.handshake import EarlySocket
from powerlog.server.listener import Entrance
from powerlog.server.shutdown import LeavingSocket

MAX_MESSAGE = 64 * 1024  # bytes; the longest status of a Shelly is shorter
CUT_OFF = {1009: "too long", POLICY_VIOLATION: "too many or too slow"}


class DeviceSocket(LeavingSocket, EarlySocket, PacedSocket, PromptSocket):
    """All that a WebSocket of this server is."""

    # Autobahn takes an option from the factory only where the class has none.
    maxMessagePayloadSize = maxFramePayloadSize = MAX_MESSAGE

    def go_away(self) -> None:
        super().go_away()
        self.unpaid_until = 0.0
        if self.held:
            self.go_on()
        if self.full:
            self.full = False
            self.dataReceived(b"")

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
            self.warn("%s: cut off (%d), %s", self.address, code, reason)
        # Where the peer is to hear of it the rest of its message is read, and thrown away, until
        # it has: for a second at most.
        self.failByDrop = what is None
        super()._fail_connection(code, reason)
