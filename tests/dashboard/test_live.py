"""Whether anything has changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from powerlog.dashboard import live
from powerlog.models import Channel, Device, Run
from powerlog.reports.channels import Meter
from powerlog.reports.queries import latest
from tests.support.pumps import NOON, PUMP, at, device, run
from tests.test_models import row

pytestmark = pytest.mark.django_db


def told_of(meter: Meter, now: datetime) -> dict[str, Any]:
    return live.of_meters([meter], latest([meter]), now)


def test_nothing_new_is_the_same_word() -> None:
    row(timestamp=at(719)).save()
    run(710, None).save()
    first = told_of(PUMP, NOON)
    later = replace(PUMP, heard_at=NOON + timedelta(seconds=60))
    second = told_of(later, NOON + timedelta(seconds=61))
    assert first["version"] == second["version"]
    assert (first["heard"], second["heard"] - first["heard"]) == (int(NOON.timestamp()), 60)


@pytest.mark.parametrize(
    "change",
    [
        lambda: row(timestamp=at(720)).save(),
        lambda: Run.objects.update(ended_at=at(719), end="stopped"),
        lambda: Run.objects.update(energy_wh=99.0),
    ],
    ids=["a row", "a run's end", "more energy"],
)
def test_a_change_of_the_channel_is_another_word(change: Callable[[], Any]) -> None:
    run(710, None).save()
    before = told_of(PUMP, NOON)["version"]
    change()
    assert told_of(PUMP, NOON)["version"] != before
    assert live.of_all(NOON)["version"]


def test_contact_that_is_lost_and_a_new_day_are_news() -> None:
    before = told_of(PUMP, NOON)["version"]
    assert told_of(PUMP, NOON + timedelta(minutes=4))["version"] != before
    tomorrow = replace(PUMP, heard_at=at(1441))
    assert told_of(tomorrow, at(1441))["version"] != before


def test_a_meter_that_appears_and_a_hint_are_news() -> None:
    words = {
        told_of(replace(PUMP, **changes), NOON)["version"]
        for changes in ({}, {"reports_power": False}, {"negative_w": -90.0}, {"negative_w": -91.0})
    }
    assert len(words) == 3


def test_another_channel_is_no_news() -> None:
    before = told_of(PUMP, NOON)["version"]
    row(channel="switch:1").save()
    assert told_of(PUMP, NOON)["version"] == before


@pytest.mark.parametrize(
    "change",
    [
        lambda: row(timestamp=at(720)).save(),
        lambda: run(715, 716).save(),
        lambda: Run.objects.update(ended_at=at(719)),
        lambda: Device.objects.update(last_seen_at=at(700)),
        lambda: device("another"),
        lambda: Channel.objects.update(reports_power=False),
        lambda: Channel.objects.update(negative_w=-90.0, negative_at=NOON),
    ],
    ids=["a row", "a run", "a run's end", "a silence", "a device", "a meter", "a clamp"],
)
def test_a_change_anywhere_is_news_to_the_overview(change: Callable[[], Any]) -> None:
    device()
    run(710, None).save()
    before = live.of_all(NOON)["version"]
    assert live.of_all(NOON)["version"] == before
    change()
    assert live.of_all(NOON)["version"] != before


def test_it_costs_a_few_look_ups(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        told_of(PUMP, NOON)
    with django_assert_num_queries(6):
        live.of_all(NOON)
