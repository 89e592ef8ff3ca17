"""Scenarios: the life of one made-up device for some hours, with all messages that arrive.

Pure: drawn from a seed, no clock. The reports of the device go over a line that breaks, stalls and
doubles messages. Each message has beside it what a reader of all messages so far must know, so that
the scoring need not read them.
"""

from collections.abc import Iterator
from math import isnan
from operator import attrgetter
from random import Random
from typing import Literal, NamedTuple

from benchmarks.accuracy.connection_reports import connection_reports
from benchmarks.accuracy.disturbances import draw_disturbances
from benchmarks.accuracy.faults import Traits, draw_fault
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


class Known(NamedTuple):
    """The knowledge of a channel from a message and those before it.

    recorded: the minutes (ts // 60) that its minute record proves. counter: whether the message has
    its counter, and the right one. void: why its minute record proves nothing, where it has one.
    """

    watts: float | None
    recorded: range
    counter: Literal["", "right", "wrong", "unsigned"] = ""
    void: Literal["", "sign", "clock"] = ""


class Message(NamedTuple):
    """One message as it is received. at: the moment by the device's clock, as far as known."""

    connection: int
    received: float
    text: str
    at: float
    known: dict[str, Known]


class Life:
    """A device from start to end, by its own clock. messages come in the order of arrival.

    It starts at some moment of the day after first_minute.
    """

    def __init__(self, seed: int, hours: float = 6.0, first_minute: int = FIRST_MINUTE) -> None:
        self.seed = seed
        self._chance = chance = Random(f"life {seed}")
        self.start = first_minute + round(chance.uniform(0, 86400), 2)
        self.end = self.start + hours * 3600
        disturbances = draw_disturbances(chance, self.start, self.end)
        kind = chance.choices(list(KIND_WEIGHTS), list(KIND_WEIGHTS.values()))[0]
        firmware = chance.choice(FIRMWARES if kind not in ("em", "em1") else FIRMWARES[3:])
        forgetful = firmware < (1, 6) and chance.random() < 0.5
        traits = Traits(kind, firmware, disturbances)
        self.fault = draw_fault(Random(f"misfortune {seed}"), traits)
        self.disturbances = self.fault.disturbances
        wiring = Wiring(chance, self.fault, self.start, self.end)
        channels = {channel.name: channel for channel in wiring.channels(kind, firmware)}
        channels = self.fault.change_channels(channels)
        self.device_id = f"{MODELS[kind]}-{seed:012x}"
        self.device = Device(self.device_id, kind, firmware, channels, forgetful)
        self.channels = channels | self.fault.more_channels(self.device, self.end)
        self.messages = [
            message
            for number, connection in enumerate(self.disturbances.connections)
            for message in self._arriving(number, connection)
        ]

    def connected(self, ts: float, margin_s: float = 0.0) -> bool:
        """Return whether the device is connected at this moment, and so long before and after."""
        return any(
            connection.start + margin_s <= ts <= connection.end - margin_s
            for connection in self.disturbances.connections
        )

    def _arriving(self, number: int, connection: Connection) -> Iterator[Message]:
        """Return the messages of a connection as they arrive."""
        powers_w: dict[str, float | None] = {}
        received = ahead_s = 0.0
        believed = False  # the clock of the last reading that had a time
        off_s = self.fault.clock_off_s
        for report in sorted(self._sent(connection), key=attrgetter("at")):
            sent = report.at - off_s
            synced = sent >= connection.synced
            ts = round(report.at if synced else sent - connection.booted, 2)
            text = self.device.text(report, ts)
            if report.method and report.watts:
                believed = synced and not off_s
            known = self._knowledge(report, connection, powers_w, believed)
            received = max(received, self._arrival(sent))
            twice = report.method and self._chance.random() < self.disturbances.doubled
            for copy in range(2 if twice else 1):
                received += 0.003 * copy
                at = received + ahead_s
                if report.method:
                    at = ts if synced and not off_s else received
                    ahead_s = at - received
                yield Message(number, received, text, at, known)

    def _sent(self, connection: Connection) -> Iterator[Report]:
        for device, part in self.fault.parts(self.device, connection):
            reports = list(connection_reports(device, part, self._chance))
            yield from self.fault.arriving(reports, device, part)

    def _knowledge(
        self,
        report: Report,
        connection: Connection,
        powers_w: dict[str, float | None],
        believed: bool,
    ) -> dict[str, Known]:
        """Return what is known after this report; powers_w keeps the power of each channel."""
        known = {}
        for name, watts in report.watts.items():
            if watts is not None:
                powers_w[name] = None if isnan(watts) else watts
            channel, recorded, void = self.channels[name], range(0), ""
            if report.record and not self.device.separate:
                void = self._void(report, channel)
                mwh = by_minute(channel.counter, report.at, connection, self.device.firmware)
                if believed and not void and _is_certain(channel, mwh):
                    recorded = recorded_minutes(report.at, connection, self.device.firmware)
            known[name] = Known(powers_w.get(name), recorded, _counter(report, channel), void)
        return known

    def _void(self, report: Report, channel: Channel) -> Literal["", "sign", "clock"]:
        """Return why a minute record proves nothing."""
        if self.fault.clock_off_s:
            return "clock"
        unsigned = report.unsigned or channel.sign != "right"
        return "sign" if unsigned and channel.returned else ""

    def _arrival(self, sent: float) -> float:
        """Return when the collector, by its clock, receives what the device sends now."""
        for begin, end in self.disturbances.stalls:
            if begin <= sent < end:
                sent = end
        return sent - self.disturbances.clock_ahead_s + self._chance.uniform(0.01, 0.15)


def _counter(report: Report, channel: Channel) -> Literal["", "right", "wrong", "unsigned"]:
    """Return whether a report has the counter of a channel, and the right one."""
    if not report.counted:
        return "unsigned" if report.unsigned else ""
    return "wrong" if channel.counter.misleads(report.at) else "right"


def _is_certain(channel: Channel, mwh: list[float]) -> bool:
    """Return whether a minute record is certain. A quantum shows neither how much was used nor in
    which minute; beside a zero no collector can distinguish it from as little really used."""
    quanta = channel.quantised or (min(mwh) == 0 and max(mwh) < 1200 * QUANTUM_WH)
    return not quanta or max(mwh) == 0
