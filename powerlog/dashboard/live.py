"""Answer a page's request every few seconds: what has changed, and the last contact of devices.

It takes a few index look-ups at any size of table. The version stands for all data of the page: if
it differs from the page's own, the page fetches itself again.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q
from django.utils import timezone

from powerlog.models import Channel, Device, PowerLog, Run
from powerlog.reports.channels import CONTACT, Meter
from powerlog.reports.queries import Latest


def of_meters(meters: Sequence[Meter], newest: Sequence[Latest], now: datetime) -> dict[str, Any]:
    """Return the answer for the pages of a channel or a device, with the newest of each channel."""
    parts: list[Any] = [timezone.localdate(now)]
    heard_at = None
    for meter, latest in zip(meters, newest, strict=True):
        row, run = latest.row, latest.run
        heard_at = meter.heard_at
        parts += [meter.channel, meter.in_contact(now), row and row.timestamp]
        parts += [meter.reports_power, meter.negative_w is None]
        parts += [run and run.started_at, run and run.ended_at, run and run.energy_wh]
        parts.append(run and run.starts)
    return {"version": _word(parts), "heard": heard_at and int(heard_at.timestamp())}


def of_all(now: datetime) -> dict[str, Any]:
    """Return the answer for the overview. It has no single device: each line shows its own time."""
    runs = Run.objects.order_by()
    connected = Device.objects.filter(connected=True, last_seen_at__gt=now - CONTACT)
    parts = [
        timezone.localdate(now),
        PowerLog.objects.order_by("-timestamp").values_list("timestamp", flat=True).first(),
        runs.aggregate(Max("id"))["id__max"],
        runs.filter(ended_at__isnull=True).aggregate(Count("id"))["id__count"],
        connected.count(),
        Device.objects.count(),
        Channel.objects.aggregate(
            metered=Count("id", filter=Q(reports_power=True)), negative=Count("negative_at")
        ),
    ]
    return {"version": _word(parts), "heard": None}


def _word(parts: list[Any]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
