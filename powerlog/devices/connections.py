"""The live connections of this process, and its counts of messages, for the status page."""

from collections import Counter
from typing import Any

from powerlog.core.frame import Frame


class Traffic:
    """The devices connected now, each with its live connection; messages since the start."""

    def __init__(self) -> None:
        self.devices: dict[str, Any] = {}
        self.frames = self.full = self.other = 0
        self.not_utf8 = 0  # accepted all the same
        self.texts = 0  # numbers that came as texts, which are not accepted
        # The keys are a few fixed words, never received text: `/` shows them all.
        self.rejected: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()  # connections that were not let in

    @property
    def kinds(self) -> dict[str, int]:
        """Return the counts of frames: full statuses, changes, and all others."""
        changes = self.frames - self.full - self.other - self.bad_frames
        return {"full": self.full, "delta": changes, "other": self.other}

    def silent(self, since: float) -> int:
        """Return how many connected devices have sent nothing since then, Unix seconds."""
        return sum(each.peer.heard_at < since for each in list(self.devices.values()))

    def heard(self, frame: Frame) -> None:
        """Count a frame of one of the rarer kinds."""
        self.full += frame.full
        self.other += not frame.readings

    @property
    def bad_frames(self) -> int:
        return self.rejected.total()

    def came(self, device_id: str, connection: Any) -> Any:
        """Make this the live connection of a device. Return the one before, if any."""
        older = self.devices.get(device_id)
        self.devices[device_id] = connection
        return older

    def went(self, device_id: str, connection: Any) -> None:
        if self.devices.get(device_id) is connection:
            del self.devices[device_id]


traffic = Traffic()
