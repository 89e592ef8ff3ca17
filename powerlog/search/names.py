"""Look up the names of devices and channels for many rows at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from powerlog.models import Channel, Device

MOST_SUGGESTED = 200


@dataclass(frozen=True)
class Called:
    """The names of a channel. device_pk: None if only the history of the device is left."""

    device: str
    channel: str
    device_pk: int | None = None


def names_of(rows: Iterable[Any]) -> dict[tuple[str, str], Called]:
    """Return the names for these rows, by device_id and channel."""
    pairs = {(row.device_id, row.channel) for row in rows}
    ids = {device_id for device_id, _ in pairs}
    devices = {each.device_id: each for each in Device.objects.filter(device_id__in=ids)}
    channels = {(c.device_id, c.channel): c for c in Channel.objects.filter(device__in=ids)}
    called = {}
    for pair in pairs:
        device, channel = devices.get(pair[0]), channels.get(pair)
        called[pair] = Called(
            str(device or pair[0]), str(channel or pair[1]), device.pk if device else None
        )
    return called


def suggestions() -> dict[str, list[str]]:
    """Return names to offer in a search: a few hundred at most."""
    devices = Device.objects.order_by("pk").values_list("name", "reported_name", "device_id")
    channels = Channel.objects.order_by("pk").values_list("name", "reported_name", "channel")
    return {"devices": _best(devices), "channels": _best(channels)}


def _best(names: QuerySet) -> list[str]:
    """Return the first that exists of staff's name, the reported name and the id."""
    return sorted({next(filter(None, each)) for each in names[:MOST_SUGGESTED]})
