"""The loads that a simulated channel can have, and their curves, drawn from a seed.

Pure: no clock; times are Unix seconds by the device's own clock.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple

from powerlog.simulation.curves import NOMINAL_V, Curve, Step

SETTLE_S = 240  # at its end a device is connected and all its loads are off
SHORTEST_STEP_S = 2.0


def interrupted(curve: Curve, start: float, end: float) -> Curve:
    """Return the curve without power from start to end, and unchanged after that."""
    before = [step for step in curve.steps if step.at < start - SHORTEST_STEP_S]
    after = [step for step in curve.steps if step.at > end + SHORTEST_STEP_S]
    return Curve([*before, Step(start), curve.at(end)._replace(at=end), *after])


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
    """Return for how many seconds between since and until one of these stretches goes on."""
    seconds = 0.0
    first = bisect_right(stretches, (since, -math.inf)) - 1
    for start, end in stretches[max(0, first) :]:
        if start >= until:
            break
        seconds += max(0.0, min(end, until) - max(start, since))
    return seconds


def total(curves: list[Curve]) -> Curve:
    """Return the sum of these curves."""
    moments = sorted({step.at for curve in curves for step in curve.steps})
    together = ([curve.at(moment) for curve in curves] for moment in moments)
    return Curve(
        Step(moment, sum(step.watts for step in steps), sum(step.amps for step in steps))
        for moment, steps in zip(moments, together, strict=True)
    )


class Load(NamedTuple):
    """A load of a channel, as ranges: chance draws power evenly and times logarithmically."""

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
    return interrupted(Curve(_steps(chance, load, start, end)), end - SETTLE_S, end)


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
