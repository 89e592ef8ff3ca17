"""A pump's past, written straight into the tables, for the tests of the pages that show it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from powerlog.localtime import MINUTE, Span, local_day
from powerlog.meters import Meter
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run
from powerlog.spent import KnownRun

from .test_models import row

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
        device_id=device_id, channel=channel, **({"name": own.pop("title", "Well")} | own)
    )
