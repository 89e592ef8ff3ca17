"""A simulated load whose runs somebody chose, where those of simulator.py follow from chance.

Pure, and as consistent: the counter is the integral of the power, whoever asks for it when.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import NamedTuple

from powerlog.simulation.pro4pm import Load, Step


class PlannedRun(NamedTuple):
    """From `start` until `end` a load draws this on average."""

    start: float
    end: float
    mean_w: float


class PlannedLoad(Load):
    """A load that runs when it is told to: a block for each run, up to the start of the next.

    runs are in the order of time and do not touch. counter_wh: where its counter stood before.
    """

    def __init__(
        self, seed: str, power_factor: float, counter_wh: float, runs: Sequence[PlannedRun]
    ) -> None:
        super().__init__(seed, 0.0, power_factor, 0.0)
        self._runs, self._starts = runs, [run.start for run in runs]
        used_ws = ((run.end - run.start) * run.mean_w for run in runs)
        self._counters_ws = list(accumulate(used_ws, initial=counter_wh * 3600))
        # Of a pump that starts every minute the minutes that a frame looks back on hold many runs.
        self._steps = lru_cache(maxsize=16)(self._make_steps)

    def idle(self, since: float, until: float) -> bool:
        """Whether it draws nothing from one moment to the other."""
        last = self._block(until)
        return last < 0 or self._runs[last].end < since

    def _block(self, ts: float) -> int:
        return bisect_right(self._starts, ts) - 1

    def _energy_before_ws(self, block: int) -> float:
        return self._counters_ws[max(0, block)]

    def _make_steps(self, block: int) -> list[Step]:
        if block < 0:
            return [Step(0.0)]
        run = self._runs[block]
        chance = Random(f"{self._seed} {run.start}")
        return [*self._run(chance, run.start, run.end, run.mean_w), Step(run.end)]
