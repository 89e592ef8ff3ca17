"""Who is on the other end of a connection, as far as they have said."""

import logging
from typing import Any

from powerlog.protocol import FrameError
from powerlog.traffic import traffic

logger = logging.getLogger(__name__)


class Peer:
    """device_id is None until the first frame; heard_at is when the last one came, Unix seconds."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.address, self._port = (scope.get("client") or ("unknown", 0))[:2]
        self.device_id: str | None = None
        self.heard_at = 0.0
        self.bad_frames = 0

    def reject(self, why: FrameError, message: str | bytes) -> None:
        """Count a bad message; the first of a connection is logged, cut to 75 characters."""
        if not self.bad_frames:
            logger.warning("%s: no frame (%s): %.75r", self, why, message[:75])
        traffic.rejected[str(why)] += 1
        self.bad_frames += 1

    def __str__(self) -> str:
        return f"{self.device_id or 'a stranger'} ({self.address}:{self._port})"
