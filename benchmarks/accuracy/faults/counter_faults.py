"""Counters that mislead: misread, jumping, of another device, without a sign, or net.

A counter that misleads is off by more than any of these loads can use in that time: no collector
can distinguish what a load can use from a counter that is right.
"""

from collections.abc import Iterator
from random import Random

from benchmarks.accuracy.faults.fault import Fault, Traits
from benchmarks.accuracy.load_curves import ROOF, Load, log_uniform
from powerlog.simulation.channel import Channel
from powerlog.simulation.connection import Connection
from powerlog.simulation.counters import Counter, Misread
from powerlog.simulation.curves import MINUTE_S, Curve
from powerlog.simulation.device import Device, Report

HUGE_WH = (1e7, 1e9)
AWAY_S = (20, 280)  # short enough for a run to go on
LATE_S = (0.5, 90)
APART_S = 180  # two leaps between the same reports could cancel each other


def least_spike_wh(curve: Curve) -> float:
    """Return the least energy that such a load cannot use within a minute. Wh."""
    return 20 + 3 * curve.peak_w * MINUTE_S / 3600


class MisreadCounter(Fault):
    """A counter shows 0, an old value or megawatt hours for one report or a few, then goes on."""

    kind = "misread counter"

    def __init__(self, chance: Random, traits: Traits) -> None:
        super().__init__(chance, traits)
        self.disturbances = self.disturbances._replace(resets=[])

    def change_channel(self, channel: Channel) -> Channel:
        for _ in range(self.chance.choice((1, 2, 4))):
            connection = self.chance.choice(self.disturbances.connections)
            if self.chance.random() < 0.3:
                self._misread_at_connect(connection, channel.counter)
            else:
                self._misread_on_the_minute(connection, channel)
        return channel

    def _misread_at_connect(self, connection: Connection, counter: Counter) -> None:
        wh = self.chance.choice((0.0, log_uniform(self.chance, *HUGE_WH)))
        counter.misreads.append(Misread(connection.start - 0.05, connection.start + 0.05, wh))

    def _misread_on_the_minute(self, connection: Connection, channel: Channel) -> None:
        # The next report is on the same connection: over a long gap any rise may be right.
        minutes = list(connection.full_minutes())[:-4]
        if not minutes:
            return
        minute, counter = self.chance.choice(minutes), channel.counter
        now_wh = counter.at(minute)
        old_wh = now_wh - log_uniform(self.chance, least_spike_wh(channel.curve), now_wh * 0.9)
        wh = self.chance.choice((0.0, round(old_wh, 3), log_uniform(self.chance, *HUGE_WH)))
        reports = self.chance.choice((1, 1, 1, 3))
        until = minute + (reports - 0.5) * MINUTE_S
        counter.misreads.append(Misread(minute - 0.5, until, wh))


class JumpingCounter(Fault):
    """A counter jumps, up or down, and stays there."""

    kind = "jumping counter"

    def __init__(self, chance: Random, traits: Traits) -> None:
        super().__init__(chance, traits)
        self.disturbances = self.disturbances._replace(resets=[])

    def change_channel(self, channel: Channel) -> Channel:
        moments = []
        for _ in range(self.chance.choice((1, 2, 4))):
            minutes = list(self.chance.choice(self.disturbances.connections).full_minutes())[:-2]
            if minutes:
                moments.append(self.chance.choice(minutes) + self.chance.uniform(5, 55))
        last = 0.0
        for at in sorted(moments):
            if at - last > APART_S:
                self._leap(at, channel)
                last = at
        return channel

    def _leap(self, at: float, channel: Channel) -> None:
        least_wh, now_wh = least_spike_wh(channel.curve), channel.counter.at(at)
        if now_wh * 0.9 > least_wh and self.chance.random() < 0.3:
            channel.counter.leap(at, -log_uniform(self.chance, least_wh, now_wh * 0.9))
        else:
            channel.counter.leap(at, log_uniform(self.chance, least_wh, HUGE_WH[0]))


class ReplacedDevice(Fault):
    """Another device takes the place of this one, with the same id."""

    kind = "replaced device"

    def __init__(self, chance: Random, traits: Traits) -> None:
        super().__init__(chance, traits)
        self.factor = chance.choice((0.0, chance.uniform(0.1, 0.5), chance.uniform(2, 10)))
        self.disturbances = traits.disturbances._replace(resets=[]).cut_often(chance, 1, AWAY_S)
        self.swapped: float | None = None
        starts = {connection.start for connection in traits.disturbances.connections}
        for index, connection in enumerate(self.disturbances.connections):
            if connection.start not in starts:
                self._swap(index)

    def _swap(self, index: int) -> None:
        """Replace it between this connection and the one before."""
        connections = list(self.disturbances.connections)
        off, back = connections[index - 1].end, connections[index].start
        on = back - min(5.0, (back - off) / 2)
        connections[index] = connections[index]._replace(booted=on)
        self.swapped = (off + on) / 2
        outages = [*self.disturbances.outages, (off, on)]
        self.disturbances = self.disturbances._replace(connections=connections, outages=outages)

    def change_channels(self, channels: dict[str, Channel]) -> dict[str, Channel]:
        """Let the counters leap, after everything that happens to the old device."""
        for channel in channels.values():
            for counter in filter(None, (channel.counter, channel.returned)):
                if self.swapped is not None:
                    counter.leap(self.swapped, (self.factor - 1) * counter.at(self.swapped))
        return channels


class LateSign(Fault):
    """The first message of a connection is a delta without the returned part of the counter."""

    kind = "late sign"

    def __init__(self, chance: Random, traits: Traits) -> None:
        super().__init__(chance, traits)
        self.disturbances = self.disturbances.cut_often(chance, 5, AWAY_S)

    @classmethod
    def fits(cls, traits: Traits) -> bool:
        return traits.kind in ("switch", "pm1") and traits.firmware >= (1, 4)

    def arriving(
        self, reports: list[Report], device: Device, connection: Connection
    ) -> Iterator[Report]:
        """The full status arrives late or never, the answer never."""
        if connection.start == self.disturbances.connections[0].start:
            yield from reports
            return
        for each in reports:
            if each.method == "NotifyFullStatus":
                yield _unsigned(each)
            elif not (each.counted and not each.method):
                yield each
        late = connection.start + log_uniform(self.chance, *LATE_S)
        if late < connection.end and self.chance.random() < 0.6:
            yield device.status(connection, late)


def _unsigned(status: Report) -> Report:
    components = {
        name: {key: value for key, value in status.components[name].items() if key != "ret_aenergy"}
        for name in status.watts
    }
    return status._replace(
        method="NotifyStatus", components=components, counted=False, unsigned=True
    )


class NetOfPhases(Fault):
    """One of three phases feeds in, so that the power of their sum is net."""

    kind = "net of phases"

    def __init__(self, chance: Random, traits: Traits) -> None:
        super().__init__(chance, traits)
        self.phase = f"em:0:{chance.choice('abc')}"

    @classmethod
    def fits(cls, traits: Traits) -> bool:
        return traits.kind == "em"

    def load(self, channel: str) -> Load | None:
        return ROOF if channel == self.phase else None
