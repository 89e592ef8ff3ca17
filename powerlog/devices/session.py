"""One connection and the device behind it: its id, and whether it may send."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from powerlog.core.frame import Frame, FrameError
from powerlog.devices.access import WAITS, admission
from powerlog.devices.connections import traffic
from powerlog.devices.pending import waiting_room
from powerlog.log_budget import brake
from powerlog.log_once import once

logger = logging.getLogger(__name__)

# Close codes of the application.
SUPERSEDED, TWO_NAMES, NEVER_SPOKE, NOT_ALLOWED = 4000, 4001, 4002, 4003
OTHER_SRC = "another src than before"
BINARY = "binary"
OTHERS_AT_MOST = 10
FULL = "the waiting room is full"
NO_FRAME = "no frame of a device"
FIRST_FRAME_S = 60.0  # a Shelly sends a frame as soon as it is connected


class Peer:
    """device_id is None until the first frame, and stays as it is then: one socket, one device.

    heard_at is when the last frame came, Unix seconds. refused is the code to close with, or 0.
    """

    def __init__(self, scope: dict[str, Any]) -> None:
        self.address, self._port = (scope.get("client") or ("unknown", 0))[:2]
        self.device_id: str | None = None
        self.heard_at = 0.0
        self.bad_frames = self.texts = self._others = self.refused = 0
        self.waited = False
        self._key, self._held = scope.get("key", ""), scope.get("held")
        self._send, self._budget = scope.get("send"), scope.get("budget")
        self._passed: object = None  # the policy that let it in
        self._deadline: asyncio.TimerHandle | None = None
        self._end: asyncio.Task[None] | None = None

    def expect(self) -> None:
        """Give it FIRST_FRAME_S for a frame of a device; no other message counts, nor a pong."""
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(FIRST_FRAME_S, self._is_late)

    def forget_deadline(self) -> None:
        """A frame has come, or the connection has ended."""
        if self._deadline:
            self._deadline.cancel()
        self._deadline = None

    def _is_late(self) -> None:
        self._cut_off(NEVER_SPOKE, NO_FRAME)

    def send_away(self) -> None:
        """Close it: another pending device has its place."""
        self._cut_off(NOT_ALLOWED, FULL)

    def _cut_off(self, code: int, why: str) -> None:
        self._refuse(code, why)
        if self._send:
            self._end = asyncio.ensure_future(self.close(code))

    def passes(self, frame: Frame) -> bool:
        """Return whether to accept this frame. Cheap while nothing has changed."""
        if self._passed is admission.policy and frame.device_id == self.device_id:
            return True
        if self.device_id is None:
            self.device_id = frame.device_id
            self.forget_deadline()
        if frame.device_id != self.device_id:
            return self._speaks_for_another(frame)
        return self._judged(frame)

    def _speaks_for_another(self, frame: Frame) -> bool:
        self.reject(FrameError(OTHER_SRC), frame.device_id)
        self._others += 1
        if self._others == OTHERS_AT_MOST:
            self._refuse(TWO_NAMES, OTHER_SRC)
        return False

    def _judged(self, frame: Frame) -> bool:
        policy = admission.policy
        why = admission.objection(frame.device_id, self._key, self._held)
        if why == WAITS:
            self._wait(frame)
        elif why:
            self._refuse(NOT_ALLOWED, why)
        else:
            if self._budget:
                self._budget.speaks_for(frame.device_id)
            # The registry keeps a peer, but is not to keep its socket.
            self._passed, self._send, self._budget = policy, None, None
        return not why

    def _wait(self, frame: Frame) -> None:
        if self.refused:  # it may still send until it receives the close
            return
        if not self.waited:
            once(logger, logging.INFO, f"{self} waits for staff to accept it")
        self.waited = True
        if not waiting_room.hear(self, frame):
            self._refuse(NOT_ALLOWED, FULL)

    def may_speak(self) -> bool:
        """Return whether staff let it in now; passes() is for its frames."""
        return not admission.objection(self.device_id or "", self._key, self._held)

    def has_to_go(self) -> int:
        """Return the code to close with, or 0: it may stay."""
        why = self._objection()
        if why and why != WAITS:
            self._refuse(NOT_ALLOWED, why)
        return self.refused

    def has_to_wait(self) -> bool:
        return self._objection() == WAITS

    def _objection(self) -> str:
        return admission.objection(self.device_id or "", self._key, self._held)

    async def close(self, code: int) -> None:
        """Close the socket of a connection that has sent no frame yet."""
        if self._send:
            await self._send({"type": "websocket.close", "code": code})

    def _refuse(self, code: int, why: str) -> None:
        if not self.refused:
            traffic.refused[why] += 1
            who = f"{self.address} as {self.device_id}" if self.device_id else self.address
            once(logger, logging.WARNING, f"{who} is cut off: {why}")
        self.refused = code

    def reject(self, why: FrameError, message: str | bytes) -> None:
        """Count a bad message; the first of a connection is logged, cut to 75 characters.

        Bytes are a binary message with any content: devices send text.
        """
        why = FrameError(BINARY) if isinstance(message, bytes) else why
        if not self.bad_frames:
            self._warn("%s: no frame (%s): %.75r", self, why, message[:75])
        traffic.rejected[str(why)] += 1
        self.bad_frames += 1

    def note_texts(self, names: Sequence[str]) -> None:
        """Count numbers that came as texts; the first of a connection are logged, cut as well."""
        if names and not self.texts:
            found = ", ".join(names)
            self._warn("%s: texts instead of numbers are not taken: %.75r", self, found)
        traffic.texts += len(names)
        self.texts += len(names)

    def _warn(self, line: str, *values: object) -> None:
        brake(self.address, logger, logging.WARNING, line, *values)

    def __str__(self) -> str:
        return f"{self.device_id or 'a stranger'} ({self.address}:{self._port})"
