"""The difference that the energy of a run may have where a fault hides the truth.

Pure. Between two reports of a counter that misleads, the energy may be the integral of the last
known power, and anything from there to the truth, but nothing beyond the two.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from math import inf
from typing import NamedTuple

from benchmarks.accuracy.readings import Loss, Reading, rowed
from powerlog.core.channel_state import Rules
from powerlog.simulation.channel import Channel
from powerlog.simulation.counters import QUANTUM_WH
from powerlog.simulation.curves import MINUTE_S, Curve, Step


class Stretch(NamedTuple):
    """The time between two reports of the counter. rise_wh: what it rises by; None: it misleads.
    low_only: the known power may make the energy lower than the truth, but not higher."""

    since: float
    until: float
    rise_wh: float | None
    low_only: bool = False


class Uncertainty:
    """The stretches of one channel in which its energy is uncertain."""

    def __init__(
        self,
        channel: Channel,
        read: list[Reading],
        losses: list[Loss],
        unsure: set[int],
        quiet: bool,
        rules: Rules,
    ) -> None:
        self._channel, self._losses, self._quiet = channel, losses, quiet
        self._unsure = unsure
        self._rowed = Curve(Step(*each) for each in rowed(read, rules))
        self._held = Curve(Step(each.at, each.known.watts or 0.0) for each in read)
        self._stretches = list(self._uncertain(read))
        self._ends = [stretch.until for stretch in self._stretches]

    def of(self, since: float, until: float) -> tuple[float, float]:
        """Return by how much a run of this time may have too little and too much, Wh."""
        little = much = QUANTUM_WH if self._quiet and self._channel.quantised else 0.0
        for stretch in self._stretches[bisect_right(self._ends, since) :]:
            if stretch.since >= until:
                break
            span = max(since, stretch.since), min(until, stretch.until)
            used_wh = _drawn(self._channel.curve, *span)
            claims = list(self._claims(stretch, *span))
            little += max(0.0, used_wh - min(claims))
            much += max(0.0, max(claims) - used_wh)
        for minute in self._unsure:
            start, end = minute * MINUTE_S, minute * MINUTE_S + MINUTE_S
            if since < end and start < until:
                much += _returned(self._channel.curve, start, end)
        return little, much

    def _claims(self, stretch: Stretch, since: float, until: float) -> Iterator[float]:
        """Return energies that a run may have for this part of a stretch, Wh."""
        held_wh, rowed_wh, used_wh = (
            _drawn(curve, since, until) for curve in (self._held, self._rowed, self._channel.curve)
        )
        yield min(held_wh, used_wh) if stretch.low_only else held_wh
        yield min(rowed_wh, used_wh) if stretch.low_only else rowed_wh
        if stretch.rise_wh is not None and held_wh > 0:
            # Several runs in a stretch share its rise by their own power and time.
            yield stretch.rise_wh * held_wh / _drawn(self._held, stretch.since, stretch.until)

    def _uncertain(self, read: list[Reading]) -> Iterator[Stretch]:
        counted = [each for each in read if each.known.counter in ("right", "wrong")]
        for before, after in pairwise(counted):
            if self._misleads(before, after):
                yield Stretch(before.at, after.at, None)
                continue
            rise_wh = self._rise_wh(before.at, after.at)
            if rise_wh is not None:
                yield Stretch(before.at, after.at, rise_wh, self._quiet)
        if counted:
            yield Stretch(counted[-1].at, inf, None)

    def _misleads(self, before: Reading, after: Reading) -> bool:
        channel, since, until = self._channel, before.at, after.at
        counters = filter(None, (channel.counter, channel.returned))
        unknown = (*channel.failures, *((loss.last.at, loss.until) for loss in self._losses))
        return (
            "wrong" in (before.known.counter, after.known.counter)
            or channel.counter.leaps(since, until)
            or any(each.forgotten_wh(since, until) > 0 for each in counters)
            or any(start < until and since < end for start, end in unknown)
        )

    def _rise_wh(self, since: float, until: float) -> float | None:
        """Return the rise of the counter where it may differ from the energy of the runs."""
        rise_wh = counted_wh(self._channel, since, until)
        drawn_wh = _drawn(self._channel.curve, since, until)
        if rise_wh != drawn_wh and drawn_wh > 0:
            if self._channel.name == "em:0":  # net: its rise is less by what was fed in
                return rise_wh + _returned(self._held, since, until)
            return rise_wh
        return drawn_wh if self._quiet else None


def counted_wh(channel: Channel, since: float, until: float) -> float:
    """Return the rise of its counter in this time, in which it does not mislead, Wh."""
    wh, back_wh = _drawn(channel.curve, since, until), _returned(channel.curve, since, until)
    if channel.name == "em:0":
        return wh - back_wh
    return wh + back_wh if channel.sign in ("absent", "null") else wh


def _drawn(curve: Curve, since: float, until: float) -> float:
    return curve.drawn_wh(until) - curve.drawn_wh(since)


def _returned(curve: Curve, since: float, until: float) -> float:
    return curve.returned_wh(until) - curve.returned_wh(since)
