"""How a Shelly of a kind and an age puts what is true of it into words.

Pure, like curves.py, which holds what is true. A Device says on a connection what its model and
firmware would: a full status first, the answers to the collector's two requests, something on each
full minute, deltas with the fields that moved, and now and then what has nothing to do with power.
"""

from collections.abc import Iterator
from math import nan
from random import Random
from typing import NamedTuple

from powerlog.simulation.components import (
    Channel,
    Fields,
    Firmware,
    energy,
    measured,
    nulled,
    recorded,
    watts_of,
)
from powerlog.simulation.connection import Connection
from powerlog.simulation.curves import MINUTE_S, Step

REPORTED_MOVE = 0.05  # a smaller relative move of power or current makes no delta
CHORE_S = 97  # between two frames that have nothing to do with power
NO_HANDLER = {"error": {"code": 404, "message": "No handler for NotifyStatus"}}
MODELS = {
    "switch": "shellypro4pm",
    "pm1": "shellypmminig3",
    "cover": "shellyplus2pm",
    "light": "shellyddimmerg3",
    "em1": "shellyproem50",
    "em": "shellypro3em",
    "relay": "shellypro3",  # switches without a meter
}
SWITCHED = ("switch", "light")
UNKNOWN = nan


class Utterance(NamedTuple):
    """What the device says at a moment of its own clock.

    watts: those channels that it speaks of, each with the power that it tells, None where it tells
    none, UNKNOWN where its meter fails. counted: with their counters; record: with their minute
    records, unsigned: but not in which direction they were counted.
    """

    at: float
    components: Fields
    watts: dict[str, float | None]
    method: str = "NotifyStatus"  # of an answer: none
    record: bool = False
    counted: bool = False
    unsigned: bool = False


class Device(NamedTuple):
    """forgetful: before firmware 1.6 a switch may forget the power of the moment it goes off."""

    kind: str
    firmware: Firmware
    forgetful: bool
    channels: dict[str, Channel]

    @property
    def separate(self) -> bool:
        """Whether energy has a component of its own. Such devices keep no minute record."""
        return self.kind in ("em", "em1")

    def says(self, connection: Connection, chance: Random) -> Iterator[Utterance]:
        """All that it says on a connection, in no order."""
        yield self.status(connection, connection.start)
        yield Utterance(connection.start + 0.1, NO_HANDLER, {}, method="")
        yield self.answer(connection, connection.start + chance.uniform(0.1, 0.4))
        for channel in self.channels.values():
            yield from self._deltas(channel, connection, chance)
            yield from self._failures(channel, connection)
            for at in channel.counter.resets:
                if connection.start < at < connection.end:
                    counted = energy(channel, at, connection, self.firmware)
                    record = at > connection.synced
                    yield Utterance(at, counted, {channel.name: None}, record=record, counted=True)
        for minute in connection.full_minutes():
            yield from self._minute(minute, connection, chance)
        yield from self._chores(connection, chance)

    def recorded(self, at: float, connection: Connection) -> range:
        """The complete minutes (ts // 60) that a minute record of this moment tells."""
        if self.separate or at < connection.synced:
            return range(0)
        return recorded(at, connection, self.firmware)

    def answer(self, connection: Connection, at: float) -> Utterance:
        """What it answers to Shelly.GetStatus."""
        status = self.status(connection, at)
        return status._replace(method="", components={"result": status.components})

    def status(self, connection: Connection, at: float) -> Utterance:
        """All that it knows."""
        components: Fields = {
            "input:0": {"id": 0, "state": False},
            "sys": {"unixtime": int(at) if at >= connection.synced else None},
            "wifi": {"sta_ip": "192.0.2.1", "rssi": -60},
        }
        if self.kind == "relay":
            components["switch:0"] = {"id": 0, "output": True, "temperature": {"tC": 37.1}}
        for channel in self.channels.values():
            counted = energy(channel, at, connection, self.firmware)
            step = channel.curve.at(at)
            if self.kind in SWITCHED:
                components[channel.name] = {"output": step.watts != 0, "source": "init"}
            for part in _measured(channel, at, step), counted:
                for key, fields in part.items():
                    components.setdefault(key, {}).update(fields)
        watts: dict[str, float | None] = {
            name: _watts(channel, at, channel.curve.at(at))
            for name, channel in self.channels.items()
        }
        record = at >= connection.synced
        return Utterance(at, components, watts, "NotifyFullStatus", record, counted=True)

    def _minute(self, minute: float, connection: Connection, chance: Random) -> Iterator[Utterance]:
        """What is said on the full minute; before firmware 1.5 that was the energy alone."""
        at = minute + (0.7 if self.firmware < (1, 2) else chance.choice((0.0, 0.0, 0.01)))
        if at >= connection.end:
            return
        for channel in self.channels.values():
            step = channel.curve.at(at)
            values = _measured(channel, at, step) if self.tells_all else {}
            told = _watts(channel, at, step) if self.tells_all else None
            counted = energy(channel, at, connection, self.firmware)
            record = at >= connection.synced and not self.separate
            if values and self.separate:
                yield Utterance(at, values, {channel.name: told})
                yield Utterance(at, counted, {channel.name: None}, counted=True)
                continue
            for key, fields in values.items():
                counted[key] = fields | counted[key]
            yield Utterance(at, counted, {channel.name: told}, record=record, counted=True)

    @property
    def tells_all(self) -> bool:
        """Whether it tells on the full minute what it measures, and not its counters alone."""
        return self.separate or self.firmware >= (1, 5)

    def _deltas(
        self, channel: Channel, connection: Connection, chance: Random
    ) -> Iterator[Utterance]:
        """What moves between the minutes, in comparison to what was told last."""
        told = previous = channel.curve.at(connection.start)
        switched = self.kind in SWITCHED
        for step in channel.curve.between(connection.start, connection.end):
            if self.tells_all and step.at // MINUTE_S > previous.at // MINUTE_S:
                told = previous
            fields = _measured(channel, step.at, step)
            name, (key,) = channel.name, fields
            if switched and step.watts and not previous.watts:
                yield Utterance(step.at, {key: {"output": True, "source": "SHC"}}, {name: None})
                # It says at once that it is on, and a little later what it measures.
                late = min(step.at + chance.uniform(0.2, 0.8), connection.end - 0.01)
                fields = _measured(channel, late, step)
                yield Utterance(late, fields, {name: _watts(channel, late, step)})
                told = step
            elif switched and previous.watts and not step.watts:
                yield self._off(step.at, channel, fields, chance)
                told = step
            elif channel.failures and channel.fails(step.at):
                told = step
            elif _moved(told.watts, step.watts):
                yield Utterance(step.at, fields, {name: watts_of(step)})
                told = step
            elif _moved(told.amps, step.amps):
                current = {
                    field: value for field, value in fields[key].items() if "current" in field
                }
                yield Utterance(step.at, {key: current}, {name: None})
                told = told._replace(amps=step.amps)
            previous = step

    def _failures(self, channel: Channel, connection: Connection) -> Iterator[Utterance]:
        """Its meter fails, and measures again."""
        for since, until in channel.failures:
            for at in since, until:
                if connection.start < at < connection.end:
                    step = channel.curve.at(at)
                    fields = _measured(channel, at, step)
                    if at == until:
                        fields = {key: each | {"errors": None} for key, each in fields.items()}
                    yield Utterance(at, fields, {channel.name: _watts(channel, at, step)})

    def _off(self, at: float, channel: Channel, fields: Fields, chance: Random) -> Utterance:
        off = {"id": 0, "output": False, "source": "SHC"}
        if channel.fails(at) or (self.forgetful and chance.random() < 0.5):
            return Utterance(at, {channel.name: off}, {channel.name: 0.0})
        return Utterance(at, {channel.name: off | fields[channel.name]}, {channel.name: 0.0})

    def _chores(self, connection: Connection, chance: Random) -> Iterator[Utterance]:
        at = connection.start + chance.uniform(1, CHORE_S)
        while at < connection.end:
            name = chance.choice((*self.channels, "sys"))
            key = name.partition(":")[0]
            match chance.randrange(4):
                case 0:
                    events = {"events": [{"component": "sys"}]}
                    yield Utterance(at, events, {}, method="NotifyEvent")
                case 1 if key in ("switch", "pm1", "cover"):
                    volts = round(chance.uniform(226, 234), 1)
                    yield Utterance(at, {name: {"id": 0, "voltage": volts}}, {name: None})
                case 2 if key == "switch":
                    yield Utterance(at, {name: {"id": 0, "temperature": {"tC": 48.1}}}, {})
                case _:
                    yield Utterance(at, {"wifi": {"rssi": -61}}, {})
            at += chance.uniform(0.5, 1.5) * CHORE_S


def _moved(told: float, now: float) -> bool:
    return abs(now - told) > REPORTED_MOVE * abs(told)


def _measured(channel: Channel, at: float, step: Step) -> Fields:
    """The component with what is measured of a channel, or fails to be."""
    fields = measured(channel, step)
    return nulled(fields) if channel.failures and channel.fails(at) else fields


def _watts(channel: Channel, at: float, step: Step) -> float:
    return UNKNOWN if channel.failures and channel.fails(at) else watts_of(step)
