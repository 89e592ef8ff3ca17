"""What is really drawn from and returned to the grid for some hours, drawn from a seed.

Pure: no clock, no frames; times are Unix seconds by the device's own clock. Power is a step
function known for every moment. counters.py adds it up, voice.py has what a device says of it,
score.py how well the rules of sampling find it out.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise
from random import Random
from typing import NamedTuple

MINUTE_S = 60
NOMINAL_V = 230
SETTLE_S = 240  # at its end a device is connected and all its loads are off
SHORTEST_STEP_S = 2.0


class Step(NamedTuple):
    """From `at` on so much is drawn, or, if negative, returned, until the next step."""

    at: float
    watts: float = 0.0
    amps: float = 0.0


class Curve:
    """Power over time. Before its first step it is off."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps = list(steps)
        self._times = [step.at for step in self.steps]
        spans = [(step.watts, after.at - step.at) for step, after in pairwise(self.steps)]
        self._drawn_ws = [0.0, *accumulate(max(0.0, watts) * s for watts, s in spans)]
        self._returned_ws = [0.0, *accumulate(max(0.0, -watts) * s for watts, s in spans)]

    def at(self, ts: float) -> Step:
        """The step in force at this moment."""
        index = bisect_right(self._times, ts) - 1
        return self.steps[index] if index >= 0 else Step(ts)

    def between(self, since: float, until: float) -> list[Step]:
        """The steps with since < at < until."""
        first = bisect_right(self._times, since)
        return [step for step in self.steps[first:] if step.at < until]

    def drawn_wh(self, ts: float) -> float:
        return self._integral(self._drawn_ws, ts, 1)

    def returned_wh(self, ts: float) -> float:
        return self._integral(self._returned_ws, ts, -1)

    def moved_wh(self, ts: float) -> float:
        """In either direction."""
        return self.drawn_wh(ts) + self.returned_wh(ts)

    def mean_w(self, since: float, until: float) -> float:
        """What was drawn less what was returned."""
        net = [self.drawn_wh(ts) - self.returned_wh(ts) for ts in (since, until)]
        return (net[1] - net[0]) * 3600 / (until - since)

    def above(self, threshold_w: float) -> list[tuple[float, float]]:
        """The stretches in which the power is above the threshold."""
        stretches: list[tuple[float, float]] = []
        for step, after in pairwise([*self.steps, Step(math.inf)]):
            if step.watts <= threshold_w:
                continue
            if stretches and stretches[-1][1] == step.at:
                stretches[-1] = (stretches[-1][0], after.at)
            else:
                stretches.append((step.at, after.at))
        return stretches

    def without(self, start: float, end: float) -> "Curve":
        """The same, but off from start to end, and then as if nothing had been."""
        before = [step for step in self.steps if step.at < start - SHORTEST_STEP_S]
        after = [step for step in self.steps if step.at > end + SHORTEST_STEP_S]
        return Curve([*before, Step(start), self.at(end)._replace(at=end), *after])

    @property
    def returns(self) -> bool:
        """Whether anything ever goes back to the grid."""
        return self._returned_ws[-1] > 0

    @property
    def peak_w(self) -> float:
        return max((abs(step.watts) for step in self.steps), default=0.0)

    def later(self, by_s: float) -> "Curve":
        """Return the same curve by a clock that is so much ahead."""
        return Curve(step._replace(at=step.at + by_s) for step in self.steps)

    def _integral(self, integrals: list[float], ts: float, sign: int) -> float:
        index = bisect_right(self._times, ts) - 1
        if index < 0:
            return 0.0
        at, watts, _ = self.steps[index]
        return (integrals[index] + max(0.0, sign * watts) * (ts - at)) / 3600


def without(
    stretches: list[tuple[float, float]], holes: Iterable[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return the stretches less what lies in one of the holes."""
    for since, until in holes:
        pieces = (
            piece
            for start, end in stretches
            for piece in ((start, min(end, since)), (max(start, until), end))
        )
        stretches = [(start, end) for start, end in pieces if start < end]
    return stretches


def overlap_s(stretches: list[tuple[float, float]], since: float, until: float) -> float:
    """For how many seconds between since and until one of these stretches goes on."""
    seconds = 0.0
    first = bisect_right(stretches, (since, -math.inf)) - 1
    for start, end in stretches[max(0, first) :]:
        if start >= until:
            break
        seconds += max(0.0, min(end, until) - max(start, since))
    return seconds


def total(curves: list[Curve]) -> Curve:
    """What these draw together."""
    moments = sorted({step.at for curve in curves for step in curve.steps})
    together = ([curve.at(moment) for curve in curves] for moment in moments)
    return Curve(
        Step(moment, sum(step.watts for step in steps), sum(step.amps for step in steps))
        for moment, steps in zip(moments, together, strict=True)
    )


class Load(NamedTuple):
    """What can be wired to a channel; the ranges are drawn from evenly, times logarithmically."""

    watts: tuple[float, float]
    wobble: float  # by how much of itself the power moves while it is on
    run_s: tuple[float, float]
    pause_s: tuple[float, float]
    rest_w: float = 0.0  # in the pauses
    power_factor: float = 0.8


LOADS = {
    "pump": Load((415, 445), 0.07, (20, 7200), (5, 3600)),
    "heater": Load((1990, 2010), 0.002, (20, 7200), (5, 10800), power_factor=1.0),
    "machine": Load((60, 700), 0.2, (20, 1800), (5, 600), rest_w=3.5),
    "lamp": Load((7.5, 8.5), 0.02, (20, 7200), (5, 3600)),
    "router": Load((3, 4.5), 0.02, (3600, 20000), (5, 60)),
    "standby": Load((1, 1.3), 0.1, (3600, 20000), (5, 60), power_factor=0.09),
    "solar": Load((30, 500), 0.1, (60, 3600), (60, 3600), rest_w=-200),
}
ROOF = Load((-1700, -1100), 0.05, (300, 7200), (60, 3600), power_factor=1.0)
SMALL = ("lamp", "router")
WOBBLE_S = 25


def draw_curve(chance: Random, load: Load, start: float, end: float) -> Curve:
    return Curve(_steps(chance, load, start, end)).without(end - SETTLE_S, end)


def _steps(chance: Random, load: Load, at: float, end: float) -> Iterator[Step]:
    on = chance.random() < 0.5
    while at < end:
        until = at + log_uniform(chance, *(load.run_s if on else load.pause_s))
        watts = chance.uniform(*load.watts) if on else load.rest_w * chance.uniform(0.9, 1.1)
        yield from _wobble(chance, load, watts, round(at, 2), until)
        at, on = until, not on


def _wobble(chance: Random, load: Load, watts: float, at: float, until: float) -> Iterator[Step]:
    now = watts
    while at < until:
        amps = abs(now) / NOMINAL_V / load.power_factor * chance.uniform(0.95, 1.05)
        yield Step(at, now, amps)
        if not watts:
            return
        if chance.random() < 0.8:  # else only the current moves
            now = watts * chance.uniform(1 - load.wobble, 1 + load.wobble)
        at = round(at + SHORTEST_STEP_S + chance.expovariate(1 / WOBBLE_S), 2)


def log_uniform(chance: Random, low: float, high: float) -> float:
    return math.exp(chance.uniform(math.log(low), math.log(high)))
