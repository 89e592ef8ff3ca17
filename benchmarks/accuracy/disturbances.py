"""Disturbances of a device and its line: disconnects, power failures, delays, resets, clocks.

Pure: drawn from a seed, like the curves.
"""

import math
from random import Random
from typing import NamedTuple

from benchmarks.accuracy.load_curves import SETTLE_S, log_uniform
from powerlog.simulation.connection import Connection
from powerlog.simulation.counters import Counter

SAVED_EVERY_S = 30
ROOM_S = 300  # of a connection before and after a cut


class Disturbances(NamedTuple):
    """The disturbances of one device. Stretches of time do not overlap."""

    connections: list[Connection]
    outages: list[tuple[float, float]]  # without power
    stalls: list[tuple[float, float]]  # what is sent in this time arrives at its end
    resets: list[float]
    clock_ahead_s: float = 0.0
    doubled: float = 0.0  # the part of the frames that come twice

    def cut(self, connection: Connection, at: float, away_s: float) -> "Disturbances":
        """Return these with one disconnect more, in the middle of a connection."""
        at, back = round(at, 2), round(at + away_s, 2)
        index = self.connections.index(connection)
        parts = [connection._replace(end=at), connection._replace(start=back)]
        return self._replace(
            connections=[*self.connections[:index], *parts, *self.connections[index + 1 :]],
            stalls=[each for each in self.stalls if each[1] < at - 10 or each[0] > back + 60],
        )

    def cut_often(self, chance: Random, times: int, away_s: tuple[float, float]) -> "Disturbances":
        """Return these with some disconnects more, as far as there is room for them."""
        disturbances = self
        for _ in range(times):
            roomy = [each for each in disturbances.connections if _room_s(each) > away_s[1]]
            if not roomy:
                break
            connection = chance.choices(roomy, [_room_s(each) for each in roomy])[0]
            away = chance.uniform(*away_s)
            at = connection.start + ROOM_S + chance.uniform(0, _room_s(connection) - away)
            disturbances = disturbances.cut(connection, at, away)
        return disturbances

    def apply_to(self, counter: Counter) -> None:
        """Apply the crashes and resets to a counter."""
        # The time since a device last saved its counters is as good as chance.
        crashes = [(off, off % SAVED_EVERY_S) for off, _ in self.outages]
        for ts, lost_s in sorted([*crashes, *((ts, math.inf) for ts in self.resets)]):
            if lost_s < math.inf:
                counter.step_back(ts, lost_s)
            else:
                counter.reset(ts)


def draw_disturbances(chance: Random, start: float, end: float) -> Disturbances:
    """Draw up to a handful of disconnects. A wrong clock has no server to set it after a boot, so
    such a device has no power failures. One that never learns the time has no delays either: the
    moment of a delayed frame would be unknowable."""
    clock = chance.choices(("right", "wrong", "unset"), (16, 3, 1))[0]
    booted = start - chance.uniform(10, 1e6)
    never = math.inf if clock == "unset" else -math.inf
    connections = [Connection(start, end, booted, never)]
    outages = []
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5, 8))):
        away_s = log_uniform(chance, 5, 10800)
        last = connections.pop()
        room_s = end - 2 * SETTLE_S - away_s - last.start
        if room_s < 20:
            connections.append(last)
            continue
        lost = round(last.start + chance.uniform(10, room_s), 2)
        connections.append(last._replace(end=lost))
        if clock == "right" and chance.random() < 0.3:
            powered = lost + log_uniform(chance, 2, 30)
            outages.append((lost, powered))
            back = powered + chance.uniform(3, 6)
            synced = back + chance.uniform(2, 20)
            connections.append(Connection(round(back, 2), end, powered, synced))
        else:
            connections.append(last._replace(start=round(lost + away_s, 2)))
    return Disturbances(
        connections,
        outages,
        [] if clock == "unset" else _stalls(chance, connections),
        [chance.uniform(start, end - SETTLE_S)] if chance.random() < 0.2 else [],
        chance.uniform(-60, 60) if clock == "wrong" else 0.0,
        chance.choice((0, 0, 0.05)),
    )


def _room_s(connection: Connection) -> float:
    """Return for how long a connection may be cut."""
    return connection.end - connection.start - 2 * ROOM_S


def _stalls(chance: Random, connections: list[Connection]) -> list[tuple[float, float]]:
    stalls = []
    for connection in connections:
        stall_s = log_uniform(chance, 2, 40)
        first, last = connection.start + 60, connection.end - stall_s - 10
        if first < last and chance.random() < 0.4:
            begin = chance.uniform(first, last)
            stalls.append((begin, begin + stall_s))
    return stalls
