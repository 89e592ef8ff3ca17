"""Addresses that are read more slowly than they send, because their budget is used up: how many
there are now, and for how long in all, whatever number of sockets each of them has.

For the event loop; another thread may ask. Nothing is walked through, and no frame comes here.
"""

import time
from collections import Counter


class Slowed:
    """Seconds are those of the addresses, each by itself, on the monotonic clock."""

    def __init__(self) -> None:
        self._sockets: Counter[str] = Counter()
        # Seconds until a moment, that moment, and how many addresses go on. Replaced as a whole: a
        # thread that read the one before and the other after a change would see time run back.
        self._known = 0.0, time.monotonic(), 0

    def begins(self, address: str) -> None:
        self._sockets[address] += 1
        self._note()

    def ends(self, address: str) -> None:
        self._sockets[address] -= 1
        if self._sockets[address] <= 0:
            del self._sockets[address]
        self._note()

    def _note(self) -> None:
        if len(self._sockets) != self._known[2]:
            self._known = self.seconds, time.monotonic(), len(self._sockets)

    @property
    def seconds(self) -> float:
        seconds, at, addresses = self._known
        return seconds + addresses * (time.monotonic() - at)

    def __len__(self) -> int:
        return self._known[2]


slowed = Slowed()
