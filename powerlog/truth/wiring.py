"""What is wired to the channels of a device, and their counters.

Pure: drawn from a seed.
"""

from collections.abc import Iterator, Sequence
from random import Random

from powerlog.truth.counters import QUANTUM_WH, Counter
from powerlog.truth.curves import LOADS, SMALL, Curve, draw_curve, log_uniform, total
from powerlog.truth.mishaps import Mishaps
from powerlog.truth.words import Channel, Firmware

MOST_CHANNELS = {"switch": 4, "light": 2, "em1": 3, "relay": 0}
PHASE_LOADS = ("pump", "heater", "lamp")  # their sum never creeps over the threshold


class Wiring:
    """Draws the channels of a device that lives from start to end."""

    def __init__(self, chance: Random, mishaps: Mishaps, start: float, end: float) -> None:
        self._chance, self._mishaps, self._start, self._end = chance, mishaps, start, end

    def channels(self, kind: str, firmware: Firmware) -> Iterator[Channel]:
        if kind == "em":
            phases = [self._draw_load(PHASE_LOADS) for _ in "abc"]
            for phase, (load, curve) in zip("abc", phases, strict=True):
                yield self._channel(f"em:0:{phase}", load, curve)
            yield self._channel("em:0", "total", total([curve for _, curve in phases]))
            return
        returns = kind == "em1" or (kind in ("switch", "pm1") and firmware >= (1, 4))
        loads = [load for load in LOADS if returns or load != "solar"]
        most = MOST_CHANNELS.get(kind, 1)
        for number in range(self._chance.randint(min(most, 1), most)):
            yield self._channel(f"{kind}:{number}", *self._draw_load(loads), returns)

    def _draw_load(self, loads: Sequence[str]) -> tuple[str, Curve]:
        load = self._chance.choice(loads)
        curve = draw_curve(self._chance, LOADS[load], self._start - 600, self._end)
        for off, on in self._mishaps.outages:
            curve = curve.without(off, on)
        return load, curve

    def _channel(self, name: str, load: str, curve: Curve, returns: bool = False) -> Channel:
        quantised = load in SMALL and not name.startswith("em") and self._chance.random() < 0.5
        gross = returns and not name.startswith("em")  # an aenergy counts both directions
        base_wh = round(log_uniform(self._chance, 3e4, 5e6), 3)
        counter = Counter(
            (lambda ts: curve.drawn_wh(ts) + curve.returned_wh(ts)) if gross else curve.drawn_wh,
            base_wh,
            QUANTUM_WH if quantised else 0.0,
        )
        returned = Counter(curve.returned_wh, base_wh / 7) if returns else None
        for each in filter(None, (counter, returned)):
            self._mishaps.befall(each)
        return Channel(name, load, curve, counter, returned, quantised)
