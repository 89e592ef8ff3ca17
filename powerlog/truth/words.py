"""How a Shelly of some firmware words what it measures and counts: the fields of its components.

Pure. When it says them is in voice.py.
"""

from itertools import pairwise
from typing import Any, NamedTuple

from powerlog.truth.counters import Counter
from powerlog.truth.curves import MINUTE_S, NOMINAL_V, Curve, Step
from powerlog.truth.mishaps import Connection

Fields = dict[str, Any]
Firmware = tuple[int, int]


class Channel(NamedTuple):
    """A channel and all that is true of it. load is the name of what is wired to it."""

    name: str
    load: str
    curve: Curve
    counter: Counter
    returned: Counter | None = None
    quantised: bool = False


def watts_of(step: Step) -> float:
    return round(step.watts, 1)


def measured(channel: Channel, step: Step) -> Fields:
    """The component with what is measured of a channel."""
    watts, amps = watts_of(step), round(step.amps, 3)
    kind, _, place = channel.name.partition(":")
    if kind == "em":
        number, _, phase = place.partition(":")
        name = phase or "total"
        fields = {f"{name}_act_power": watts, f"{name}_current": amps}
        return {f"em:{number}": fields | ({f"{phase}_voltage": NOMINAL_V} if phase else {})}
    name = "act_power" if kind == "em1" else "apower"
    return {channel.name: {name: watts, "voltage": NOMINAL_V, "current": amps}}


def energy(channel: Channel, at: float, connection: Connection, firmware: Firmware) -> Fields:
    """The component with the counters of a channel."""
    kind, _, place = channel.name.partition(":")
    wh = channel.counter.at(at)
    if kind == "em":
        number, _, phase = place.partition(":")
        return {f"emdata:{number}": {f"{phase}_total_act_energy" if phase else "total_act": wh}}
    if kind == "em1":
        returned = channel.returned.at(at) if channel.returned else 0.0
        return {f"em1data:{place}": {"total_act_energy": wh, "total_act_ret_energy": returned}}
    fields = {"aenergy": _counted(channel.counter, at, connection, firmware)}
    if channel.returned:
        fields["ret_aenergy"] = _counted(channel.returned, at, connection, firmware)
    return {channel.name: {"id": 0} | fields}


def _counted(counter: Counter, at: float, connection: Connection, firmware: Firmware) -> Fields:
    total = {"total": counter.at(at)}
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
