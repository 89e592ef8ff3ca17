"""All that a device reports on a connection, with delays and side messages by chance.

Pure: the same chance gives the same reports.
"""

from collections.abc import Iterator
from random import Random

from powerlog.simulation.channel import Channel
from powerlog.simulation.components import energy
from powerlog.simulation.connection import Connection
from powerlog.simulation.device import Device, Report, reported_w

CHORE_S = 97  # between two messages that have nothing to do with power
NO_HANDLER = {"error": {"code": 404, "message": "No handler for NotifyStatus"}}


def connection_reports(device: Device, connection: Connection, chance: Random) -> Iterator[Report]:
    """Return the reports of a connection, in no order: a full status first, the answers to the two
    requests of the collector, deltas, something on each full minute, and chores."""
    yield device.status(connection, connection.start)
    yield Report(connection.start + 0.1, NO_HANDLER, {}, method="")
    yield device.answer(connection, connection.start + chance.uniform(0.1, 0.4))
    for channel in device.channels.values():
        yield from device.deltas(channel, connection.start, connection.end, chance)
        yield from _failures(device, channel, connection)
        yield from _resets(device, channel, connection)
    for minute in connection.full_minutes():
        late_s = 0.7 if device.firmware < (1, 2) else chance.choice((0.0, 0.0, 0.01))
        if minute + late_s < connection.end:
            yield from device.minute(connection, minute + late_s)
    yield from _chores(device, connection, chance)


def _failures(device: Device, channel: Channel, connection: Connection) -> Iterator[Report]:
    """Return what it reports when its meter fails, and when it measures again."""
    for since, until in channel.failures:
        for at in since, until:
            if connection.start < at < connection.end:
                fields = device.measured(channel, at)
                if at == until:
                    fields = {key: each | {"errors": None} for key, each in fields.items()}
                yield Report(at, fields, {channel.name: reported_w(channel, at)})


def _resets(device: Device, channel: Channel, connection: Connection) -> Iterator[Report]:
    for at in channel.counter.resets:
        if connection.start < at < connection.end:
            counted = energy(channel, at, connection, device.firmware)
            record = at > connection.synced
            yield Report(at, counted, {channel.name: None}, record=record, counted=True)


def _chores(device: Device, connection: Connection, chance: Random) -> Iterator[Report]:
    at = connection.start + chance.uniform(1, CHORE_S)
    while at < connection.end:
        name = chance.choice((*device.channels, "sys"))
        key = name.partition(":")[0]
        match chance.randrange(4):
            case 0:
                events = {"events": [{"component": "sys"}]}
                yield Report(at, events, {}, method="NotifyEvent")
            case 1 if key in ("switch", "pm1", "cover"):
                volts = round(chance.uniform(226, 234), 1)
                yield Report(at, {name: {"voltage": volts}}, {name: None})
            case 2 if key == "switch":
                yield Report(at, {name: {"temperature": device.temperature(at)}}, {})
            case _:
                yield Report(at, {"wifi": device.wifi(at)}, {})
        at += chance.uniform(0.5, 1.5) * CHORE_S
