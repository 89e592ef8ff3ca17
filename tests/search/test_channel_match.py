"""Which channels the words of a search mean: few are named one by one, many by a condition."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from powerlog.models import Channel, Device, PowerLog
from powerlog.search import channel_match
from powerlog.search.channel_match import channels_of, scope_of
from tests.test_models import row


@pytest.fixture
def history() -> None:
    """Two devices with two channels each in the log, of which the registry knows the first."""
    for device_id in ("a1", "b1"):
        for channel in ("switch:0", "switch:2"):
            row(device_id=device_id, channel=channel).save()
    device = Device.objects.create(device_id="a1", name="Garden")
    Channel.objects.create(device=device, channel="switch:2", name="Well")
    Channel.objects.create(device=device, channel="switch:3", name="Well house")


def pairs(device: str = "", channel: str = "") -> Any:
    return scope_of(PowerLog, device, channel).pairs


@pytest.mark.django_db
def test_the_channels_of_a_device_are_those_that_its_history_has(history: None) -> None:
    assert channels_of(PowerLog, ["a1", "gone"]) == [("a1", "switch:0"), ("a1", "switch:2")]
    assert pairs("garden") == pairs("a1") == [("a1", "switch:0"), ("a1", "switch:2")]
    assert pairs("b1") == [("b1", "switch:0"), ("b1", "switch:2")]
    assert pairs("gone") == []


@pytest.mark.django_db
def test_a_channel_is_meant_by_name_or_by_key(history: None) -> None:
    assert pairs("garden", "switch:2") == pairs("garden", "well") == [("a1", "switch:2")]
    assert sorted(pairs("", "wel")) == [("a1", "switch:2"), ("a1", "switch:3")]
    assert pairs("", "Well") == [("a1", "switch:2")]
    assert pairs("b1", "well") == []


@pytest.mark.django_db
def test_what_means_many_channels_is_no_list_of_them(
    monkeypatch: pytest.MonkeyPatch, history: None
) -> None:
    assert pairs() is None
    assert pairs("", "switch:2") is None
    monkeypatch.setattr(channel_match, "MOST_PAIRS", 1)
    assert pairs("", "wel") is None
    assert pairs("garden") is None
    assert pairs("garden", "well") == [("a1", "switch:2")]
    monkeypatch.setattr(channel_match, "MOST_DEVICES", 1)
    Device.objects.create(device_id="a2", name="Garden")
    many = scope_of(PowerLog, "garden", "well")
    assert (many.pairs, many.named) == (None, True)
    assert [each.channel for each in PowerLog.objects.filter(many.where)] == ["switch:2"]


@pytest.mark.django_db
def test_only_a_guess_at_the_registry_is_called_one(history: None) -> None:
    named = {
        ("", ""): False,
        ("a1", ""): False,
        ("", "switch:2"): False,
        ("", "well"): True,
        ("a1", "well"): True,
    }
    assert {words: scope_of(PowerLog, *words).named for words in named} == named


@pytest.mark.django_db
def test_many_devices_are_looked_up_in_one_query_on_postgresql(history: None) -> None:
    if connection.vendor != "postgresql":
        return  # SQLite is asked for each: it is no further away than the next function
    with CaptureQueriesContext(connection) as queries:
        channels_of(PowerLog, [f"a{number}" for number in range(500)])
    assert len(queries) == 1
