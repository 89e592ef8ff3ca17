"""What this process has on its sockets now and has seen on them, for the status page."""

from collections import Counter
from typing import Any

from powerlog.core.frame import Frame


class Traffic:
    """The devices connected now, each with its live connection; messages since the start."""

    def __init__(self) -> None:
        self.devices: dict[str, Any] = {}
        self.frames = self.full = self.other = 0
        self.not_utf8 = 0  # taken all the same
        self.texts = 0  # numbers that came as texts, which are not taken
        # Of a few fixed words each, never of what was received: `/` shows them all.
        self.rejected: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()  # connections that were not let in

    @property
    def kinds(self) -> dict[str, int]:
        """How many frames were a whole status, what has changed, and anything else."""
        changes = self.frames - self.full - self.other - self.bad_frames
        return {"full": self.full, "delta": changes, "other": self.other}

    def silent(self, since: float) -> int:
        """How many of those connected have not been heard since then, Unix seconds."""
        return sum(each.peer.heard_at < since for each in list(self.devices.values()))

    def heard(self, frame: Frame) -> None:
        """One of another kind than nearly all are."""
        self.full += frame.full
        self.other += not frame.readings

    @property
    def bad_frames(self) -> int:
        return self.rejected.total()

    def came(self, device_id: str, connection: Any) -> Any:
        """The newest connection of a device is its live one. Returns the one before, if any."""
        older = self.devices.get(device_id)
        self.devices[device_id] = connection
        return older

    def went(self, device_id: str, connection: Any) -> None:
        if self.devices.get(device_id) is connection:
            del self.devices[device_id]


traffic = Traffic()
