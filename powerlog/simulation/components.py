"""The components of a Shelly: the fields in which it reports what it measures and counts.

Pure. device.py has when it sends them.
"""

from functools import lru_cache
from itertools import pairwise
from typing import Any

from powerlog.simulation.channel import Channel
from powerlog.simulation.connection import Connection
from powerlog.simulation.counters import Counter
from powerlog.simulation.curves import MINUTE_S, Step

Fields = dict[str, Any]
Firmware = tuple[int, int]


@lru_cache(maxsize=64)
def names(channel: str) -> tuple[str, str, str, str]:
    """Return the component that measures a channel, and its fields of power, current and voltage.
    A sum of phases has no voltage."""
    kind, _, place = channel.partition(":")
    if kind == "em":
        number, _, phase = place.partition(":")
        of = phase or "total"
        return f"em:{number}", f"{of}_act_power", f"{of}_current", phase and f"{phase}_voltage"
    return channel, "act_power" if kind == "em1" else "apower", "current", "voltage"


def watts_of(step: Step) -> float:
    return round(step.watts, 1)


def moved(channel: Channel, step: Step) -> Fields:
    """Return the component with power and current alone."""
    component, power, current, _ = names(channel.name)
    return {component: {power: watts_of(step), current: round(step.amps, 3)}}


def measured(channel: Channel, at: float, volts: float) -> Fields:
    """Return the component with all that is measured of a channel: null while its meter fails."""
    step, (component, _, _, voltage) = channel.curve.at(at), names(channel.name)
    fields = moved(channel, step)[component]
    if voltage:
        fields[voltage] = round(volts, 1)
    if voltage and not component.startswith("em"):
        apparent_va = volts * step.amps
        fields |= {"aprtpower": round(apparent_va, 1), "freq": 50.0}
        fields["pf"] = round(step.watts / apparent_va, 2) if step.amps else 0.0
    if channel.failures and channel.fails(at):
        fields = dict.fromkeys(fields) | {"errors": ["power_meter_failure"]}
    return {component: fields}


def energy(channel: Channel, at: float, connection: Connection, firmware: Firmware) -> Fields:
    """Return the component with the counters of a channel."""
    kind, _, place = channel.name.partition(":")
    wh = channel.counter.shows(at)
    fields: Fields
    if kind == "em":
        number, _, phase = place.partition(":")
        total, back = (f"{phase}_total_act_energy", f"{phase}_total_act_ret_energy")
        counted, returned = (total, back) if phase else ("total_act", "total_act_ret")
        fields = {counted: wh}
        if channel.returned:
            fields[returned] = channel.returned.at(at)
        return {f"emdata:{number}": fields}
    if kind == "em1":
        returned_wh = channel.returned.at(at) if channel.returned else 0.0
        return {f"em1data:{place}": {"total_act_energy": wh, "total_act_ret_energy": returned_wh}}
    fields = {"id": int(place)}
    fields["aenergy"] = _counted(channel.counter, at, connection, firmware)
    if channel.returned and channel.sign != "absent":
        fields["ret_aenergy"] = _returned(channel, channel.returned, at, connection, firmware)
    return {channel.name: fields}


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
    """Return the minute record of this moment: mWh, the newest first."""
    newest = _minute_ts(at, firmware) // MINUTE_S
    if firmware >= (1, 2):
        newest -= 1
    # It remembers nothing from before it booted.
    bounds = [max(connection.booted, (newest + n) * MINUTE_S) for n in (1, 0, -1, -2)]
    bounds[0] = min(at, bounds[0])
    return [counter.mwh(since, until) for until, since in pairwise(bounds)]


def recorded_minutes(at: float, connection: Connection, firmware: Firmware) -> range:
    """Return the complete minutes (ts // 60) in the minute record of this moment."""
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
