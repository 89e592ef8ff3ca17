"""What is known of a connected device, and into the tables `devices`, `channels` and `silences`.

Staff's own columns are never written here. Of two processes that knew a device, the word of the one
that heard it last holds.
"""

import time
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import connections, transaction

from powerlog.core.about import About
from powerlog.core.channel import Own
from powerlog.entry.peer import Peer
from powerlog.models import Channel, Device, Silence
from powerlog.storage.batches import WRITER, Meter, batched, given, moment

SILENT_S = 120.0  # a healthy device speaks each minute
# Channels that are as they were told are told again so often: staff may have deleted them.
CHANNELS_AGAIN_S = 60.0
DEVICES_AT_ONCE = 1000
# What it says of itself it says in one answer; until then what it said last time holds.
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
ADD_CHANNELS = """
INSERT INTO channels (device_id, channel, reported_name, name, logged)
{channels}
ON CONFLICT (device_id, channel) DO
"""
CHANNEL = "device_id text, channel text, reported_name text, name text, logged bool"
RENAME = "UPDATE SET reported_name = excluded.reported_name"


Channels = tuple[list[str], dict[str, str] | None]  # that meter, and the names it gives to all


class Facts:
    """One device on its live connection. silences are (since, until) in Unix seconds.

    before is what was known of its last connection and may not be in the database yet. For the
    event loop and the registry's thread; nothing is read here that is not whole.
    """

    def __init__(self, device_id: str, peer: Peer, before: "Facts | None" = None) -> None:
        self.device_id, self.peer, self.connected = device_id, peer, True
        self.about = before.about if before else About()
        self.meters: dict[str, None] = before.meters if before else {}
        self.silences: list[tuple[float, float]] = before.silences if before else []
        if before:
            self.was_silent(before.peer.heard_at, peer.heard_at)
        self.since = before.since if before else peer.heard_at
        self.noted_at = peer.heard_at
        self.stored = before is not None and before.stored
        self._told: Channels = ([], None)
        self._told_at = 0.0

    def learn(self, about: About) -> None:
        known = self.about
        self.about = About(
            known.model if about.model is None else about.model,
            known.firmware if about.firmware is None else about.firmware,
            known.name if about.name is None else about.name,
            known.channels if about.channels is None else about.channels,
        )

    def channels(self, now: float) -> Channels | None:
        """Its channels where the database is to be told of them, at this Unix time."""
        channels = list(self.meters), self.about.channels
        again = now - self._told_at >= CHANNELS_AGAIN_S
        return channels if channels[0] and (again or channels != self._told) else None

    def told(self, channels: Channels, now: float) -> None:
        self._told, self._told_at = channels, now

    def note(self) -> bool:
        """Return whether it was heard since the last call."""
        before, self.noted_at = self.noted_at, self.peer.heard_at
        return before != self.noted_at

    def was_silent(self, since: float, until: float) -> None:
        """Note the time between two frames, if it is a silence."""
        if until - since > SILENT_S:
            self.silences.append((since, until))


def store_facts(facts: Sequence[Facts]) -> None:
    """All or nothing, in one order. Raises Django's database errors."""
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
    for each, (channels, names) in due:
        for channel in channels:
            record = (each.device_id, channel, (names or {}).get(channel, ""), "", True)
            (unnamed if names is None else named).append(record)
    _execute(f"{ADD_CHANNELS} NOTHING", "channels", CHANNEL, unnamed)
    _execute(f"{ADD_CHANNELS} {RENAME}", "channels", CHANNEL, named)


def _execute(statement: str, name: str, columns: str, records: Sequence[Sequence[Any]]) -> None:
    if records:
        text, parameters = given(columns, records)
        with connections[WRITER].cursor() as cursor:
            cursor.execute(statement.format(**{name: text}), parameters)


def own_settings() -> dict[Meter, Own]:
    """Of each channel for which staff want anything of its own."""
    channels = Channel.objects.using(WRITER).exclude(logged=True, power_threshold_w=None)
    columns = channels.values_list("device_id", "channel", "logged", "power_threshold_w")
    return {(device_id, channel): Own(*own) for device_id, channel, *own in columns}
