"""Where staff decide who may speak: one click each, in the history, and not for viewers."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from powerlog.devices.access import digest
from powerlog.models import Device
from tests.support.frames import PUMP

pytestmark = pytest.mark.django_db
PAGE = "/admin/powerlog/access/"
States = Device.Admission
CLICKS = ("accept", "block", "forget", "make_token", "withdraw_token")


@pytest.fixture
def device() -> Device:
    return Device.objects.create(device_id=PUMP, admission=States.WAITING, says="switch:2 430 W")


@pytest.fixture
def viewer() -> Client:
    """Staff who may look at everything, and change nothing."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    browser = Client()
    browser.force_login(user)
    return browser


def click(browser: Client, name: str, device: Device) -> str:
    """The page that follows."""
    return browser.post(PAGE, {name: str(device.pk)}, follow=True).content.decode()


def history() -> list[tuple[str, str]]:
    entries = LogEntry.objects.order_by("pk")
    return [(entry.object_repr, entry.get_change_message()) for entry in entries]


def test_the_list_shows_first_who_waits_with_what_it_says(
    admin_client: Client, device: Device
) -> None:
    Device.objects.create(device_id="an-old-one")
    Device.objects.create(device_id="a-bad-one", admission=States.BLOCKED)
    page = admin_client.get(PAGE).content.decode()
    places = [page.index(each) for each in (PUMP, "a-bad-one", "an-old-one")]
    assert places == sorted(places)
    assert "switch:2 430 W" in page


@pytest.mark.parametrize(
    ("name", "state", "word"),
    [("accept", States.ACCEPTED, "Accepted."), ("block", States.BLOCKED, "Blocked.")],
)
def test_one_click_decides_and_is_in_the_history_of_the_device(
    admin_client: Client, device: Device, name: str, state: str, word: str
) -> None:
    assert "takes effect within half a minute" in click(admin_client, name, device)
    device.refresh_from_db()
    assert (device.admission, device.says) == (state, "")
    assert history() == [(PUMP, word)]
    click(admin_client, name, device)
    assert len(history()) == 1, "what is so already is no change"


def test_one_click_forgets_who_waits_or_is_blocked_and_nobody_else(
    admin_client: Client, device: Device
) -> None:
    accepted = Device.objects.create(device_id="an-old-one")
    click(admin_client, "forget", accepted)
    click(admin_client, "forget", device)
    assert [each.device_id for each in Device.objects.all()] == ["an-old-one"]
    assert history() == [(PUMP, "Forgotten.")]


def test_a_token_is_shown_once_and_kept_as_a_hash(admin_client: Client, device: Device) -> None:
    response = admin_client.post(PAGE, {"make_token": str(device.pk)})
    assert "no-store" in response["Cache-Control"]
    found = re.search(r"ws://testserver/ws/([\w-]{43})<", response.content.decode())
    assert found
    device.refresh_from_db()
    assert device.token_hash == digest(found[1])
    pages = [admin_client.get(path).content.decode() for path in (PAGE, "/admin/")]
    assert not any(found[1] in page or device.token_hash in page for page in pages)
    assert history() == [(PUMP, "Given a new token.")]


def test_a_token_is_replaced_and_withdrawn(admin_client: Client, device: Device) -> None:
    tokens = [click(admin_client, "make_token", device) for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert "Withdraw token" in admin_client.get(PAGE).content.decode()
    click(admin_client, "withdraw_token", device)
    device.refresh_from_db()
    assert device.token_hash == ""
    assert history()[-1] == (PUMP, "Its token was withdrawn.")


def test_many_are_decided_at_once(admin_client: Client, device: Device) -> None:
    other = Device.objects.create(device_id="another", admission=States.WAITING)
    chosen = {"action": "accept", "_selected_action": [str(device.pk), str(other.pk)]}
    page = admin_client.post(PAGE, chosen, follow=True).content.decode()
    assert "2 devices are accepted" in page
    assert Device.objects.filter(admission=States.ACCEPTED).count() == 2


@pytest.mark.parametrize("name", CLICKS)
def test_a_viewer_sees_no_button_and_forges_no_click(
    viewer: Client, device: Device, name: str
) -> None:
    assert f'name="{name}"' not in viewer.get(PAGE).content.decode()
    before = Device.objects.values().get()
    assert viewer.post(PAGE, {name: str(device.pk)}).status_code == 403
    chosen = {"action": name, "_selected_action": [str(device.pk)]}
    viewer.post(PAGE, chosen)
    viewer.post(f"{PAGE}{device.pk}/change/", {"admission": "accepted", "token_hash": "0" * 64})
    viewer.post(f"{PAGE}{device.pk}/delete/", {"post": "yes"})
    assert Device.objects.values().get() == before
    assert history() == []


@pytest.mark.parametrize("name", CLICKS)
def test_a_click_from_another_page_is_none(device: Device, admin_user: User, name: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user)
    assert browser.post(PAGE, {name: str(device.pk)}).status_code == 403
    assert history() == []


@pytest.mark.parametrize("key", ["", "x", "-1", "999999", "9" * 30, "\0", "²"])
def test_a_click_on_what_is_not_there_does_nothing(
    admin_client: Client, device: Device, key: str
) -> None:
    assert admin_client.post(PAGE, {"block": key}).status_code == 302
    assert history() == []


@pytest.mark.parametrize(("token", "found"), [("yes", True), ("no", False)])
def test_the_list_is_filtered_by_who_has_a_token(
    admin_client: Client, device: Device, token: str, found: bool
) -> None:
    click(admin_client, "make_token", device)
    page = admin_client.get(PAGE, {"token": token}).content.decode()
    assert (PUMP in page) is found
