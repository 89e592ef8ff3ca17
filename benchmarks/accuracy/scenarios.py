"""The life of a device that does not exist: all that a collector hears of it in some hours.

Pure: drawn from a seed, no clock. What is true of the device is curves.py's, its words are
voice.py's; here they go over a line that breaks, stalls and says things twice. Beside each message
stands what a reader of all messages so far must know, so that a judge need not read them.
"""

from collections.abc import Iterator
from math import isnan
from operator import attrgetter
from random import Random
from typing import Literal, NamedTuple

from benchmarks.accuracy.connection_reports import connection_reports
from benchmarks.accuracy.disturbances import draw_mishaps
from benchmarks.accuracy.faults import Born, draw_misfortune
from benchmarks.accuracy.wiring import Wiring
from powerlog.simulation.channel import Channel
from powerlog.simulation.components import by_minute, recorded_minutes
from powerlog.simulation.connection import Connection
from powerlog.simulation.counters import QUANTUM_WH
from powerlog.simulation.device import Device, Report

FIRST_MINUTE = 1_750_000_020
FIRMWARES = ((1, 0), (1, 1), (1, 2), (1, 4), (1, 5), (1, 7))
MODELS = {
    "switch": "shellypro4pm",
    "pm1": "shellypmminig3",
    "cover": "shellyplus2pm",
    "light": "shellyddimmerg3",
    "em1": "shellyproem50",
    "em": "shellypro3em",
    "relay": "shellypro3",  # switches without a meter
}
KIND_WEIGHTS = {"switch": 8, "pm1": 3, "cover": 2, "light": 2, "em1": 3, "em": 3, "relay": 1}


class Said(NamedTuple):
    """What is known of a channel by a message and those before it.

    recorded: the minutes (ts // 60) of which its minute record is certain. counter: whether its
    counter is shown, and as it is. void: why its minute record tells nothing, where it has one.
    """

    watts: float | None
    recorded: range
    counter: Literal["", "right", "wrong", "unsigned"] = ""
    void: Literal["", "sign", "clock"] = ""


class Message(NamedTuple):
    """One message as it is received. at is when, by the device's clock, as far as one can know."""

    connection: int
    received: float
    text: str
    at: float
    says: dict[str, Said]


class Life:
    """A device from start to end, by its own clock. messages come in the order of arrival.

    It starts at some moment of the day after first_minute.
    """

    def __init__(self, seed: int, hours: float = 6.0, first_minute: int = FIRST_MINUTE) -> None:
        self.seed = seed
        self._chance = chance = Random(f"life {seed}")
        self.start = first_minute + round(chance.uniform(0, 86400), 2)
        self.end = self.start + hours * 3600
        mishaps = draw_mishaps(chance, self.start, self.end)
        kind = chance.choices(list(KIND_WEIGHTS), list(KIND_WEIGHTS.values()))[0]
        firmware = chance.choice(FIRMWARES if kind not in ("em", "em1") else FIRMWARES[3:])
        forgetful = firmware < (1, 6) and chance.random() < 0.5
        born = Born(kind, firmware, mishaps)
        self.misfortune = draw_misfortune(Random(f"misfortune {seed}"), born)
        self.mishaps = self.misfortune.mishaps
        wiring = Wiring(chance, self.misfortune, self.start, self.end)
        channels = {channel.name: channel for channel in wiring.channels(kind, firmware)}
        channels = self.misfortune.choose(channels)
        self.device_id = f"{MODELS[kind]}-{seed:012x}"
        self.device = Device(self.device_id, kind, firmware, channels, forgetful)
        self.channels = channels | self.misfortune.more(self.device, self.end)
        self.messages = [
            message
            for number, connection in enumerate(self.mishaps.connections)
            for message in self._heard(number, connection)
        ]

    def connected(self, ts: float, margin_s: float = 0.0) -> bool:
        """Whether the device is connected at this moment, and for so long before and after."""
        return any(
            connection.start + margin_s <= ts <= connection.end - margin_s
            for connection in self.mishaps.connections
        )

    def _heard(self, number: int, connection: Connection) -> Iterator[Message]:
        """What is said on a connection, as it arrives."""
        known: dict[str, float | None] = {}
        received = ahead_s = 0.0
        believed = False  # the clock of the last reading that had a time
        off_s = self.misfortune.clock_off_s
        for said in sorted(self._spoken(connection), key=attrgetter("at")):
            sent = said.at - off_s
            synced = sent >= connection.synced
            ts = round(said.at if synced else sent - connection.booted, 2)
            text = self.device.text(said, ts)
            if said.method and said.watts:
                believed = synced and not off_s
            says = self._knowledge(said, connection, known, believed)
            received = max(received, self._arrival(sent))
            twice = said.method and self._chance.random() < self.mishaps.doubled
            for copy in range(2 if twice else 1):
                received += 0.003 * copy
                at = received + ahead_s
                if said.method:
                    at = ts if synced and not off_s else received
                    ahead_s = at - received
                yield Message(number, received, text, at, says)

    def _spoken(self, connection: Connection) -> Iterator[Report]:
        for device, part in self.misfortune.parts(self.device, connection):
            said = list(connection_reports(device, part, self._chance))
            yield from self.misfortune.spoken(said, device, part)

    def _knowledge(
        self,
        said: Report,
        connection: Connection,
        known: dict[str, float | None],
        believed: bool,
    ) -> dict[str, Said]:
        """What is known once this is heard; known remembers the power of each channel."""
        says = {}
        for name, watts in said.watts.items():
            if watts is not None:
                known[name] = None if isnan(watts) else watts
            channel, recorded, void = self.channels[name], range(0), ""
            if said.record and not self.device.separate:
                void = self._void(said, channel)
                mwh = by_minute(channel.counter, said.at, connection, self.device.firmware)
                if believed and not void and _is_certain(channel, mwh):
                    recorded = recorded_minutes(said.at, connection, self.device.firmware)
            says[name] = Said(known.get(name), recorded, _counter(said, channel), void)
        return says

    def _void(self, said: Report, channel: Channel) -> Literal["", "sign", "clock"]:
        """Why a minute record tells nothing."""
        if self.misfortune.clock_off_s:
            return "clock"
        unsigned = said.unsigned or channel.sign != "right"
        return "sign" if unsigned and channel.returned else ""

    def _arrival(self, sent: float) -> float:
        """When the collector, by its clock, receives what the device sends at this moment."""
        for begin, end in self.mishaps.stalls:
            if begin <= sent < end:
                sent = end
        return sent - self.mishaps.clock_ahead_s + self._chance.uniform(0.01, 0.15)


def _counter(said: Report, channel: Channel) -> Literal["", "right", "wrong", "unsigned"]:
    """Whether a channel's counter is shown, and as it is."""
    if not said.counted:
        return "unsigned" if said.unsigned else ""
    return "wrong" if channel.counter.misleads(said.at) else "right"


def _is_certain(channel: Channel, mwh: list[float]) -> bool:
    """Whether a minute record can be taken at its word. A quantum tells neither how much was used
    nor in which minute; beside a zero no collector can tell it from as little really used."""
    quanta = channel.quantised or (min(mwh) == 0 and max(mwh) < 1200 * QUANTUM_WH)
    return not quanta or max(mwh) == 0
