"""The power of a channel over time: a step function that is known for every moment.

Pure: no clock; times are Unix seconds, chance comes from a seed. Energy is the exact integral of
the power, in whatever order it is asked for.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, count, pairwise
from random import Random
from typing import NamedTuple

MINUTE_S = 60
NOMINAL_V = 230
STEP_S = 12  # a load that is on keeps its power for about so long
# The time of a Cycle is in blocks: on, off, on, off. Chance divides a block, but each has the same
# energy: so a counter is known without a pass through all its years.
BLOCK_S = 840
FIRST_POWERED = 1_704_067_200  # 1 January 2024, where the counters of Cycles began


class Step(NamedTuple):
    """The power and the current from `at` until the next step; below zero it is returned."""

    at: float
    watts: float = 0.0
    amps: float = 0.0


class Curve:
    """Power over time, as steps. Before the first one it is off."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps = list(steps)
        self._times = [step.at for step in self.steps]
        spans = [(step.watts, after.at - step.at) for step, after in pairwise(self.steps)]
        self._drawn_ws = [0.0, *accumulate(max(0.0, watts) * s for watts, s in spans)]
        self._returned_ws = [0.0, *accumulate(max(0.0, -watts) * s for watts, s in spans)]

    def at(self, ts: float) -> Step:
        """Return the step in force at this moment."""
        index = bisect_right(self._times, ts) - 1
        return self.steps[index] if index >= 0 else Step(ts)

    def between(self, since: float, until: float) -> list[Step]:
        """Return the steps with since < at < until."""
        return self.steps[bisect_right(self._times, since) : bisect_left(self._times, until)]

    def is_idle(self, since: float, until: float) -> bool:
        """Return whether no power flows in this time."""
        steps = [self.at(since), *self.between(since, until)]
        return not any(step.watts for step in steps)

    def drawn_wh(self, ts: float) -> float:
        """Return the energy drawn up to this moment."""
        return self._integral(self._drawn_ws, ts, 1)

    def returned_wh(self, ts: float) -> float:
        """Return the energy returned to the grid up to this moment."""
        return self._integral(self._returned_ws, ts, -1)

    def moved_wh(self, ts: float) -> float:
        """Return the energy that has flowed in either direction up to this moment."""
        return self.drawn_wh(ts) + self.returned_wh(ts)

    def mean_w(self, since: float, until: float) -> float:
        """Return the mean of what is drawn less what is returned."""
        net = [self.drawn_wh(ts) - self.returned_wh(ts) for ts in (since, until)]
        return (net[1] - net[0]) * 3600 / (until - since)

    def above(self, threshold_w: float) -> list[tuple[float, float]]:
        """Return the spans in which the power is above the threshold."""
        stretches: list[tuple[float, float]] = []
        for step, after in pairwise([*self.steps, Step(math.inf)]):
            if step.watts <= threshold_w:
                continue
            if stretches and stretches[-1][1] == step.at:
                stretches[-1] = (stretches[-1][0], after.at)
            else:
                stretches.append((step.at, after.at))
        return stretches

    @property
    def returns(self) -> bool:
        """Return whether anything ever flows back to the grid."""
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


class Cycle:
    """A load that goes on and off for ever. on_s: the seconds of each block in which it is on."""

    def __init__(self, seed: str, watts: float, power_factor: float, on_s: float) -> None:
        self._seed, self._on_s = seed, on_s
        self._watts, self._power_factor = watts, power_factor
        self._origin = FIRST_POWERED - Random(seed).uniform(0, BLOCK_S)
        # Two blocks: the minutes of a record may be in the block before.
        self._curve = lru_cache(maxsize=2)(self._draw)

    def at(self, ts: float) -> Step:
        """Return the step in force at this moment."""
        return self._curve(self._block(ts)).at(ts)

    def between(self, since: float, until: float) -> Iterator[Step]:
        """Return the steps with since < at < until; until may be infinite."""
        for block in count(self._block(since)):
            if self._origin + block * BLOCK_S >= until:
                return
            yield from self._curve(block).between(since, until)

    def drawn_wh(self, ts: float) -> float:
        """Return the energy drawn up to this moment."""
        block = self._block(ts)
        before_wh = block * self._watts * self._on_s / 3600
        return before_wh + self._curve(block).drawn_wh(ts)

    def _block(self, ts: float) -> int:
        return math.floor((ts - self._origin) / BLOCK_S)

    def _draw(self, block: int) -> Curve:
        chance = Random(f"{self._seed} {block}")
        at, off_s = self._origin + block * BLOCK_S, BLOCK_S - self._on_s
        run_s = chance.uniform(1 / 4, 3 / 4) * self._on_s
        pause_s = chance.uniform(1 / 3, 2 / 3) * off_s
        steps: list[Step] = []
        for on, off in ((run_s, pause_s), (self._on_s - run_s, off_s - pause_s)):
            steps += run_steps(chance, at, at + on, self._watts, self._power_factor)
            if off:
                steps.append(Step(at + on))
            at += on + off
        return Curve(steps)


class PlannedRun(NamedTuple):
    """The mean power that a load draws from `start` until `end`."""

    start: float
    end: float
    mean_w: float


def planned_curve(seed: str, power_factor: float, runs: Sequence[PlannedRun]) -> Curve:
    """Return the curve of these runs, which are in order and do not touch."""
    steps: list[Step] = []
    for start, end, mean_w in runs:
        chance = Random(f"{seed} {start}")
        steps += [*run_steps(chance, start, end, mean_w, power_factor), Step(end)]
    return Curve(steps)


def run_steps(
    chance: Random, start: float, end: float, mean_w: float, power_factor: float
) -> list[Step]:
    """Return steps around this power whose mean is exactly it."""
    steps: list[Step] = []
    at = start
    while at < end:
        watts = mean_w * chance.uniform(0.93, 1.07)
        amps = watts / (NOMINAL_V * power_factor * chance.uniform(0.95, 1.05))
        steps.append(Step(at, watts, amps))
        at += chance.uniform(0.6, 1.4) * STEP_S if end - at > 2 * STEP_S else end - at
    drawn_ws = sum(
        step.watts * (after.at - step.at) for step, after in pairwise([*steps, Step(end)])
    )
    scale = mean_w * (end - start) / drawn_ws
    return [Step(step.at, step.watts * scale, step.amps * scale) for step in steps]
