"""The base of all faults. Each kind overrides what it changes of a life."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple

from benchmarks.accuracy.disturbances import Disturbances
from benchmarks.accuracy.load_curves import Load, log_uniform
from powerlog.simulation.channel import Channel, Silence
from powerlog.simulation.components import Firmware
from powerlog.simulation.connection import Connection
from powerlog.simulation.device import Device, Report

LEAST_W = 5.0  # of what is active
CARRIED_S = 300  # a longer silence is never carried


class Traits(NamedTuple):
    """A device before anything is drawn of its channels."""

    kind: str
    firmware: Firmware
    disturbances: Disturbances

    @property
    def reports_all(self) -> bool:
        """Return whether its report on the full minute has measurements beside the counters."""
        return Device("", self.kind, self.firmware, {}).reports_all

    @property
    def clock(self) -> str:
        if self.disturbances.connections[0].synced > self.disturbances.connections[-1].end:
            return "unset"
        return "wrong" if self.disturbances.clock_ahead_s else "right"


class Fault:
    """No fault. `disturbances` are those of the life, with what a kind adds or leaves out."""

    kind = ""
    quiet = False  # turns are only known as far as messages arrive
    clock_off_s = 0.0  # how far the device's clock is ahead, if beyond the tolerance

    def __init__(self, chance: Random, traits: Traits) -> None:
        self.chance, self.traits, self.disturbances = chance, traits, traits.disturbances

    @classmethod
    def fits(cls, traits: Traits) -> bool:
        """Return whether such a device can have it."""
        return traits.kind != "relay"

    def load(self, channel: str) -> Load | None:
        """Return the load of this channel that replaces the one that was drawn."""
        return None

    def change_channel(self, channel: Channel) -> Channel:
        """Change one channel, before the disturbances change its counters."""
        return channel

    def change_channels(self, channels: dict[str, Channel]) -> dict[str, Channel]:
        """Change the channels, when all of them are drawn."""
        return channels

    def more_channels(self, device: Device, end: float) -> dict[str, Channel]:
        """Return channels that the device has at another time of its life."""
        return {}

    def parts(self, device: Device, connection: Connection) -> Iterator[tuple[Device, Connection]]:
        """Return the devices that report on a connection, each with its part of it."""
        yield device, connection

    def arriving(
        self, reports: list[Report], device: Device, connection: Connection
    ) -> Iterable[Report]:
        """Return the messages of a connection that arrive."""
        if not any(channel.silences for channel in device.channels.values()):
            return reports
        return [each for each in reports if not _is_silent(each, device)]


def _is_silent(report: Report, device: Device) -> bool:
    """Return whether the report has a silent channel alone."""
    if len(report.watts) != 1 or report.method != "NotifyStatus":
        return False
    channel = device.channels[next(iter(report.watts))]
    return any(silence.since < report.at < silence.until for silence in channel.silences)


def draw_silence(
    chance: Random, connection: Connection, lasts_s: tuple[float, float]
) -> Silence | None:
    """Return a silence that ends on a full minute, whose report has everything that has changed
    since, or with the connection; None where there is no room for it."""
    seconds = log_uniform(chance, *lasts_s)
    room_s = connection.end - connection.start - seconds - 120
    if room_s < 0:
        return None
    since = connection.start + 60 + chance.uniform(0, room_s)
    if seconds > CARRIED_S and chance.random() < 0.2:
        return Silence(since, connection.end)
    minutes = (minute for minute in connection.full_minutes() if minute >= since + seconds)
    return Silence(since, next(minutes, connection.end))
