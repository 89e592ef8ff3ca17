"""Meters that fail, and records of minutes that decide nothing."""

from collections.abc import Iterator
from math import inf
from random import Random

from benchmarks.accuracy.faults.fault import LEAST_W, Fault, Traits, draw_silence
from benchmarks.accuracy.load_curves import LOADS, Load, log_uniform
from powerlog.simulation.channel import Channel, Sign
from powerlog.simulation.connection import Connection
from powerlog.simulation.curves import Curve
from powerlog.simulation.device import Device

SHORTEST_S = 20.0
FAILURE_S = (5, 5400)
# About as long as the three minutes of a record. A silence is longer by up to two minutes: until
# it begins and after it has ended nothing may be due.
GAP_S, SILENCE_S = (130, 280), (60, 170)
SIGNS: tuple[Sign, ...] = ("absent", "null", "another minute")
Stretch = tuple[float, float]


class FailingMeter(Fault):
    """Power, voltage and current are null for a while. The counter goes on, or stops."""

    kind = "failing meter"

    def __init__(self, chance: Random, traits: Traits) -> None:
        super().__init__(chance, traits)
        self.phase = f"em:0:{chance.choice('abc')}"
        self.of_phase: tuple[Stretch, ...] = ()

    def change_channel(self, channel: Channel) -> Channel:
        if channel.name == "em:0":  # a sum is unknown while a part of it is
            failures = self.of_phase
        elif channel.name.startswith("em:0:") and channel.name != self.phase:
            return channel
        else:
            failures = self._draw(channel.curve)
        if channel.name == self.phase:
            self.of_phase = failures
        for since, until in failures:
            if self.chance.random() < 0.5:
                channel.counter.stop(since, until)
        return channel._replace(failures=failures)

    def _draw(self, curve: Curve) -> tuple[Stretch, ...]:
        """Return stretches that begin while the channel is active and connected. The next full
        status ends one that is still going on when the connection ends."""
        failures: list[Stretch] = []
        connections = self.disturbances.connections
        backs = [*(connection.start for connection in connections[1:]), inf]
        for _ in range(self.chance.choice((1, 2, 4))):
            active = [
                (start, end, connection.end, back)
                for connection, back in zip(connections, backs, strict=True)
                for start, end in _within(curve, connection.start + 5, connection.end - 5)
            ]
            if not active:
                break
            start, end, connected, back = self.chance.choice(active)
            since = round(self.chance.uniform(start + 2, end - 5), 2)
            until = round(since + log_uniform(self.chance, *FAILURE_S), 2)
            if until > connected - 5:
                until = back
            if all(until + 5 < other[0] or since > other[1] + 5 for other in failures):
                failures.append((since, until))
        return tuple(sorted(failures))


def _within(curve: Curve, since: float, until: float) -> list[Stretch]:
    """Return the stretches of activity within this time, without the shortest ones."""
    cut = ((max(start, since), min(end, until)) for start, end in curve.above(LEAST_W))
    return [(start, end) for start, end in cut if end - start > SHORTEST_S]


class UnsignedRecord(Fault):
    """A channel that feeds in has a record of minutes without a sign."""

    kind = "unsigned record"

    def __init__(self, chance: Random, traits: Traits) -> None:
        super().__init__(chance, traits)
        self.disturbances = self.disturbances.cut_often(chance, 6, GAP_S)
        self.sign = chance.choice(SIGNS)

    @classmethod
    def fits(cls, traits: Traits) -> bool:
        return traits.kind in ("switch", "pm1")

    def load(self, channel: str) -> Load | None:
        return LOADS["solar"]

    def change_channel(self, channel: Channel) -> Channel:
        return channel._replace(sign=self.sign)

    def change_channels(self, channels: dict[str, Channel]) -> dict[str, Channel]:
        """Add silences of the whole device: gaps within a connection."""
        if not self.traits.reports_all:
            return channels
        connections = self.disturbances.connections
        drawn = [draw_silence(self.chance, each, SILENCE_S) for each in connections]
        silences = tuple(each._replace(alone=False) for each in drawn if each)
        return {name: each._replace(silences=silences) for name, each in channels.items()}


class RefusedClock(Fault):
    """The device's clock is wrong beyond the tolerance, and so are the minutes of its record."""

    kind = "refused clock"

    def __init__(self, chance: Random, traits: Traits) -> None:
        super().__init__(chance, traits)
        # Without a clock to trust, the moment of a delayed message is unknown.
        self.disturbances = self.disturbances._replace(stalls=[]).cut_often(chance, 4, (200, 330))
        # So little behind that the record seems to be of the last minutes; or anything.
        behind_s = -chance.uniform(121, 175)
        far_s = chance.choice((-1, 1)) * log_uniform(chance, 121, 1e6)
        self.clock_off_s = round(behind_s if chance.random() < 0.7 else far_s, 2)

    @classmethod
    def fits(cls, traits: Traits) -> bool:
        return traits.kind not in ("relay", "em", "em1") and traits.clock == "right"

    def parts(self, device: Device, connection: Connection) -> Iterator[tuple[Device, Connection]]:
        """Return the device with everything by its own clock."""
        by_s = self.clock_off_s
        channels = {name: each.later(by_s) for name, each in device.channels.items()}
        yield device._replace(channels=channels), connection.later(by_s)
