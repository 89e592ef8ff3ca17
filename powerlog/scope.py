"""Which channels the words of a search mean: a device and a channel, as staff call them.

Own names and those in the Shelly, ids and component keys, whole or in part; whoever is called
exactly so stands alone. What rows and runs call a device counts as well, for history outlives its
entry among the devices. Where few channels are meant they are named one by one, for each of them
is found by the unique key of its table at once, however long ago it was active.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from powerlog.models import Channel, Device

Pair = tuple[str, str]

MOST_PAIRS = 2000  # the newest row of each is looked up in 10 ms
COMPONENT_KEY = re.compile(r"[a-z0-9]+:[0-9]{1,4}(:[a-z])?")


@dataclass(frozen=True)
class Scope:
    """where: the condition on rows. pairs: device and channel of all that it can meet, if few."""

    where: Q
    pairs: list[Pair] | None


def scope_of(model: type[Model], device: str, channel: str) -> Scope:
    """For a table with device_id and channel; an empty word means all."""
    if not device:
        return _by_channel(channel) if channel else Scope(Q(), None)
    where, ids = _devices(model, device)
    named = _named(channel)
    if channel:
        where &= _is_channel(channel, named)
    if ids is None:
        return Scope(where, None)
    pairs = [(device_id, key) for device_id in ids for key in channels_of(model, device_id)]
    if channel:
        called_so = set(named.filter(device__in=ids).values_list("device_id", "channel"))
        is_key = COMPONENT_KEY.fullmatch(channel)
        pairs = [pair for pair in pairs if (is_key and pair[1] == channel) or pair in called_so]
    return Scope(where, pairs if len(pairs) <= MOST_PAIRS else None)


def channels_of(model: type[Model], device_id: str) -> list[str]:
    """The channels that a device has in this table: one step down the unique key for each."""
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH RECURSIVE seen (channel) AS (
                SELECT min(channel) FROM {table} WHERE device_id = %s UNION ALL
                SELECT (SELECT min(channel) FROM {table}
                        WHERE device_id = %s AND channel > seen.channel)
                FROM seen WHERE seen.channel IS NOT NULL)
            SELECT channel FROM seen WHERE channel IS NOT NULL""",
            [device_id, device_id],
        )
        return [channel for (channel,) in cursor]


def _called(text: str, lookup: str) -> Q:
    return Q(**{f"name__{lookup}": text}) | Q(**{f"reported_name__{lookup}": text})


def _best(matches: Iterator[QuerySet]) -> QuerySet:
    """The first of them that finds anything, or else the last."""
    for found in matches:
        if found.exists():
            break
    return found


def _devices(model: type[Model], text: str) -> tuple[Q, list[str] | None]:
    devices = Device.objects.order_by()
    exact = devices.filter(Q(device_id=text) | _called(text, "iexact"))
    if not exact.exists() and channels_of(model, text):
        return Q(device_id=text), [text]
    part = devices.filter(Q(device_id__icontains=text) | _called(text, "icontains"))
    found = _best(iter((exact, part))).values_list("device_id", flat=True)
    ids = list(found[: MOST_PAIRS + 1])
    if len(ids) > MOST_PAIRS:
        return Q(device_id__in=found), None
    return Q(device_id__in=ids), ids


def _named(text: str) -> QuerySet[Channel]:
    channels = Channel.objects.order_by()
    exact = channels.filter(_called(text, "iexact"))
    if COMPONENT_KEY.fullmatch(text):
        return exact
    return _best(iter((exact, channels.filter(_called(text, "icontains")))))


def _is_channel(text: str, named: QuerySet[Channel]) -> Q:
    called_so = named.filter(device=OuterRef("device_id"), channel=OuterRef("channel"))
    return Q(Exists(called_so)) | (Q(channel=text) if COMPONENT_KEY.fullmatch(text) else Q())


def _by_channel(text: str) -> Scope:
    named = _named(text)
    where = _is_channel(text, named)
    if COMPONENT_KEY.fullmatch(text):  # nearly every device has it: no list of few
        return Scope(where, None)
    pairs = list(named.values_list("device_id", "channel")[: MOST_PAIRS + 1])
    return Scope(where, pairs if len(pairs) <= MOST_PAIRS else None)
