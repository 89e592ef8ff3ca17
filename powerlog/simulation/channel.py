"""A channel of a simulated device: its power, its counters, and what goes wrong with them.

Pure.
"""

from math import inf
from typing import Literal, NamedTuple

from powerlog.simulation.counters import Counter
from powerlog.simulation.curves import Curve, Cycle

Sign = Literal["right", "absent", "null", "another minute"]


class Silence(NamedTuple):
    """A time without a report of a channel. alone: its device reports its other channels."""

    since: float
    until: float
    alone: bool = True


class Channel(NamedTuple):
    """A channel and its truth. load: the name of what is connected to it.

    failures: when its meter fails. gone: when it disappears from its device. sign: how its record
    shows the part that was returned.
    """

    name: str
    load: str
    curve: Curve | Cycle
    counter: Counter
    returned: Counter | None = None
    quantised: bool = False
    failures: tuple[tuple[float, float], ...] = ()
    silences: tuple[Silence, ...] = ()
    gone: float = inf
    sign: Sign = "right"

    def fails(self, at: float) -> bool:
        return any(since <= at < until for since, until in self.failures)

    def later(self, by_s: float) -> "Channel":
        """Return the same channel by a clock that is so much ahead."""
        returned = self.returned and self.returned.later(by_s)
        curve, counter = self.curve.later(by_s), self.counter.later(by_s)
        return self._replace(curve=curve, counter=counter, returned=returned)
