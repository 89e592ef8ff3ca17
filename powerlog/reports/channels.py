"""Find channels, with their names and whether their devices are in contact.

A channel has an entry in `channels`, or a history alone: rows and totals of devices without an
entry (old logs, replayed ones) are shown like all others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import urlencode

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection

from powerlog.core.contact import CONTACT_S
from powerlog.core.frame import ChannelKey
from powerlog.database import by_key
from powerlog.database.by_key import EVER, MICROSECOND, Row, Within
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run

CONTACT = timedelta(seconds=CONTACT_S)

# From channel to channel through the index of the unique key, however many days each has.
HISTORY = """
WITH RECURSIVE meter (device_id, channel) AS (
    SELECT * FROM (
        SELECT device_id, channel FROM day_totals ORDER BY device_id, channel LIMIT 1
    ) AS first
    UNION ALL
    SELECT
        (SELECT device_id FROM day_totals AS day
         WHERE (day.device_id, day.channel) > (meter.device_id, meter.channel)
         ORDER BY device_id, channel LIMIT 1),
        (SELECT channel FROM day_totals AS day
         WHERE (day.device_id, day.channel) > (meter.device_id, meter.channel)
         ORDER BY device_id, channel LIMIT 1)
    FROM meter WHERE meter.device_id IS NOT NULL
)
SELECT device_id, channel FROM meter WHERE device_id IS NOT NULL
"""


@dataclass(frozen=True)
class Meter:
    """A channel of a device. heard_at: the last contact of the device; None: unknown.

    reports_power: it has reported a power at least once, else it has no meter. negative_w: the last
    power below zero, at negative_at, of a channel that has not run so far.
    """

    device_id: str
    channel: str
    device_name: str
    name: str
    heard_at: datetime | None = None
    first_heard_at: datetime | None = None
    connected: bool = False
    flow_m3h: float | None = None
    price_kwh: float | None = None
    nominal_power_w: float | None = None
    reports_power: bool = True
    negative_w: float | None = None
    negative_at: datetime | None = None

    @property
    def key(self) -> ChannelKey:
        return self.device_id, self.channel

    @property
    def address(self) -> str:
        """Return the channel as a page's address names it."""
        return f"{self.device_id}/{self.channel}"

    @cached_property
    def query(self) -> str:
        """Return the query string for a page's address."""
        return urlencode({"meter": self.address})

    def in_contact(self, now: datetime) -> bool:
        return self.connected and self.heard_at is not None and now - self.heard_at <= CONTACT


def everybody() -> list[Meter]:
    """Return all channels that are logged, and those with a history but without an entry."""
    entries = list(Channel.objects.select_related("device"))
    keys = {(each.device_id, each.channel) for each in entries}
    with connection.cursor() as cursor:
        cursor.execute(HISTORY)
        strangers = [key for key in cursor.fetchall() if key not in keys]
    return [_of_entry(each) for each in entries if _is_logged(each)] + _of_history(strangers)


def find(device_id: str, channel: str) -> Meter | None:
    """Return this channel; None if it has neither an entry nor a history."""
    if not (device_id + channel).isprintable():  # PostgreSQL has no NUL
        return None
    which = {"device_id": device_id, "channel": channel}
    entry = Channel.objects.filter(**which).select_related("device").first()
    if entry:
        return _of_entry(entry)
    if any(model.objects.filter(**which).exists() for model in (DayTotal, Run, PowerLog)):
        return _of_history([(device_id, channel)])[0]
    return None


def of_device(device_id: str) -> list[Meter]:
    """Return the channels of one device that are logged, or else those that were; in order."""
    if not device_id.isprintable():
        return []
    entries = Channel.objects.filter(device_id=device_id).select_related("device")
    if known := [_of_entry(each) for each in entries if _is_logged(each)]:
        return known
    totals = DayTotal.objects.filter(device_id=device_id).order_by("channel")
    past = totals.values_list("channel", flat=True).distinct()
    return _of_history((device_id, channel) for channel in past)


def newest(
    model: type[Row], keys: Sequence[ChannelKey], before: datetime | None = None
) -> dict[ChannelKey, Row]:
    """Return the newest row or run of each of these channels, or the newest before this moment."""
    if not keys:
        return {}
    until = before - MICROSECOND if before else EVER[1]
    wanted = [Within(*key, until=until) for key in keys]
    found = by_key.newest(model, wanted, using=DEFAULT_DB_ALIAS)
    return {(each.device_id, each.channel): each for each in found}


def _is_logged(entry: Channel) -> bool:
    wanted = settings.SAMPLING_RULES.channels
    return entry.logged and (entry.channel in wanted or "*" in wanted)


def _of_entry(entry: Channel) -> Meter:
    device = entry.device
    return Meter(
        device.device_id,
        entry.channel,
        str(device),
        str(entry),
        device.last_seen_at,
        device.first_seen_at,
        device.connected,
        entry.flow_m3h,
        None if entry.price_kwh is None else float(entry.price_kwh),
        entry.nominal_power_w,
        entry.reports_power,
        entry.negative_w,
        entry.negative_at,
    )


def _of_history(keys: Iterable[ChannelKey]) -> list[Meter]:
    """Return channels without an entry. Their last contact is that of the device, or of rows."""
    keys = list(keys)
    devices = Device.objects.in_bulk({key[0] for key in keys}, field_name="device_id")
    rows = newest(PowerLog, [key for key in keys if key[0] not in devices])
    meters = []
    for device_id, channel in keys:
        if device := devices.get(device_id):
            named = (str(device), channel, device.last_seen_at, device.first_seen_at)
            meters.append(Meter(device_id, channel, *named, device.connected))
        else:
            row = rows.get((device_id, channel))
            heard_at = row.timestamp if row else None
            meters.append(Meter(device_id, channel, device_id, channel, heard_at, connected=True))
    return meters
