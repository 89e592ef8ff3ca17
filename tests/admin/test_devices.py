"""Devices and channels in the admin: found by name, changed only in what staff may say."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from powerlog.models import Channel, Device

DEVICES, CHANNELS = "/admin/powerlog/device/", "/admin/powerlog/channel/"
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def admin(client: Client) -> Any:
    client.force_login(User.objects.create_superuser("admin"))
    with time_machine.travel(NOON, tick=False):
        yield client


def device(device_id: str = "pump", **changes: Any) -> Device:
    values = {"first_seen_at": NOON - timedelta(days=3), "last_seen_at": NOON}
    return Device.objects.create(device_id=device_id, **(values | changes))


def text_of(client: Client, address: str, **query: str) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return " ".join(re.sub("<[^>]*>", " ", response.content.decode()).split())


def listed(client: Client, address: str, **query: str) -> list[str]:
    return [str(each) for each in client.get(address, query).context["cl"].result_list]


@pytest.mark.django_db
def test_a_device_is_listed_with_what_it_says_of_itself_and_when_it_was_seen(admin: Client) -> None:
    told = {"model": "SPSW-104PE16EU", "firmware": "1.4.4", "address": "10.0.0.7"}
    device(reported_name="Well", last_seen_at=NOON - timedelta(minutes=50), **told)
    text = text_of(admin, DEVICES).replace("\xa0", " ").replace("&nbsp;", " ")
    assert "Well 50 minutes ago pump SPSW-104PE16EU 1.4.4 10.0.0.7 3 days ago" in text


@pytest.mark.django_db
def test_connected_is_believed_for_three_minutes_after_the_last_word(admin: Client) -> None:
    device("here", connected=True)
    device("killed", connected=True, last_seen_at=NOON - timedelta(minutes=3))
    device("gone", connected=False)
    assert listed(admin, DEVICES, connected="yes") == ["here"]
    assert listed(admin, DEVICES, connected="no") == ["gone", "killed"]
    page = admin.get(DEVICES).content.decode()
    assert (page.count('alt="True"'), page.count('alt="False"')) == (1, 2)


@pytest.mark.django_db
@pytest.mark.parametrize("word", ["garden", "well", "PUMP", "10.0.0", "shelly-model"])
def test_a_device_is_found_by_whatever_is_known_of_it(admin: Client, word: str) -> None:
    known = {"reported_name": "Well", "address": "10.0.0.7", "model": "Shelly-model"}
    device(name="Garden", **known)
    device("other")
    assert listed(admin, DEVICES, q=word) == ["Garden"]


@pytest.mark.django_db
def test_staff_name_a_device_and_its_channels_and_nothing_else_changes(admin: Client) -> None:
    pump = device(reported_name="Well", model="M")
    channel = Channel.objects.create(device=pump, channel="switch:2", reported_name="O2")
    sent = {
        "name": "Garden pump",
        "reported_name": "forged",
        "device_id": "forged",
        "model": "forged",
        "channels-TOTAL_FORMS": "2",  # a second one, that does not exist
        "channels-INITIAL_FORMS": "1",
        "channels-0-id": str(channel.pk),
        "channels-0-device": "pump",
        "channels-0-name": "Circulation",
        "channels-0-channel": "forged",
        "channels-0-power_threshold_w": "12.5",
        "channels-0-nominal_power_w": "430",
        "channels-0-flow_m3h": "3.2",
        "channels-0-price_kwh": "0.31",
        "channels-0-DELETE": "on",
        "channels-1-name": "made up",
    }
    assert admin.post(f"{DEVICES}{pump.pk}/change/", sent).status_code == 302
    pump.refresh_from_db()
    assert (pump.name, pump.reported_name, pump.device_id, pump.model) == (
        *("Garden pump", "Well", "pump", "M"),
    )
    (one,) = Channel.objects.all()
    assert (one.name, one.channel, one.reported_name) == ("Circulation", "switch:2", "O2")
    assert (one.logged, one.power_threshold_w, one.nominal_power_w) == (False, 12.5, 430.0)
    assert (one.flow_m3h, one.price_kwh) == (3.2, Decimal("0.31"))


@pytest.mark.django_db
def test_a_threshold_below_zero_is_refused_at_its_field(admin: Client) -> None:
    channel = Channel.objects.create(device=device(), channel="switch:2")
    sent = {"name": "Pump", "logged": "on", "power_threshold_w": "-1"}
    response = admin.post(f"{CHANNELS}{channel.pk}/change/", sent)
    assert list(response.context["adminform"].form.errors) == ["power_threshold_w"]
    sent |= {"power_threshold_w": ""}
    assert admin.post(f"{CHANNELS}{channel.pk}/change/", sent).status_code == 302
    channel.refresh_from_db()
    assert (channel.name, channel.logged, channel.power_threshold_w) == ("Pump", True, None)


@pytest.mark.django_db
def test_nothing_is_added_or_deleted_by_hand(admin: Client) -> None:
    pump = device()
    channel = Channel.objects.create(device=pump, channel="switch:2")
    for address, one in ((DEVICES, pump), (CHANNELS, channel)):
        assert admin.get(f"{address}add/").status_code == 403
        assert admin.post(f"{address}{one.pk}/delete/", {"post": "yes"}).status_code == 403
        action = {"action": "delete_selected", "_selected_action": [one.pk], "post": "yes"}
        admin.post(address, action)
        assert "Delete" not in text_of(admin, f"{address}{one.pk}/change/")
    assert (Device.objects.count(), Channel.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_devices_and_channels_lead_to_what_they_did(admin: Client) -> None:
    pump = device()
    channel = Channel.objects.create(device=pump, channel="switch:2")
    page = admin.get(f"{DEVICES}{pump.pk}/change/").content.decode()
    for model in ("powerlog", "run", "daytotal"):
        assert f'href="/admin/powerlog/{model}/?device=pump"' in page
        link = f'href="/admin/powerlog/{model}/?device=pump&amp;channel=switch%3A2"'
        assert link in page
        assert link in admin.get(f"{CHANNELS}{channel.pk}/change/").content.decode()
        assert link in admin.get(CHANNELS).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(("word", "expected"), [("circ", 1), ("garden", 2), ("switch:1", 1)])
def test_channels_are_found_by_their_names_and_those_of_their_devices(
    admin: Client, word: str, expected: int
) -> None:
    pump = device(name="Garden pump")
    Channel.objects.create(device=pump, channel="switch:1", name="Circulation")
    Channel.objects.create(device=pump, channel="switch:10")
    Channel.objects.create(device=device("other"), channel="switch:2")
    assert len(listed(admin, CHANNELS, q=word)) == expected


@pytest.mark.django_db
def test_the_lists_take_as_many_queries_for_many_devices_as_for_one(admin: Client) -> None:
    def queries() -> list[int]:
        counts = []
        for address in (DEVICES, CHANNELS):
            with CaptureQueriesContext(connection) as captured:
                admin.get(address)
            counts.append(len(captured))
        return counts

    Channel.objects.create(device=device(), channel="switch:2")
    for_one = queries()
    for number in range(30):
        Channel.objects.create(device=device(f"pump{number}"), channel="switch:2")
    assert queries() == for_one


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["q=%00", "connected=%00", "p=-1", "o=9.x", "logged__exact=x"])
@pytest.mark.parametrize("address", [DEVICES, CHANNELS])
def test_no_query_string_is_a_server_error(admin: Client, address: str, query: str) -> None:
    Channel.objects.create(device=device(), channel="switch:2")
    of_the_other_list = (address, query[:6]) in {(DEVICES, "logged"), (CHANNELS, "connec")}
    status = admin.get(f"{address}?{query}", follow=True).status_code
    assert status == (400 if of_the_other_list else 200)


@pytest.mark.django_db
def test_an_empty_list_says_why_it_is_empty(admin: Client) -> None:
    assert "No Shelly has connected yet." in text_of(admin, DEVICES)
    assert "No channel is known yet." in text_of(admin, CHANNELS)
    device()
    assert "Nothing matches. Clear the search" in text_of(admin, DEVICES, q="nobody")
