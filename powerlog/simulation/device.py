"""A simulated Shelly of some kind and firmware: what it reports, and when.

Pure: no socket and no clock. All times are Unix seconds by the device's own clock.
"""

import math
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import msgspec

from powerlog.simulation.channel import Channel
from powerlog.simulation.components import (
    Fields,
    Firmware,
    energy,
    measured,
    moved,
    names,
    watts_of,
)
from powerlog.simulation.connection import Connection
from powerlog.simulation.curves import MINUTE_S, NOMINAL_V, Step

REPORTED_MOVE = 0.05  # a smaller relative move of power or current makes no delta
# A switch reports at once that it is on, and later what it measures.
REPORT_DELAY_S, DELAYS_S = 0.9, (0.2, 0.8)
SWITCHED_ON = {"output": True, "source": "SHC"}
SWITCHED_OFF = {"output": False, "source": "SHC"}
SWITCHED = ("switch", "light")
INPUTS = {f"input:{number}": {"id": number, "state": False} for number in range(4)}
LINKS = {"cloud": {"connected": True}, "eth": {"ip": None}, "ws": {"connected": True}}
UNKNOWN = math.nan


class Report(NamedTuple):
    """What a device sends at a moment, and what is true of it.

    watts: the channels in it, each with the power that it reports: None for no power, UNKNOWN where
    the meter fails. counted: with their counters. record: with their minute records. unsigned: but
    without the direction in which they were counted.
    """

    at: float
    components: Fields
    watts: dict[str, float | None]
    method: str = "NotifyStatus"  # of an answer: none
    record: bool = False
    counted: bool = False
    unsigned: bool = False


class Device(NamedTuple):
    """forgetful: before firmware 1.6 a switch may forget the power of the moment it goes off.
    phase: shifts its voltage, temperature and Wi-Fi against those of other devices."""

    device_id: str
    kind: str
    firmware: Firmware
    channels: dict[str, Channel]
    forgetful: bool = False
    phase: float = 0.0

    @property
    def separate(self) -> bool:
        """Return whether energy has a component of its own. Such devices keep no minute record."""
        return self.kind in ("em", "em1")

    @property
    def reports_all(self) -> bool:
        """Return whether it reports on the full minute what it measures, not its counters alone."""
        return self.separate or self.firmware >= (1, 5)

    def text(self, report: Report, ts: float) -> str:
        """Return a report as a message. ts: the time in it; an answer has none."""
        message: Fields = {"src": self.device_id}
        if report.method:
            params = {"ts": ts} | report.components
            message |= {"dst": "ws", "method": report.method, "params": params}
        else:
            message |= {"id": 2, "dst": "collector"} | report.components
        return msgspec.json.encode(message).decode()

    def status(self, connection: Connection, at: float) -> Report:
        """Return all that it knows: the first message of every connection."""
        mac = self.device_id.rpartition("-")[2].upper()
        unixtime = int(at) if at >= connection.synced else None
        system = {"mac": mac, "unixtime": unixtime, "available_updates": {}}
        components: Fields = INPUTS | {"sys": system, "wifi": self.wifi(at)} | LINKS
        if self.kind == "relay":
            components["switch:0"] = {"id": 0, "output": True, "temperature": self.temperature(at)}
        for channel in self.channels.values():
            if self.kind in SWITCHED:
                output = channel.curve.at(at).watts != 0
                components[channel.name] = {"output": output, "source": "init"}
            if self.kind == "switch":
                components[channel.name]["temperature"] = self.temperature(at)
            counted = energy(channel, at, connection, self.firmware)
            for part in self.measured(channel, at), counted:
                for key, fields in part.items():
                    components.setdefault(key, {}).update(fields)
        watts = {name: reported_w(channel, at) for name, channel in self.channels.items()}
        record = at >= connection.synced
        return Report(at, components, watts, "NotifyFullStatus", record, counted=True)

    def answer(self, connection: Connection, at: float) -> Report:
        """Return the answer to Shelly.GetStatus."""
        status = self.status(connection, at)
        return status._replace(method="", components={"result": status.components})

    def minute(self, connection: Connection, at: float) -> Iterator[Report]:
        """Return what it sends on the full minute; before firmware 1.5 the energy alone."""
        for channel in self.channels.values():
            values = self.measured(channel, at) if self.reports_all else {}
            watts = reported_w(channel, at) if self.reports_all else None
            counted = energy(channel, at, connection, self.firmware)
            if self.separate:
                yield Report(at, values, {channel.name: watts})
                yield Report(at, counted, {channel.name: None}, counted=True)
                continue
            for key, fields in values.items():
                counted[key] = fields | counted[key]
            record = at >= connection.synced
            yield Report(at, counted, {channel.name: watts}, record=record, counted=True)

    def deltas(
        self, channel: Channel, since: float, until: float, chance: Random | None = None
    ) -> Iterator[Report]:
        """Return what moves between the minutes, in comparison with what it reported last.

        Without a chance every delay is the same, so that a later `since` gives the same reports.
        """
        reported = previous = channel.curve.at(since)
        switched, name = self.kind in SWITCHED, channel.name
        for step in channel.curve.between(since, until):
            if self.reports_all and step.at // MINUTE_S > previous.at // MINUTE_S:
                reported = previous
            if switched and step.watts and not previous.watts:
                yield Report(step.at, {name: SWITCHED_ON}, {name: None})
                delay_s = chance.uniform(*DELAYS_S) if chance else REPORT_DELAY_S
                yield self._moved(channel, min(step.at + delay_s, until - 0.01), step)
                reported = step
            elif switched and previous.watts and not step.watts:
                yield self._off(channel, step.at, chance)
                reported = step
            elif channel.failures and channel.fails(step.at):
                reported = step
            elif _differs(reported.watts, step.watts):
                yield self._moved(channel, step.at, step)
                reported = step
            elif _differs(reported.amps, step.amps):
                component, _, current, _ = names(name)
                yield Report(step.at, {component: {current: round(step.amps, 3)}}, {name: None})
                reported = reported._replace(amps=step.amps)
            previous = step

    def measured(self, channel: Channel, at: float) -> Fields:
        """Return all that is measured of a channel, at the voltage of this moment."""
        volts = NOMINAL_V + 2 * math.sin(at / 700 + self.phase)
        return measured(channel, at, volts)

    def wifi(self, at: float) -> Fields:
        rssi = round(-60 + 5 * math.sin(at / 1100 + self.phase))
        return {"sta_ip": "192.0.2.1", "status": "got ip", "ssid": "nowhere", "rssi": rssi}

    def temperature(self, at: float) -> Fields:
        celsius = 48 + 4 * math.sin(at / 900 + self.phase)
        return {"tC": round(celsius, 1), "tF": round(celsius * 1.8 + 32, 1)}

    def _moved(self, channel: Channel, at: float, step: Step) -> Report:
        if channel.failures and channel.fails(at):
            return Report(at, self.measured(channel, at), {channel.name: UNKNOWN})
        return Report(at, moved(channel, step), {channel.name: watts_of(step)})

    def _off(self, channel: Channel, at: float, chance: Random | None) -> Report:
        fields = SWITCHED_OFF
        if not channel.fails(at) and not (self.forgetful and chance and chance.random() < 0.5):
            fields = fields | {"apower": 0, "current": 0, "pf": 0}
        return Report(at, {channel.name: fields}, {channel.name: 0.0})


def _differs(reported: float, now: float) -> bool:
    return abs(now - reported) > REPORTED_MOVE * abs(reported)


def reported_w(channel: Channel, at: float) -> float:
    """Return the power that a device reports of a channel."""
    return UNKNOWN if channel.failures and channel.fails(at) else watts_of(channel.curve.at(at))
