"""A device's cumulative counter, what it forgets, and where it misleads.

Pure, like the curve whose energy it counts.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

QUANTUM_WH = 0.213298  # in which some devices count a small load


class Misread(NamedTuple):
    """The counter shows this value from `since` to before `until`, then goes on."""

    since: float
    until: float
    wh: float


class Counter:
    """A device's cumulative counter: an energy since the beginning, less what was forgotten."""

    def __init__(
        self, energy_wh: Callable[[float], float], base_wh: float, quantum_wh: float = 0.0
    ) -> None:
        self.resets: list[float] = []
        self.misreads: list[Misread] = []
        self._energy_wh, self._base_wh, self._quantum_wh = energy_wh, base_wh, quantum_wh
        self._forgotten: list[tuple[float, float]] = []
        self._leaps: list[tuple[float, float]] = []
        self._stops: list[tuple[float, float]] = []

    def at(self, ts: float) -> float:
        """Return where it stands at this moment, Wh."""
        kept_wh = self._base_wh + self._counted_wh(ts) - self.forgotten_wh(0.0, ts)
        if self._leaps:
            kept_wh += sum(wh for at, wh in self._leaps if at <= ts)
        return round(kept_wh, 3)

    def shows(self, ts: float) -> float:
        """Return what it shows at this moment, Wh: nearly always where it stands."""
        misread = self._misread(ts)
        return misread.wh if misread else self.at(ts)

    def misleads(self, ts: float) -> bool:
        return self._misread(ts) is not None

    def leaps(self, since: float, until: float) -> bool:
        return any(since < at <= until for at, _ in self._leaps)

    def mwh(self, since: float, until: float) -> float:
        """Return what it counts in this time, whatever it forgets. mWh."""
        return max(0.0, round((self._counted_wh(until) - self._counted_wh(since)) * 1000, 3))

    def reset(self, ts: float) -> None:
        self._forgotten.append((ts, self.at(ts)))
        self.resets.append(ts)

    def step_back(self, ts: float, seconds: float) -> None:
        """Crash: forget what was counted in the last seconds and not yet saved."""
        since = max(ts - seconds, *(at for at, _ in self._forgotten), 0.0)
        self._forgotten.append((ts, self._counted_wh(ts) - self._counted_wh(since)))

    def leap(self, ts: float, wh: float) -> None:
        """Stand higher (or lower) by this much from then on, without any energy."""
        self._leaps.append((ts, wh))

    def stop(self, since: float, until: float) -> None:
        """Count nothing in this time."""
        self._stops.append((since, until))

    def later(self, by_s: float) -> "Counter":
        """Return the same counter by a clock that is so much ahead."""
        later = Counter(lambda ts: self._energy_wh(ts - by_s), self._base_wh, self._quantum_wh)
        later.resets = [at + by_s for at in self.resets]
        later._forgotten = [(at + by_s, wh) for at, wh in self._forgotten]
        return later

    def forgotten_wh(self, since: float, until: float) -> float:
        """Return what it lost in this time by crashes and resets."""
        return sum(wh for at, wh in self._forgotten if since < at <= until)

    def stepped_back_wh(self, since: float, until: float) -> float:
        """Return what it lost in this time by crashes alone."""
        crashes = ((at, wh) for at, wh in self._forgotten if at not in self.resets)
        return sum(wh for at, wh in crashes if since < at <= until)

    def _misread(self, ts: float) -> Misread | None:
        for misread in self.misreads:
            if misread.since <= ts < misread.until:
                return misread
        return None

    def _counted_wh(self, ts: float) -> float:
        energy_wh = self._energy_wh(ts)
        for since, until in self._stops:
            if since < ts:
                energy_wh -= self._energy_wh(min(ts, until)) - self._energy_wh(since)
        if not self._quantum_wh:
            return energy_wh
        return math.floor(energy_wh / self._quantum_wh) * self._quantum_wh
