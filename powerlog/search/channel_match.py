"""Find the channels that a search means, by the words that staff use for device and channel.

Words match names of staff and of the Shelly, ids and component keys, whole or in part; an exact
match excludes all others. The ids in rows and runs count as well, because history outlives its
entry among the devices. A few channels are listed one by one: the unique key of the table finds
each at once, however long ago it was active.
"""

import re
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from powerlog.core.frame import ChannelKey
from powerlog.models import Channel, Device

# As many can be looked up one by one in 20 ms: the channels of so many devices, and the newest
# rows of so many channels.
MOST_DEVICES = 200
MOST_PAIRS = 600
COMPONENT_KEY = re.compile(r"[a-z0-9]+:[0-9]{1,4}(:[a-z])?")


@dataclass(frozen=True)
class Scope:
    """where: the condition on rows. pairs: device and channel of all that it can meet, if few.

    named: the condition looks into the registry, and what a planner expects of it is a guess.
    """

    where: Q
    pairs: list[ChannelKey] | None = None
    named: bool = False


def scope_of(model: type[Model], device: str, channel: str) -> Scope:
    """Return the scope for a table with device_id and channel; an empty word means all."""
    bears = _bears(channel) if channel else None
    if device:
        return _of_devices(model, device, bears)
    if bears is None or bears.key:
        return Scope(bears.where if bears else Q())  # nearly every device has a switch:0
    return Scope(bears.where, _few(bears.pairs), named=True)


@dataclass(frozen=True)
class Bears:
    """What a channel is called: a component key, or else by a name that these channels bear."""

    key: str
    channels: QuerySet
    pairs: list[ChannelKey]  # the first of them, as many as could be looked up one by one

    @property
    def where(self) -> Q:
        if self.key:
            return Q(channel=self.key)
        same = {"device": OuterRef("device_id"), "channel": OuterRef("channel")}
        return _checked_last(Q(Exists(self.channels.filter(**same))))

    def of(self, pairs: list[ChannelKey]) -> list[ChannelKey]:
        if self.key:
            return [pair for pair in pairs if pair[1] == self.key]
        ids = {device_id for device_id, _ in pairs}
        bearers = set(self.channels.filter(device__in=ids))
        return [pair for pair in pairs if pair in bearers]


# The channels that a device has in a table: a step down its unique key for each.
CHANNELS_OF = """WITH RECURSIVE seen (channel) AS (
        SELECT min(channel) FROM {table} WHERE device_id = {device} UNION ALL
        SELECT (SELECT min(channel) FROM {table}
                WHERE device_id = {device} AND channel > seen.channel)
        FROM seen WHERE seen.channel IS NOT NULL)
    SELECT channel FROM seen WHERE channel IS NOT NULL"""


def channels_of(model: type[Model], ids: list[str]) -> list[ChannelKey]:
    """Return the channels of these devices in this table, with or without an entry."""
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            channels = CHANNELS_OF.format(table=table, device="device.id")
            cursor.execute(
                "SELECT device.id, found.channel FROM unnest(%s::text[]) AS device (id)"
                f" CROSS JOIN LATERAL ({channels}) AS found",
                [ids],
            )
            return cursor.fetchall()
        pairs = []
        for device_id in ids:
            cursor.execute(CHANNELS_OF.format(table=table, device="%s"), [device_id, device_id])
            pairs += [(device_id, channel) for (channel,) in cursor]
        return pairs


def _of_devices(model: type[Model], text: str, bears: Bears | None) -> Scope:
    devices, ids = _devices(model, text)
    many = len(ids) > MOST_DEVICES
    where = _checked_last(Q(device_id__in=devices)) if many else Q(device_id__in=ids)
    pairs = None if many else channels_of(model, ids)
    if bears:
        where &= bears.where
        pairs = None if pairs is None else bears.of(pairs)
    return Scope(where, _few(pairs), named=many or bool(bears and not bears.key))


def _devices(model: type[Model], text: str) -> tuple[QuerySet | None, list[str]]:
    """Return the devices with this exact name, or else those with it in part, and the first ids."""
    if channels_of(model, [text]):
        return None, [text]
    devices = Device.objects.order_by().values_list("device_id", flat=True)
    exact = devices.filter(Q(device_id=text) | _names(text, "iexact"))
    part = devices.filter(Q(device_id__icontains=text) | _names(text, "icontains"))
    return _first_to_find(exact, part)


def _bears(text: str) -> Bears:
    if COMPONENT_KEY.fullmatch(text):
        return Bears(text, Channel.objects.none(), [])
    channels = Channel.objects.order_by().values_list("device_id", "channel")
    exact, part = (channels.filter(_names(text, lookup)) for lookup in ("iexact", "icontains"))
    return Bears("", *_first_to_find(exact, part))


def _first_to_find(*ways: QuerySet) -> tuple[QuerySet, list[Any]]:
    for way in ways:
        if found := list(way[: MOST_PAIRS + 1]):
            break
    return way, found


def _names(text: str, lookup: str) -> Q:
    return Q(**{f"name__{lookup}": text}) | Q(**{f"reported_name__{lookup}": text})


def _checked_last(condition: Q) -> Q:
    """A subquery that PostgreSQL must not turn into a join.

    It would collect the rows of ten thousand devices first. As one side of an OR it stays a look
    into a hash for each row on the way, and a page is full after a hundred of them.
    """
    return condition | Q(device_id="")


def _few(pairs: list[ChannelKey] | None) -> list[ChannelKey] | None:
    return pairs if pairs is not None and len(pairs) <= MOST_PAIRS else None
