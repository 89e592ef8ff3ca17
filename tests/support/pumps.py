"""A pump's past, written straight into the tables, for the tests of the pages that show it."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from powerlog.localtime import MINUTE, Span, local_day
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run
from powerlog.reports.channels import Meter
from powerlog.reports.run_usage import KnownRun
from tests.test_models import row

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)  # a Friday
MIDNIGHT = NOON - timedelta(hours=12)
DAY = NOON.date()
KEY = ("pump", "switch:2")
PUMP = Meter("pump", "switch:2", "Shed", "Well", heard_at=NOON, connected=True)
TODAY = local_day(DAY)


def at(minute: float, second: float = 0.0) -> datetime:
    """So many minutes after the midnight before noon."""
    return MIDNIGHT + timedelta(minutes=minute, seconds=second)


def span(start: float, end: float) -> Span:
    return Span(at(start), at(end))


def run(start: float, stop: float | None, wh: float = 10.0, **changes: Any) -> Run:
    """Of these minutes of the day; stop None: open."""
    values: dict[str, Any] = {"device_id": "pump", "channel": "switch:2", "started_at": at(start)}
    values |= {"energy_wh": wh, "peak_w": 450.0, "mean_w": 430.0, "counter_wh": 100.0}
    if stop is not None:
        values |= {"ended_at": at(stop), "end": "stopped"}
    return Run(**(values | changes))


def known_run(start: float, stop: float, wh: float = 10.0, **changes: Any) -> KnownRun:
    each = run(start, stop, wh, **changes)
    return KnownRun(each, at(stop), wh)


def minutes(start: int, count: int, **changes: Any) -> list[PowerLog]:
    """Rows that follow each other."""
    return [row(timestamp=at(start) + each * MINUTE, **changes) for each in range(count)]


def total(day: date = DAY, **changes: Any) -> DayTotal:
    values: dict[str, Any] = {"device_id": "pump", "channel": "switch:2", "day": day}
    values |= {"runs": 2, "run_s": 1800.0, "energy_wh": 215.0, "peak_w": 450.0}
    return DayTotal(**(values | changes))


def device(device_id: str = "pump", channel: str = "switch:2", **changes: Any) -> Channel:
    """A device that was heard at noon, and its channel; both saved."""
    values = {"name": "Shed", "last_seen_at": NOON, "first_seen_at": NOON - timedelta(days=90)}
    values |= {"connected": True} | {k: v for k, v in changes.items() if hasattr(Device, k)}
    own = {key: value for key, value in changes.items() if key not in values}
    Device.objects.get_or_create(device_id=device_id, defaults=values)
    return Channel.objects.create(
        device_id=device_id,
        channel=channel,
        **({"name": own.pop("title", "Well"), "reports_power": True} | own),
    )


@pytest.fixture
def now() -> Iterator[datetime]:
    with time_machine.travel(NOON, tick=False):
        yield NOON


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_user("staff", is_staff=True))
    return client


def shown(response: HttpResponse) -> str:
    """What a reader sees: the text without the tags, in one line."""
    body = re.search("<main.*</main>", response.content.decode(), re.DOTALL)
    assert body
    text = " ".join(re.sub("<[^>]*>", " ", body[0]).split())
    return text.replace("\u2013", "-")


def past_of_the_pump() -> None:
    """A day of the pump until now: two runs that have ended and one that goes on."""
    device(price_kwh="0.50", flow_m3h=3.0)
    PowerLog.objects.bulk_create(
        [
            *minutes(60, 30),
            *minutes(300, 15, source="device"),
            *minutes(710, 10, energy_total_wh=164.5),
        ]
    )
    run(60, 90, 215.0).save()
    run(300, 315, 107.5).save()
    run(710, None, 0.0).save()
    total(runs=3, run_s=2700.0, energy_wh=322.5).save()
