"""Write connected devices to the tables `devices`, `channels` and `silences`.

The columns of staff are never written here. If two processes know a device, the one with the last
contact wins.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connections, transaction

from powerlog.core.channel_state import Own
from powerlog.core.contact import SILENT_S
from powerlog.core.device_info import About
from powerlog.core.frame import ChannelKey
from powerlog.core.sampler import Sampler
from powerlog.database.sql import WRITER, batched, given, moment
from powerlog.devices.session import Peer
from powerlog.models import Channel, Device, Silence

# How often unchanged channels are written again: staff may have deleted them.
CHANNELS_AGAIN_S = 60.0
DEVICES_AT_ONCE = 1000
# Model, firmware and name come in one answer; until then the earlier values stay.
UPSERT_DEVICES = """
INSERT INTO devices
    (device_id, address, reported_name, model, firmware, first_seen_at, last_seen_at, connected,
     name, admission)
{devices}
ON CONFLICT (device_id) DO UPDATE SET
    address = excluded.address,
    reported_name = CASE WHEN excluded.model = '' THEN devices.reported_name
        ELSE excluded.reported_name END,
    model = CASE WHEN excluded.model = '' THEN devices.model ELSE excluded.model END,
    firmware = CASE WHEN excluded.model = '' THEN devices.firmware ELSE excluded.firmware END,
    last_seen_at = excluded.last_seen_at,
    connected = excluded.connected
WHERE excluded.last_seen_at >= devices.last_seen_at
"""
DEVICE = (
    "device_id text, address text, reported_name text, model text, firmware text, "
    "first_seen_at timestamptz, last_seen_at timestamptz, connected bool, name text, admission text"
)
# What has run has drawn power: then a negative one needs no hint, whenever it was.
ADD_CHANNELS = """
INSERT INTO channels
    (device_id, channel, reported_name, name, logged, reports_power, negative_w, negative_at)
{channels}
ON CONFLICT (device_id, channel) DO UPDATE SET
    reported_name = {reported_name},
    reports_power = channels.reports_power OR excluded.reports_power,
    negative_w = CASE WHEN {has_run} THEN NULL
        ELSE COALESCE(excluded.negative_w, channels.negative_w) END,
    negative_at = CASE WHEN {has_run} THEN NULL
        ELSE COALESCE(excluded.negative_at, channels.negative_at) END
WHERE {reported_name} <> channels.reported_name
    OR (excluded.reports_power AND NOT channels.reports_power)
    OR COALESCE(excluded.negative_at, channels.negative_at) IS NOT NULL
"""
HAS_RUN = """EXISTS (
        SELECT 1 FROM runs
        WHERE runs.device_id = channels.device_id AND runs.channel = channels.channel)"""
CHANNEL = (
    "device_id text, channel text, reported_name text, name text, logged bool, "
    "reports_power bool, negative_w float8, negative_at timestamptz"
)


class Channels(NamedTuple):
    """A report of a device's channels, with its time: the keys of logged channels, the names of
    all, those with a reported power, and those whose power is negative."""

    keys: list[str]
    names: dict[str, str] | None
    powered: frozenset[str]
    negative: frozenset[str]


class Facts:
    """One device on its live connection. silences are (since, until) in Unix seconds.

    before holds the facts of its last connection, which may not be in the database yet. For the
    event loop and the registry's thread; only whole values are read.
    """

    def __init__(
        self,
        device_id: str,
        peer: Peer,
        before: "Facts | None" = None,
        sampler: Sampler | None = None,
    ) -> None:
        self.device_id, self.peer, self.connected = device_id, peer, True
        self.about = before.about if before else About()
        self.meters: dict[str, None] = before.meters if before else {}
        self.powered: set[str] = before.powered if before else set()
        self.negative: dict[str, tuple[float, float]] = before.negative if before else {}
        self._sampler = sampler
        self.silences: list[tuple[float, float]] = before.silences if before else []
        if before:
            self.was_silent(before.peer.heard_at, peer.heard_at)
        self.since = before.since if before else peer.heard_at
        self.noted_at = peer.heard_at
        self.stored = before is not None and before.stored
        self._told: Channels | None = None
        self._told_at = 0.0

    def learn(self, about: About) -> None:
        known = self.about
        self.about = About(
            known.model if about.model is None else about.model,
            known.firmware if about.firmware is None else about.firmware,
            known.name if about.name is None else about.name,
            known.channels if about.channels is None else about.channels,
        )

    def look(self) -> None:
        """Note the power of the channels from the sampler, so that no frame has to do it."""
        for channel, threshold_w in self._sampler.known(self.device_id) if self._sampler else ():
            # A power of 0 W alone may be a relay that is off; what has made a row had more.
            counted = channel.energy_total_wh is not None
            watts, at = channel.apower_w or 0.0, channel.last_ts
            if watts or counted or channel.row_minute >= 0:
                self.powered.add(channel.key)
            if watts < -threshold_w and at is not None:
                self.negative[channel.key] = watts, at

    def leave(self) -> None:
        """Note that the connection has ended."""
        self.look()
        self.connected, self._sampler = False, None

    def channels(self, now: float) -> Channels | None:
        """Return its channels if they are to be written to the database at this Unix time."""
        self.look()
        channels = Channels(
            list(self.meters),
            self.about.channels,
            frozenset(self.powered),
            frozenset(self.negative),
        )
        again = now - self._told_at >= CHANNELS_AGAIN_S
        return channels if channels.keys and (again or channels != self._told) else None

    def told(self, channels: Channels, now: float) -> None:
        self._told, self._told_at = channels, now

    def note(self) -> bool:
        """Return whether it has sent anything since the last call."""
        before, self.noted_at = self.noted_at, self.peer.heard_at
        return before != self.noted_at

    def was_silent(self, since: float, until: float) -> None:
        """Note the time between two frames, if it is a silence."""
        if until - since > SILENT_S:
            self.silences.append((since, until))


def store_facts(facts: Sequence[Facts]) -> None:
    """Write the facts, all or nothing, in one order. Raise Django's database errors."""
    ordered = sorted(facts, key=lambda each: each.device_id)
    for part in batched(ordered, DEVICES_AT_ONCE):
        now = time.time()
        channels = [(each, due) for each in part if (due := each.channels(now))]
        silences = [(each, tuple(each.silences)) for each in part]
        with transaction.atomic(using=WRITER):
            _store_silences(part, silences)
            _store_devices(part)
            _store_channels(channels)
        for each, stored in silences:
            del each.silences[: len(stored)]  # more may have come meanwhile
            each.stored = True
        for each, told in channels:
            each.told(told, now)


def _store_silences(
    part: Sequence[Facts], silences: Sequence[tuple[Facts, Sequence[tuple[float, float]]]]
) -> None:
    arrived = {each.device_id: each.since for each in part if not each.stored}
    seen = Device.objects.using(WRITER).filter(device_id__in=arrived)
    spans = [
        (device_id, last.timestamp(), arrived[device_id])
        for device_id, last in seen.values_list("device_id", "last_seen_at")
        if arrived[device_id] - last.timestamp() > SILENT_S
    ]
    spans += [(each.device_id, *span) for each, known in silences for span in known]
    records = [Silence(device_id=d, since=moment(s), until=moment(u)) for d, s, u in spans]
    Silence.objects.using(WRITER).bulk_create(records, ignore_conflicts=True)


def _store_devices(part: Sequence[Facts]) -> None:
    # Where devices are accepted by staff alone one that has no line is one that they have deleted.
    state = Device.Admission
    new = state.WAITING.value if settings.ADMISSION == "approve" else state.ACCEPTED.value
    records = [
        (
            each.device_id,
            each.peer.address,
            each.about.name or "",
            each.about.model or "",
            each.about.firmware or "",
            moment(each.since),
            moment(each.peer.heard_at),
            each.connected,
            "",
            new,
        )
        for each in part
    ]
    _execute(UPSERT_DEVICES, "devices", DEVICE, records)


def _store_channels(due: Sequence[tuple[Facts, Channels]]) -> None:
    unnamed, named = [], []
    for each, channels in due:
        for channel in channels.keys:
            record = _channel(each, channel, channels)
            (unnamed if channels.names is None else named).append(record)
    for reported_name, records in (("channels", unnamed), ("excluded", named)):
        reported = {"reported_name": f"{reported_name}.reported_name", "has_run": HAS_RUN}
        _execute(ADD_CHANNELS, "channels", CHANNEL, records, **reported)


def _channel(facts: Facts, channel: str, channels: Channels) -> Sequence[Any]:
    name = (channels.names or {}).get(channel, "")
    watts, at = facts.negative.get(channel, (None, None))
    negative = watts, None if at is None else moment(at)
    return facts.device_id, channel, name, "", True, channel in channels.powered, *negative


def _execute(
    statement: str, name: str, columns: str, records: Sequence[Sequence[Any]], **more: str
) -> None:
    if records:
        text, parameters = given(columns, records)
        with connections[WRITER].cursor() as cursor:
            cursor.execute(statement.format(**{name: text}, **more), parameters)


def own_settings() -> dict[ChannelKey, Own]:
    """Return the settings of each channel for which staff have set any."""
    channels = Channel.objects.using(WRITER).exclude(logged=True, power_threshold_w=None)
    columns = channels.values_list("device_id", "channel", "logged", "power_threshold_w")
    return {(device_id, channel): Own(*own) for device_id, channel, *own in columns}
