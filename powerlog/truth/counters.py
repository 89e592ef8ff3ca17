"""A device's cumulative counter, and what it forgets.

Pure, like curves.py, whose energy it counts.
"""

import math
from collections.abc import Callable

QUANTUM_WH = 0.213298  # in which some devices count a small load


class Counter:
    """A device's cumulative counter: an energy since the beginning, less what was forgotten."""

    def __init__(
        self, energy_wh: Callable[[float], float], base_wh: float, quantum_wh: float = 0.0
    ) -> None:
        self.resets: list[float] = []
        self._energy_wh, self._base_wh, self._quantum_wh = energy_wh, base_wh, quantum_wh
        self._forgotten: list[tuple[float, float]] = []

    def at(self, ts: float) -> float:
        """What it shows at this moment, Wh."""
        return round(self._base_wh + self._counted_wh(ts) - self.forgotten_wh(0.0, ts), 3)

    def mwh(self, since: float, until: float) -> float:
        """What it counts in this time; forgetting does not touch that."""
        return max(0.0, round((self._counted_wh(until) - self._counted_wh(since)) * 1000, 3))

    def reset(self, ts: float) -> None:
        self._forgotten.append((ts, self.at(ts)))
        self.resets.append(ts)

    def step_back(self, ts: float, seconds: float) -> None:
        """A crash: what was counted in the last seconds was not yet saved."""
        since = max(ts - seconds, *(at for at, _ in self._forgotten), 0.0)
        self._forgotten.append((ts, self._counted_wh(ts) - self._counted_wh(since)))

    def forgotten_wh(self, since: float, until: float) -> float:
        """What it lost in this time by crashes and resets."""
        return sum(wh for at, wh in self._forgotten if since < at <= until)

    def stepped_back_wh(self, since: float, until: float) -> float:
        """What it lost in this time by crashes alone."""
        crashes = ((at, wh) for at, wh in self._forgotten if at not in self.resets)
        return sum(wh for at, wh in crashes if since < at <= until)

    def _counted_wh(self, ts: float) -> float:
        energy_wh = self._energy_wh(ts)
        if not self._quantum_wh:
            return energy_wh
        return math.floor(energy_wh / self._quantum_wh) * self._quantum_wh
