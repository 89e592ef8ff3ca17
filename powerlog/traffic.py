"""What this process has seen on its sockets, for the status page."""

from collections import Counter


class Traffic:
    """The devices connected now, and the messages since the start of the process."""

    def __init__(self) -> None:
        # By the number of open sockets: after a loss of Wi-Fi a device has two for a while.
        self.devices: Counter[str] = Counter()
        self.frames = 0
        self.bad_frames = 0

    def came(self, device_id: str) -> None:
        self.devices[device_id] += 1

    def went(self, device_id: str) -> None:
        self.devices[device_id] -= 1
        if not self.devices[device_id]:
            del self.devices[device_id]


traffic = Traffic()
