"""How a Shelly of a kind and an age puts what is true of it into words.

Pure, like curves.py, which holds what is true. A Device says on a connection what its model and
firmware would: a full status first, the answers to the collector's two requests, something on each
full minute, deltas with the fields that moved, and now and then what has nothing to do with power.
"""

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from powerlog.truth.curves import MINUTE_S, NOMINAL_V, Connection, Counter, Curve, Step

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
Fields = dict[str, Any]


class Channel(NamedTuple):
    """A channel and all that is true of it. load is the name of what is wired to it."""

    name: str
    load: str
    curve: Curve
    counter: Counter
    returned: Counter | None = None
    quantised: bool = False


class Utterance(NamedTuple):
    """What the device says at a moment of its own clock. watts: those channels that it speaks
    of, each with the power that it tells, None where it tells none."""

    at: float
    components: Fields
    watts: dict[str, float | None]
    method: str = "NotifyStatus"  # of an answer: none
    record: bool = False


class Device(NamedTuple):
    """forgetful: before firmware 1.6 a switch may forget the power of the moment it goes off."""

    kind: str
    firmware: tuple[int, int]
    forgetful: bool
    channels: dict[str, Channel]

    @property
    def separate(self) -> bool:
        """Whether energy has a component of its own. Such devices keep no minute record."""
        return self.kind in ("em", "em1")

    def says(self, connection: Connection, chance: Random) -> Iterator[Utterance]:
        """All that it says on a connection, in no order."""
        yield self._status(connection, connection.start)._replace(method="NotifyFullStatus")
        yield Utterance(connection.start + 0.1, NO_HANDLER, {}, method="")
        answer = self._status(connection, connection.start + chance.uniform(0.1, 0.4))
        yield answer._replace(method="", components={"result": answer.components})
        for channel in self.channels.values():
            yield from self._deltas(channel, connection, chance)
            for at in channel.counter.resets:
                if connection.start < at < connection.end:
                    energy = self._energy(channel, at, connection)
                    yield Utterance(at, energy, {channel.name: None}, record=at > connection.synced)
        for minute in _full_minutes(connection):
            yield from self._minute(minute, connection, chance)
        yield from self._chores(connection, chance)

    def recorded(self, at: float, connection: Connection) -> range:
        """The complete minutes (ts // 60) that a minute record of this moment tells."""
        if self.separate or at < connection.synced:
            return range(0)
        newest = self._minute_ts(at) // MINUTE_S
        if newest == at // MINUTE_S:  # still running, whatever the firmware's age
            newest -= 1
        oldest = newest - (2 if self._complete(at) else 1)
        return range(max(oldest, int(connection.booted // MINUTE_S) + 1), newest + 1)

    def _complete(self, at: float) -> bool:
        """Whether all three of the numbers are of complete minutes."""
        return self.firmware >= (1, 2) or self._minute_ts(at) // MINUTE_S < at // MINUTE_S

    def _minute_ts(self, at: float) -> int:
        if self.firmware >= (1, 2):
            return int(at // MINUTE_S) * MINUTE_S
        last = int(at) - 1
        return last if last % MINUTE_S else last + 1

    def _status(self, connection: Connection, at: float) -> Utterance:
        components: Fields = {
            "input:0": {"id": 0, "state": False},
            "sys": {"unixtime": int(at) if at >= connection.synced else None},
            "wifi": {"sta_ip": "192.0.2.1", "rssi": -60},
        }
        if self.kind == "relay":
            components["switch:0"] = {"id": 0, "output": True, "temperature": {"tC": 37.1}}
        for channel in self.channels.values():
            energy = self._energy(channel, at, connection)
            step = channel.curve.at(at)
            if self.kind in SWITCHED:
                components[channel.name] = {"output": step.watts != 0, "source": "init"}
            for part in self._measured(channel, step), energy:
                for key, fields in part.items():
                    components.setdefault(key, {}).update(fields)
        watts = {name: _watts(channel.curve.at(at)) for name, channel in self.channels.items()}
        return Utterance(at, components, watts, record=at >= connection.synced)

    def _minute(self, minute: float, connection: Connection, chance: Random) -> Iterator[Utterance]:
        """What is said on the full minute; before firmware 1.5 that was the energy alone."""
        at = minute + (0.7 if self.firmware < (1, 2) else chance.choice((0.0, 0.0, 0.01)))
        if at >= connection.end:
            return
        for channel in self.channels.values():
            step = channel.curve.at(at)
            measured = self._measured(channel, step) if self._tells_all else {}
            told = _watts(step) if self._tells_all else None
            energy = self._energy(channel, at, connection)
            record = at >= connection.synced and not self.separate
            if measured and self.separate:
                yield Utterance(at, measured, {channel.name: told})
                yield Utterance(at, energy, {channel.name: None})
                continue
            for key, fields in measured.items():
                energy[key] = fields | energy[key]
            yield Utterance(at, energy, {channel.name: told}, record=record)

    @property
    def _tells_all(self) -> bool:
        return self.separate or self.firmware >= (1, 5)

    def _deltas(
        self, channel: Channel, connection: Connection, chance: Random
    ) -> Iterator[Utterance]:
        """What moves between the minutes, in comparison to what was told last."""
        told = previous = channel.curve.at(connection.start)
        switched = self.kind in SWITCHED
        for step in channel.curve.between(connection.start, connection.end):
            if self._tells_all and step.at // MINUTE_S > previous.at // MINUTE_S:
                told = previous
            fields = self._measured(channel, step)
            name, (key,) = channel.name, fields
            if switched and step.watts and not previous.watts:
                yield Utterance(step.at, {key: {"output": True, "source": "SHC"}}, {name: None})
                # It says at once that it is on, and a little later what it measures.
                late = min(step.at + chance.uniform(0.2, 0.8), connection.end - 0.01)
                yield Utterance(late, fields, {name: _watts(step)})
                told = step
            elif switched and previous.watts and not step.watts:
                yield self._off(step.at, channel, fields, chance)
                told = step
            elif _moved(told.watts, step.watts):
                yield Utterance(step.at, fields, {name: _watts(step)})
                told = step
            elif _moved(told.amps, step.amps):
                current = {
                    field: value for field, value in fields[key].items() if "current" in field
                }
                yield Utterance(step.at, {key: current}, {name: None})
                told = told._replace(amps=step.amps)
            previous = step

    def _off(self, at: float, channel: Channel, fields: Fields, chance: Random) -> Utterance:
        off = {"id": 0, "output": False, "source": "SHC"}
        if self.forgetful and chance.random() < 0.5:
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

    def _measured(self, channel: Channel, step: Step) -> Fields:
        """The component with what is measured of a channel."""
        watts, amps = _watts(step), round(step.amps, 3)
        kind, _, place = channel.name.partition(":")
        if kind == "em":
            number, _, phase = place.partition(":")
            name = phase or "total"
            fields = {f"{name}_act_power": watts, f"{name}_current": amps}
            return {f"em:{number}": fields | ({f"{phase}_voltage": NOMINAL_V} if phase else {})}
        if kind == "em1":
            return {channel.name: {"act_power": watts, "voltage": NOMINAL_V, "current": amps}}
        return {channel.name: {"apower": watts, "voltage": NOMINAL_V, "current": amps}}

    def _energy(self, channel: Channel, at: float, connection: Connection) -> Fields:
        """The component with the counters of a channel."""
        kind, _, place = channel.name.partition(":")
        wh = channel.counter.at(at)
        if kind == "em":
            number, _, phase = place.partition(":")
            return {f"emdata:{number}": {f"{phase}_total_act_energy" if phase else "total_act": wh}}
        if kind == "em1":
            returned = channel.returned.at(at) if channel.returned else 0.0
            fields = {"total_act_energy": wh, "total_act_ret_energy": returned}
            return {f"em1data:{place}": fields}
        fields = {"aenergy": self._counted(channel.counter, at, connection)}
        if channel.returned:
            fields["ret_aenergy"] = self._counted(channel.returned, at, connection)
        return {channel.name: {"id": 0} | fields}

    def _counted(self, counter: Counter, at: float, connection: Connection) -> Fields:
        total = {"total": counter.at(at)}
        if at < connection.synced:
            return total
        mwh = self.by_minute(counter, at, connection)
        return total | {"by_minute": mwh, "minute_ts": self._minute_ts(at)}

    def by_minute(self, counter: Counter, at: float, connection: Connection) -> list[float]:
        """The minute record of this moment: mWh, the newest first."""
        newest = self._minute_ts(at) // MINUTE_S
        if self.firmware >= (1, 2):
            newest -= 1
        # It remembers nothing from before it booted.
        bounds = [max(connection.booted, (newest + n) * MINUTE_S) for n in (1, 0, -1, -2)]
        bounds[0] = min(at, bounds[0])
        return [counter.mwh(since, until) for until, since in pairwise(bounds)]


def _full_minutes(connection: Connection) -> Iterator[float]:
    """The full minutes of the device's clock; where that is never set, of its uptime."""
    origin = connection.booted if connection.synced > connection.end else 0.0
    since = max(connection.start, min(connection.synced, connection.end) if not origin else 0.0)
    minute = origin + ((since - origin) // MINUTE_S + 1) * MINUTE_S
    while minute < connection.end:
        yield minute
        minute += MINUTE_S


def _moved(told: float, now: float) -> bool:
    return abs(now - told) > REPORTED_MOVE * abs(told)


def _watts(step: Step) -> float:
    return round(step.watts, 1)
