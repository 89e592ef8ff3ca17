"""The channels of a device with their loads and counters.

Pure: drawn from a seed.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

from benchmarks.accuracy.faults.fault import Fault
from benchmarks.accuracy.load_curves import (
    LOADS,
    SMALL,
    draw_curve,
    interrupted,
    log_uniform,
    total,
)
from powerlog.simulation.channel import Channel
from powerlog.simulation.components import Firmware
from powerlog.simulation.counters import QUANTUM_WH, Counter
from powerlog.simulation.curves import Curve

MOST_CHANNELS = {"switch": 4, "light": 2, "em1": 3, "relay": 0}
PHASE_LOADS = ("pump", "heater", "lamp")  # their sum never creeps over the threshold
Energy = Callable[[float], float]  # Wh until a moment


class Wiring:
    """Draws the channels of a device that lives from start to end."""

    def __init__(self, chance: Random, fault: Fault, start: float, end: float) -> None:
        self._chance, self._fault, self._start, self._end = chance, fault, start, end

    def channels(self, kind: str, firmware: Firmware) -> Iterator[Channel]:
        if kind == "em":
            names = [f"em:0:{phase}" for phase in "abc"]
            wired = [self._wire(name, PHASE_LOADS) for name in names]
            curves = [curve for _, curve in wired]
            for name, (load, curve) in zip(names, wired, strict=True):
                yield self._channel(name, load, curve, [curve])
            yield self._channel("em:0", "total", total(curves), curves)
            return
        returns = kind == "em1" or (kind in ("switch", "pm1") and firmware >= (1, 4))
        loads = [load for load in LOADS if returns or load != "solar"]
        most = MOST_CHANNELS.get(kind, 1)
        for number in range(self._chance.randint(min(most, 1), most)):
            name = f"{kind}:{number}"
            load, curve = self._wire(name, loads)
            yield self._channel(name, load, curve, [curve], returns)

    def _wire(self, name: str, loads: Sequence[str]) -> tuple[str, Curve]:
        chance, load = self._chance, LOADS[chosen := self._chance.choice(loads)]
        if other := self._fault.load(name):
            chance, load, chosen = self._fault.chance, other, "feeding in"
        curve = draw_curve(chance, load, self._start - 600, self._end)
        for off, on in self._fault.disturbances.outages:
            curve = interrupted(curve, off, on)
        return chosen, curve

    def _channel(
        self, name: str, load: str, curve: Curve, parts: list[Curve], returns: bool = False
    ) -> Channel:
        """Return a channel. parts: the curves that its counters add up, each in its direction."""
        quantised = load in SMALL and not name.startswith("em") and self._chance.random() < 0.5
        returns = returns or any(part.returns for part in parts)
        gross = returns and not name.startswith("em")  # an aenergy counts both directions
        base_wh = round(log_uniform(self._chance, 3e4, 5e6), 3)
        counted = [part.moved_wh if gross else part.drawn_wh for part in parts]
        counter = Counter(_sum(counted), base_wh, QUANTUM_WH if quantised else 0.0)
        back = _sum([part.returned_wh for part in parts])
        returned = Counter(back, base_wh / 7) if returns else None
        channel = Channel(name, load, curve, counter, returned, quantised)
        channel = self._fault.change_channel(channel)
        for each in filter(None, (counter, returned)):
            self._fault.disturbances.apply_to(each)
        return channel


def _sum(energies: list[Energy]) -> Energy:
    if len(energies) == 1:
        return energies[0]
    return lambda ts: sum(energy(ts) for energy in energies)
