"""When the runs of a channel start and end, as exactly as anyone can know it.

Pure.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

from benchmarks.accuracy.load_curves import without
from benchmarks.accuracy.readings import Loss, Reading, losses, silences
from benchmarks.accuracy.results import NEAR_S
from benchmarks.accuracy.scenarios import Life
from powerlog.core.channel_state import Rules
from powerlog.simulation.channel import Channel
from powerlog.simulation.curves import MINUTE_S

Kind = Literal["start", "end"]


class Turn(NamedTuple):
    """A start or an end, and the time in which a run has to have it."""

    at: float
    since: float
    until: float


class Turns:
    """The turns of a channel, as far as its device reports them.

    known: the stretches of activity in which its meter does not fail. active: the parts of them in
    which contact with it is not lost.
    """

    def __init__(self, life: Life, channel: Channel, read: list[Reading], rules: Rules) -> None:
        self._life, self._read, self._rules = life, read, rules
        self.losses: list[Loss] = losses(channel, read, rules)
        unknown = [(loss.last.at, loss.until) for loss in self.losses]
        self.known = without(channel.curve.above(rules.power_threshold_w), channel.failures)
        self.active = without(self.known, unknown)
        self._lasts = {loss.last.at for loss in self.losses}
        self._firsts = {loss.until: loss.last.at for loss in self.losses}
        self._unreported = [
            (before.at, until)
            for _, before, until in silences(channel, read)
            if before.at not in self._lasts
        ]

    def of(self, kind: Kind) -> list[float]:
        """Return the moments of all turns, in order, also of those that no message reports."""
        if self._life.fault.quiet:
            return [turn.at for turn in self._read_turns(kind)]
        return [stretch[kind == "end"] for stretch in self.active]

    def expected(self, kind: Kind) -> Iterator[Turn]:
        """Return the turns that the runs must have."""
        if self._life.fault.quiet:
            yield from self._read_turns(kind)
            return
        for at in self.of(kind):
            if at in self._lasts:
                yield Turn(at, at - NEAR_S, at + NEAR_S)
            elif self._is_reported(at):
                # The record of the first reading after a loss may have an earlier start.
                yield Turn(at, self._firsts.get(at, at - NEAR_S), at + NEAR_S)

    def _is_reported(self, at: float) -> bool:
        return (
            self._life.connected(at, NEAR_S)
            and at > self._read[0].at + NEAR_S
            and not any(since < at < until for since, until in self._unreported)
        )

    def _read_turns(self, kind: Kind) -> Iterator[Turn]:
        """Return the turns between two readings of a connection: the second of them is the turn."""
        for before, after in pairwise(self._read):
            turned = after.active(self._rules) - before.active(self._rules)
            if before.connection == after.connection and turned == (1 if kind == "start" else -1):
                gap = after.minute > before.minute + 1
                since = before.minute * MINUTE_S if gap else after.at
                yield Turn(after.at, since - NEAR_S, after.at + NEAR_S)


def within(moments: list[float], turn: Turn) -> float | None:
    """Return the first of these moments, in order, that can be this turn."""
    index = bisect_left(moments, turn.since)
    return moments[index] if index < len(moments) and moments[index] <= turn.until else None
