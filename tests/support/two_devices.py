"""An old device and the new one that goes on in its place, for the tests of joining them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Sample
from powerlog.database.rebuild import meters, rebuild
from powerlog.database.store import store
from powerlog.joining.plan import Plan, plan
from powerlog.joining.steps import Moved, join
from powerlog.localtime import Span
from powerlog.models import DayTotal, Device, PowerLog, Silence
from powerlog.models import Run as RunRow
from tests.database.test_day_totals import HOUR, MIDNIGHT
from tests.support.doubles import sample
from tests.support.frames import PUMP
from tests.support.line import SWITCH

OLD, NEW, ONE = "ShellyPro4PM-0A1B2C3D4E5F", PUMP, "one-and-the-same"
DAY = 24 * HOUR
NOON = datetime.fromtimestamp(MIDNIGHT, UTC) + timedelta(days=10, hours=12)
NOTHING: dict[str, list[Any]] = {"rows": [], "runs": [], "silences": [], "days": []}


@pytest.fixture
def berlin_at_noon(settings: Any) -> Iterator[None]:
    """Ten days after the midnight from which these tests count."""
    settings.TIME_ZONE = "Europe/Berlin"
    with time_machine.travel(NOON, tick=False), timezone.override("Europe/Berlin"):
        yield


@pytest.fixture
def user() -> int:
    return User.objects.create_superuser("boss").pk


def moment(at_s: float) -> datetime:
    """Seconds after the midnight that begins 16 June 2025 in Berlin."""
    return datetime.fromtimestamp(MIDNIGHT + at_s, UTC)


def span(since_s: float, until_s: float) -> Span:
    return Span(moment(since_s), moment(until_s))


def device(device_id: str, first_s: float, last_s: float, **values: Any) -> Device:
    """In contact from then until then."""
    seen = {"first_seen_at": moment(first_s), "last_seen_at": moment(last_s)}
    return Device.objects.create(device_id=device_id, **(seen | values))


def two(**of_the_old_one: Any) -> tuple[Device, Device]:
    """One for two days, and from an hour later on another, which is connected."""
    old = device(OLD, 0, 2 * DAY, **of_the_old_one)
    return old, device(NEW, 2 * DAY + HOUR, 10 * DAY + 12 * HOUR, connected=True)


def minute(device_id: str, at_s: float, **changes: Any) -> Sample:
    values = {"ts": int(MIDNIGHT + at_s), "device_id": device_id}
    return msgspec.structs.replace(sample(0), **(values | changes))


def minutes(device_id: str, at_s: float, count: int, **changes: Any) -> list[Sample]:
    return [minute(device_id, at_s + 60 * each, **changes) for each in range(count)]


def run(device_id: str, start_s: float, end_s: float | None, **changes: Any) -> RunState:
    values = {"booked_wh": 100.0, "counter_wh": 100.0, "end": "" if end_s is None else "stopped"}
    ended_at = None if end_s is None else MIDNIGHT + end_s
    values |= {"peak_w": 430.0, "ended_at": ended_at}
    return RunState(device_id, SWITCH, MIDNIGHT + start_s, **(values | changes))


def planned(old_id: str = OLD, new_id: str = NEW) -> Plan:
    found = plan(old_id, new_id)
    assert found.objections == []
    return found


def joined(user: int, old_id: str = OLD, new_id: str = NEW) -> Moved:
    *_, moved = join(planned(old_id, new_id), user, lambda seconds: None)
    assert moved.over
    return moved


def everything(device_id: str) -> dict[str, list[Any]]:
    """All that is known of a device but its lines, and without its id."""
    rows = PowerLog.objects.filter(device_id=device_id).order_by("channel", "timestamp")
    runs = RunRow.objects.filter(device_id=device_id).order_by("channel", "started_at")
    silences = Silence.objects.filter(device_id=device_id).order_by("since")
    of_row = ("channel", "timestamp", "apower_w", "voltage_v", "energy_total_wh", "source")
    of_run = ("channel", "started_at", "ended_at", "energy_wh", "peak_w", "end", "midnights")
    return {
        "rows": list(rows.values_list(*of_row)),
        "runs": list(runs.values_list(*of_run)),
        "silences": list(silences.values_list("since", "until")),
        "days": days(device_id),
    }


def days(device_id: str) -> list[tuple[Any, ...]]:
    """Channel, day, minutes, filled ones, runs, run time, energy and peak, where there is any."""
    totals = DayTotal.objects.filter(device_id=device_id).order_by("channel", "day")
    return [
        (
            *(total.channel, total.day, total.active_minutes, total.filled_minutes, total.runs),
            *(round(total.run_s, 2), round(total.energy_wh, 3), total.peak_w),
        )
        for total in totals
        if total.active_minutes or total.runs or total.run_s
    ]


def moment_of(due: Due) -> float:
    return due.ts if isinstance(due, Sample) else due.started_at


def under(device_id: str, due: Due) -> Due:
    return msgspec.structs.replace(due, device_id=device_id)


def live(due: list[Due], cut: float) -> None:
    """The same life under one id, and under two: the old one's until this moment."""
    store([under(ONE, each) for each in due])
    store([under(OLD if moment_of(each) < cut else NEW, each) for each in due])


def totals_by_rows_and_runs(device_id: str) -> list[tuple[Any, ...]]:
    """Recompute the day totals, and put the old ones back."""
    kept = list(DayTotal.objects.filter(device_id=device_id))
    DayTotal.objects.filter(device_id=device_id).delete()
    for meter in meters():
        if meter[0] == device_id:
            rebuild(*meter)
    made = days(device_id)
    DayTotal.objects.filter(device_id=device_id).delete()
    DayTotal.objects.bulk_create(kept)
    return made
