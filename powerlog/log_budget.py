"""How many lines of the log each address may cause: of those who are let in.

A device has a line when it comes, when it goes, and for its first bad message. Whoever dials again
and again would fill the disk with them. LINES a minute are for each address, and LINES_OF_DEVICE
more for each device that it has connected: a fleet that comes back after a restart has all of its
lines. What is left out one line tells at the end of the minute.
"""

import asyncio
import logging
import time
from collections import Counter

from powerlog.client_address import place

logger = logging.getLogger(__name__)

MINUTE_S = 60.0
LINES, ALL_LINES = 1000, 10_000  # of an address, and of all of them
LINES_OF_DEVICE = 2
ADDRESSES = 20_000  # that are told from each other in a minute; the others share one account
ELSEWHERE = "other addresses"
NAMED = 5


class Brake:
    """Log a line, or leave it out, as the module says. For the event loop.

    An address is an IPv4 address, or a /64 of IPv6.
    """

    def __init__(self) -> None:
        self.devices: Counter[str] = Counter()
        self._connected = 0
        self._left_out: Counter[str] = Counter()
        self._told_at: asyncio.TimerHandle | None = None
        self._begin(-1)

    def _begin(self, minute: int) -> None:
        self._minute, self._logged, self._most_connected = minute, 0, self._connected
        self._lines: Counter[str] = Counter()
        # A device that has gone this minute had its share of lines all the same.
        self._most_devices: dict[str, int] = {}

    def __call__(
        self, address: str, log: logging.Logger, level: int, line: str, *values: object
    ) -> None:
        now = time.monotonic()
        if (minute := int(now // MINUTE_S)) != self._minute:
            self.tell()
            self._begin(minute)
        where = place(address)
        if where not in self._lines and len(self._lines) >= ADDRESSES:
            where = ELSEWHERE
        if self._has_line(where):
            self._logged += 1
            log.log(level, line, *values)
            return
        self._left_out[where] += 1
        if self._told_at is None:
            loop = asyncio.get_running_loop()
            self._told_at = loop.call_later(MINUTE_S - now % MINUTE_S, self.tell)

    def _has_line(self, where: str) -> bool:
        self._lines[where] += 1
        devices = max(self._most_devices.get(where, 0), self.devices[where])
        self._most_devices[where] = devices
        self._most_connected = max(self._most_connected, self._connected)
        of_all = ALL_LINES + LINES_OF_DEVICE * self._most_connected
        return self._lines[where] <= LINES + LINES_OF_DEVICE * devices and self._logged < of_all

    def tell(self) -> None:
        """Say what was left out, if anything."""
        if self._told_at:
            self._told_at.cancel()
        self._told_at = None
        if not (count := self._left_out.total()):
            return
        where = [f"{lines} about {each}" for each, lines in self._left_out.most_common(NAMED)]
        more = len(self._left_out) - NAMED
        where += [f"others about {more} more addresses"] if more > 0 else []
        logger.warning("%d lines of this minute were left out: %s", count, ", ".join(where))
        self._left_out.clear()

    def came(self, address: str) -> None:
        self.devices[place(address)] += 1
        self._connected += 1

    def went(self, address: str) -> None:
        where = place(address)
        self._connected -= 1
        self.devices[where] -= 1
        if self.devices[where] <= 0:
            del self.devices[where]


brake = Brake()
