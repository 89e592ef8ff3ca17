"""Which channels there are, and what they are called."""

from datetime import timedelta
from typing import Any

import pytest

from powerlog.core.sampler import Rules
from powerlog.models import Device, PowerLog, Run
from powerlog.reports.channels import everybody, find, newest, of_device
from tests.support.pumps import NOON, at, device, minutes, run, total
from tests.test_models import row

pytestmark = pytest.mark.django_db


def test_a_registered_channel_bears_its_names_and_what_staff_noted() -> None:
    device(price_kwh="0.32", flow_m3h=3.2, nominal_power_w=750.0)
    meter = find("pump", "switch:2")
    assert meter
    assert (meter.device_name, meter.name, meter.address) == ("Shed", "Well", "pump/switch:2")
    assert (meter.price_kwh, meter.flow_m3h, meter.nominal_power_w) == (0.32, 3.2, 750.0)
    assert meter.heard_at == NOON
    assert meter.in_contact(NOON + timedelta(minutes=3))
    assert not meter.in_contact(NOON + timedelta(minutes=4))


def test_history_without_an_entry_is_a_channel_as_well() -> None:
    row(device_id="old", timestamp=at(7)).save()
    run(60, 61, device_id="ran").save()
    total(device_id="counted").save()
    assert find("old", "switch:2").heard_at == at(7)
    assert find("ran", "switch:2").heard_at is None
    assert find("counted", "switch:2").name == "switch:2"
    assert find("counted", "switch:3") is None
    assert find("\0", "switch:2") is None


def test_history_of_a_registered_device_without_that_channel_bears_its_name() -> None:
    Device.objects.create(device_id="pump", name="Shed", last_seen_at=NOON, connected=True)
    total(channel="switch:0").save()
    meter = find("pump", "switch:0")
    assert meter
    assert (meter.device_name, meter.heard_at, meter.connected) == ("Shed", NOON, True)


def test_everybody_is_whoever_is_logged_or_has_a_past() -> None:
    device()
    device(channel="switch:1", logged=False)
    device(channel="switch:3")  # not in CHANNELS
    for name in ("x", "a"):
        for channel in ("switch:0", "switch:2"):
            total(device_id=name, channel=channel).save()
            total(NOON.date() - timedelta(days=1), device_id=name, channel=channel).save()
    total(channel="switch:1").save()
    assert sorted(meter.address for meter in everybody()) == [
        "a/switch:0",
        "a/switch:2",
        "pump/switch:2",
        "x/switch:0",
        "x/switch:2",
    ]


def test_with_an_asterisk_all_channels_are_logged(settings: Any) -> None:
    settings.SAMPLING_RULES = Rules(frozenset({"*"}))
    device(channel="em:0:a")
    assert [meter.channel for meter in everybody()] == ["em:0:a"]


def test_the_channels_of_a_device_are_those_that_are_logged_in_order() -> None:
    device(channel="switch:2")
    device(channel="switch:1", logged=False)
    device(channel="switch:0")
    device(channel="switch:3")
    assert [meter.channel for meter in of_device("pump")] == ["switch:0", "switch:2"]
    assert of_device("\0") == []


def test_where_none_is_logged_they_are_those_that_were() -> None:
    device(channel="switch:1", logged=False)
    total(channel="switch:1").save()
    total(channel="switch:0").save()
    assert [meter.channel for meter in of_device("pump")] == ["switch:0", "switch:1"]


def test_the_newest_of_many_channels_is_one_query(django_assert_num_queries: Any) -> None:
    PowerLog.objects.bulk_create([*minutes(5, 3), *minutes(4, 1, device_id="other")])
    run(10, 20).save()
    run(30, None).save()
    keys = [("pump", "switch:2"), ("other", "switch:2"), ("nobody", "x")]
    with django_assert_num_queries(2):
        rows, runs = newest(PowerLog, keys), newest(Run, keys)
    assert {key: each.timestamp for key, each in rows.items()} == {
        keys[0]: at(7),
        keys[1]: at(4),
    }
    assert [each.started_at for each in runs.values()] == [at(30)]
    assert newest(Run, []) == {}
    before = newest(Run, keys, before=at(30))
    assert [each.started_at for each in before.values()] == [at(10)]
