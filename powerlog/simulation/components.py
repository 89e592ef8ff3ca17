"""How a Shelly of some firmware words what it measures and counts: the fields of its components.

Pure. When it says them is in voice.py.
"""

from itertools import pairwise
from math import inf
from typing import Any, Literal, NamedTuple

from powerlog.simulation.connection import Connection
from powerlog.simulation.counters import Counter
from powerlog.simulation.curves import MINUTE_S, NOMINAL_V, Curve, Step

Fields = dict[str, Any]
Firmware = tuple[int, int]
Sign = Literal["right", "absent", "null", "another minute"]


class Silence(NamedTuple):
    """A time without a report of a channel; alone: its device reports its other channels."""

    since: float
    until: float
    alone: bool = True


class Channel(NamedTuple):
    """A channel and all that is true of it. load is the name of what is wired to it.

    failures: when its meter fails. gone: when its device stops having it. sign: how its record has
    the part that was returned.
    """

    name: str
    load: str
    curve: Curve
    counter: Counter
    returned: Counter | None = None
    quantised: bool = False
    failures: tuple[tuple[float, float], ...] = ()
    silences: tuple[Silence, ...] = ()
    gone: float = inf
    sign: Sign = "right"

    def fails(self, at: float) -> bool:
        return any(since <= at < until for since, until in self.failures)

    @property
    def net(self) -> bool:
        """Whether what was drawn is what it counts less what it counts as returned."""
        return self.returned is not None and self.name.partition(":")[0] != "em1"

    def later(self, by_s: float) -> "Channel":
        """Return the same channel by a clock that is so much ahead."""
        returned = self.returned and self.returned.later(by_s)
        curve, counter = self.curve.later(by_s), self.counter.later(by_s)
        return self._replace(curve=curve, counter=counter, returned=returned)


def watts_of(step: Step) -> float:
    return round(step.watts, 1)


def measured(channel: Channel, step: Step) -> Fields:
    """Return the component with what is measured of a channel."""
    watts, amps = watts_of(step), round(step.amps, 3)
    kind, _, place = channel.name.partition(":")
    if kind == "em":
        number, _, phase = place.partition(":")
        name = phase or "total"
        fields = {f"{name}_act_power": watts, f"{name}_current": amps}
        return {f"em:{number}": fields | ({f"{phase}_voltage": NOMINAL_V} if phase else {})}
    name = "act_power" if kind == "em1" else "apower"
    return {channel.name: {name: watts, "voltage": NOMINAL_V, "current": amps}}


def nulled(fields: Fields) -> Fields:
    """Return the same component as it is while its meter fails."""
    return {
        key: dict.fromkeys(values) | {"errors": ["power_meter_failure"]}
        for key, values in fields.items()
    }


def energy(channel: Channel, at: float, connection: Connection, firmware: Firmware) -> Fields:
    """Return the component with the counters of a channel."""
    kind, _, place = channel.name.partition(":")
    wh = channel.counter.shows(at)
    if kind == "em":
        number, _, phase = place.partition(":")
        total, back = (f"{phase}_total_act_energy", f"{phase}_total_act_ret_energy")
        names = (total, back) if phase else ("total_act", "total_act_ret")
        values = (wh,) if channel.returned is None else (wh, channel.returned.at(at))
        return {f"emdata:{number}": dict(zip(names, values, strict=False))}
    if kind == "em1":
        returned = channel.returned.at(at) if channel.returned else 0.0
        return {f"em1data:{place}": {"total_act_energy": wh, "total_act_ret_energy": returned}}
    fields = {"aenergy": _counted(channel.counter, at, connection, firmware)}
    if channel.returned and channel.sign != "absent":
        fields["ret_aenergy"] = _returned(channel, channel.returned, at, connection, firmware)
    return {channel.name: {"id": 0} | fields}


def _returned(
    channel: Channel, returned: Counter, at: float, connection: Connection, firmware: Firmware
) -> Fields | None:
    if channel.sign == "null":
        return None
    fields = _counted(returned, at, connection, firmware)
    if channel.sign == "another minute" and "minute_ts" in fields:
        old = _counted(returned, at - MINUTE_S, connection, firmware)
        return old | {"total": fields["total"]}
    return fields


def _counted(counter: Counter, at: float, connection: Connection, firmware: Firmware) -> Fields:
    total = {"total": counter.shows(at)}
    if at < connection.synced:
        return total
    mwh = by_minute(counter, at, connection, firmware)
    return total | {"by_minute": mwh, "minute_ts": _minute_ts(at, firmware)}


def by_minute(
    counter: Counter, at: float, connection: Connection, firmware: Firmware
) -> list[float]:
    """The minute record of this moment: mWh, the newest first."""
    newest = _minute_ts(at, firmware) // MINUTE_S
    if firmware >= (1, 2):
        newest -= 1
    # It remembers nothing from before it booted.
    bounds = [max(connection.booted, (newest + n) * MINUTE_S) for n in (1, 0, -1, -2)]
    bounds[0] = min(at, bounds[0])
    return [counter.mwh(since, until) for until, since in pairwise(bounds)]


def recorded(at: float, connection: Connection, firmware: Firmware) -> range:
    """The complete minutes (ts // 60) that a minute record of this moment tells."""
    newest = _minute_ts(at, firmware) // MINUTE_S
    # Whether all three of the numbers are of complete minutes.
    complete = firmware >= (1, 2) or newest < at // MINUTE_S
    if newest == at // MINUTE_S:  # still running, whatever the firmware's age
        newest -= 1
    oldest = newest - (2 if complete else 1)
    return range(max(oldest, int(connection.booted // MINUTE_S) + 1), newest + 1)


def _minute_ts(at: float, firmware: Firmware) -> int:
    if firmware >= (1, 2):
        return int(at // MINUTE_S) * MINUTE_S
    last = int(at) - 1
    return last if last % MINUTE_S else last + 1
