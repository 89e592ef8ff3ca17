"""A connection for the tests of the sampler: says things, remembers what became of them."""

from typing import Any

from powerlog.core.frame import Frame, Reading
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Rules, Sample, Sampler, Snapshot
from tests.support.frames import PUMP, T0

SWITCH = "switch:2"
RULES = Rules(channels=frozenset({SWITCH, "switch:1"}))


class Line:
    """A connection whose frames arrive the moment they are sent; remembers rows and runs.

    Times are seconds since T0, a full minute.
    """

    def __init__(self, past: Snapshot | None = None, **rules: Any) -> None:
        self.sampler = Sampler(Rules(**({"channels": RULES.channels} | rules)))
        self.rows: list[Sample] = []
        self.told: list[RunState] = []
        if past:
            self.sampler.restore(past)

    def says(
        self, at_s: float, *, full: bool = False, channel: str = SWITCH, **values: Any
    ) -> None:
        """The channel reports these values, by both clocks at this moment."""
        reading = Reading(channel, **values)
        self.frame(Frame(PUMP, T0 + at_s, full, (reading,)), at_s)

    def frame(self, frame: Frame, at_s: float) -> None:
        for each in self.sampler.feed(frame, T0 + at_s):
            if isinstance(each, Sample):
                self.rows.append(each)
            else:
                self.told.append(each)

    @property
    def minutes(self) -> list[int]:
        """The minutes that have a row, counted from T0."""
        return [(row.ts - T0) // 60 for row in self.rows]

    @property
    def sources(self) -> list[str]:
        return [row.source for row in self.rows]

    @property
    def runs(self) -> list[RunState]:
        """Every run as it was told last, in the order of their starts."""
        latest = {run.started_at: run for run in self.told}
        return [latest[start] for start in sorted(latest)]

    @property
    def spans(self) -> list[tuple[float, float | None, str]]:
        """Start, end and how it ended of every run."""
        return [
            (run.started_at - T0, run.ended_at and run.ended_at - T0, run.end) for run in self.runs
        ]
