"""What this process has on its sockets now and has seen on them, for the status page."""

from collections import Counter
from typing import Any


class Traffic:
    """The devices connected now, each with its live connection; messages since the start."""

    def __init__(self) -> None:
        self.devices: dict[str, Any] = {}
        self.frames = 0
        # Of a few fixed words each, never of what was received: `/` shows them all.
        self.rejected: Counter[str] = Counter()

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
