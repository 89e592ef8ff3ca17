"""A span in which a device is connected.

Pure.
"""

from collections.abc import Iterator
from typing import NamedTuple

from powerlog.simulation.curves import MINUTE_S


class Connection(NamedTuple):
    """A span in which a device is connected. Before synced its only time is its uptime."""

    start: float
    end: float
    booted: float
    synced: float

    def later(self, by_s: float) -> "Connection":
        """Return the same connection by a clock that is so much ahead."""
        return Connection(*(moment + by_s for moment in self))

    def full_minutes(self) -> Iterator[float]:
        """Return the full minutes of the device's clock; where that is never set, of its uptime."""
        origin = self.booted if self.synced > self.end else 0.0
        since = max(self.start, min(self.synced, self.end) if not origin else 0.0)
        minute = origin + ((since - origin) // MINUTE_S + 1) * MINUTE_S
        while minute < self.end:
            yield minute
            minute += MINUTE_S
