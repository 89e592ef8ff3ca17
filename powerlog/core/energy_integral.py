"""The energy of a run by its known power: the integral of its minute rows (rule 11).

Pure. Moments are Unix seconds. A row has the power of its minute, and holds until the next row.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from powerlog.core.energy_bounds import most_wh

MINUTE_S = 60
# A minute without a row has the power of the row before, for as long as rule 5 carries it.
CARRIED_S = 5 * MINUTE_S


class Part(NamedTuple):
    """A span of a run, and the energy that is booked on it."""

    since: float
    until: float
    booked_wh: float

    def is_explained(self, peak_w: float) -> bool:
        """Return False for an energy below 0 and for one that is no number, too."""
        return 0.0 <= self.booked_wh <= most_wh(peak_w * (self.until - self.since), peak_w)


class Step(NamedTuple):
    """A span with one power; watts is None where no row has it."""

    since: float
    until: float
    watts: float | None


@dataclass
class Drawn:
    """The integral of the known power; for unknown_s seconds no row has the power."""

    wh: float = 0.0
    unknown_s: float = 0.0

    def add(self, seconds: float, watts: float | None) -> None:
        if watts is None:
            self.unknown_s += seconds
        else:
            self.wh += watts * seconds / 3600


def steps(rows: Iterable[tuple[float, float]], since: float, until: float) -> Iterator[Step]:
    """Yield the power from start to end, by the (minute, watts) of rows in the order of time.

    The first row may be of a minute that begins before the start.
    """
    at, held_w = since, None
    for minute, watts in chain(rows, [(until, None)]):
        then = max(minute, since)
        if held_w is None:  # before the first row
            yield Step(at, then, watts if then - at <= CARRIED_S else None)
        else:
            carried = min(then, at + MINUTE_S + CARRIED_S)
            yield Step(at, carried, held_w)
            yield Step(carried, then, None)
        at, held_w = then, watts


def divide(found: Iterable[Step], parts: Sequence[Part]) -> list[Drawn]:
    """Return what was drawn in each part. Steps and parts are in order and cover the same time."""
    drawn = [Drawn() for _ in parts]
    which = 0
    for since, until, watts in found:
        while since < until:
            while parts[which].until <= since:
                which += 1
            end = min(until, parts[which].until)
            drawn[which].add(end - since, watts)
            since = end
    return drawn
