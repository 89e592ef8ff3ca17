"""The pages on which staff continue the history of a device under another: looked at, then done."""

import re
import shlex
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.http import HttpResponse
from django.test import Client

from powerlog.admin import joining
from powerlog.database.store import store
from powerlog.joining import history
from powerlog.models import Channel, Device
from tests.dashboard.test_translation import pairs
from tests.database.test_day_totals import HOUR
from tests.support.two_devices import (
    DAY,
    NEW,
    NOON,
    OLD,
    device,
    everything,
    minute,
    minutes,
    run,
    two,
)
from tests.support.two_devices import berlin_at_noon as berlin_at_noon

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "writer"]),
    pytest.mark.usefixtures("berlin_at_noon"),
]
RIGHTS = ("view_device", "change_device", "delete_device")


def staff(*rights: str, name: str = "boss", **options: bool) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    browser = Client(**options)
    browser.force_login(user)
    return browser


@pytest.fixture
def boss() -> Client:
    return staff(*RIGHTS)


@pytest.fixture
def old() -> Device:
    """With a minute and a run of its own, and another device to go on."""
    gone, _ = two(name="Garden shed")
    store([*minutes(OLD, 0, 3), run(OLD, 0, 180)])
    return gone


def page_of(old: Device) -> str:
    return f"/admin/powerlog/device/{old.pk}/join/"


def shown(response: HttpResponse) -> str:
    assert response.status_code == 200
    main = re.search('<main id="content-start".*</main>', response.content.decode(), re.DOTALL)
    assert main
    return " ".join(re.sub("<[^>]*>", " ", main[0]).split())


def look(browser: Client, old: Device, under: str = NEW, **headers: str) -> str:
    return shown(browser.get(page_of(old), {"under": under}, headers=headers))


def confirm(browser: Client, old: Device, under: str = NEW) -> str:
    """The page that follows."""
    return shown(browser.post(page_of(old), {"under": under}, follow=True))


def state() -> list[Any]:
    lines = [list(model.objects.order_by("pk").values()) for model in (Device, Channel)]
    return [*lines, everything(OLD), everything(NEW), LogEntry.objects.count()]


def test_from_the_device_to_the_joined_history(boss: Client, old: Device) -> None:
    address = f"/admin/powerlog/device/{old.pk}/change/"
    assert f'href="{page_of(old)}"' in boss.get(address).content.decode()
    page = boss.get(page_of(old)).content.decode()
    assert f'href="?under={NEW}"' in page
    asked = look(boss, old)
    assert f"The history of {OLD} moves to {NEW} :" in asked
    assert "switch:2 16 June 2025 3 1 1" in asked
    assert "They do not overlap: the old device was last seen on 18 June 2025, 00:00" in asked
    assert f"{NEW} takes over the name “Garden shed”." in asked
    assert "This cannot be undone." in asked
    done = confirm(boss, old)
    assert f"The history of {OLD} continues here: 3 minutes and 1 run have moved." in done
    assert "Garden shed" in done
    assert not Device.objects.filter(pk=old.pk).exists()
    new = Device.objects.get()
    entries = shown(boss.get(f"/admin/powerlog/device/{new.pk}/history/"))
    assert f"Took over the history of {OLD}: minutes 3, runs 1" in entries


def test_looking_changes_nothing(boss: Client, old: Device) -> None:
    before = state()
    look(boss, old)
    boss.get(page_of(old), {"under": NEW, "post": "yes", "confirmed": "1"})
    boss.head(page_of(old), {"under": NEW})
    assert boss.put(page_of(old), {"under": NEW}).status_code == 405
    assert state() == before


def test_a_post_from_another_page_changes_nothing(old: Device) -> None:
    browser = staff(*RIGHTS, enforce_csrf_checks=True)
    before = state()
    assert browser.post(page_of(old), {"under": NEW}).status_code == 403
    assert state() == before


@pytest.mark.parametrize(
    "rights", [("view_device",), ("view_device", "change_device"), ("view_device", "delete_device")]
)
def test_who_may_only_look_or_rename_joins_nothing(old: Device, rights: tuple[str, ...]) -> None:
    browser = staff(*rights)
    before = state()
    address = f"/admin/powerlog/device/{old.pk}/change/"
    assert page_of(old) not in browser.get(address).content.decode()
    assert browser.get(page_of(old)).status_code == 403
    assert browser.get(page_of(old), {"under": NEW}).status_code == 403
    assert browser.post(page_of(old), {"under": NEW}).status_code == 403
    assert state() == before


def test_a_stranger_is_sent_to_the_login(client: Client, old: Device) -> None:
    before = state()
    assert client.post(page_of(old), {"under": NEW})["Location"].startswith("/admin/login/")
    assert state() == before


def test_a_page_that_was_open_for_long_is_asked_once_more(boss: Client, old: Device) -> None:
    look(boss, old)
    Device.objects.filter(pk=old.pk).update(connected=True, last_seen_at=NOON)
    before = state()
    assert "is connected now" in confirm(boss, old)
    assert state() == before


def test_a_device_that_is_here_is_offered_nothing(boss: Client, old: Device) -> None:
    Device.objects.filter(pk=old.pk).update(connected=True, last_seen_at=NOON)
    page = shown(boss.get(page_of(old)))
    assert "is connected now" in page
    assert NEW not in page


def test_histories_that_cannot_be_one_are_shown_without_a_button(boss: Client, old: Device) -> None:
    store([minute(NEW, 60 * each, apower_w=99.0) for each in range(20)])
    store(minutes(OLD, 180, 20))
    asked = boss.get(page_of(old), {"under": NEW})
    assert "Both devices have rows for the same minutes of switch:2" in shown(asked)
    assert 'value="Continue under' not in asked.content.decode()
    before = state()
    confirm(boss, old)
    assert state() == before


@pytest.mark.parametrize("under", ["nobody", "\0", OLD, "switch:2'--", "²"])
def test_what_is_no_other_device_is_refused_with_a_sentence(
    boss: Client, old: Device, under: str
) -> None:
    before = state()
    for page in (look(boss, old, under), confirm(boss, old, under)):
        assert "There is no device" in page or "are the same one" in page
    assert state() == before


def test_an_old_device_that_is_gone_is_not_found(boss: Client, old: Device) -> None:
    confirm(boss, old)
    assert boss.get(page_of(old)).status_code == 404
    assert boss.post(page_of(old), {"under": NEW}).status_code == 404


def test_the_likeliest_is_offered_first_and_others_are_found(boss: Client, old: Device) -> None:
    Device.objects.filter(pk=old.pk).update(model="M")
    for number in range(25):
        device(f"other-{number:02}", 3 * DAY + number, 4 * DAY)
    device("same-model", DAY, 2 * DAY, model="M", name="Twin")
    device("blocked", DAY, 2 * DAY, admission=Device.Admission.BLOCKED)
    page = boss.get(page_of(old))
    offered = re.findall(r'href="\?under=([^"]*)"', page.content.decode())
    assert offered[:3] == [NEW, "same-model", "other-24"]
    assert len(offered) == joining.MOST_OFFERED
    assert "There are more." in shown(page)
    found = boss.get(page_of(old), {"q": "twin"}).content.decode()
    assert re.findall(r'href="\?under=([^"]*)"', found) == ["same-model"]
    assert "Nothing matches." in shown(boss.get(page_of(old), {"q": "\0"}))


def test_a_long_history_names_the_command_ready_to_paste(
    boss: Client, old: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "AT_ONCE", 3)
    hostile = "$(rm -rf /) '; --by=x"
    Device.objects.filter(device_id=NEW).update(device_id=hostile)
    asked = boss.get(page_of(old), {"under": hostile})
    pasted = asked.context["command"]
    words = shlex.split(pasted)
    assert words[:3] == [".venv/bin/python", "manage.py", "join_devices"]
    assert words[3:] == ["--by=boss", "--", OLD, hostile]
    assert 'value="Continue under' not in asked.content.decode()
    before = state()
    confirm(boss, old, hostile)
    assert state() == before


def test_a_slow_database_is_said_and_confirmed_once_more(
    boss: Client, old: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AT_ONCE", 2)
    monkeypatch.setattr(joining, "PAGE_S", -1.0)
    page = confirm(boss, old)
    assert "this is not finished: 0 minutes and 1 run have moved so far." in page
    assert "This cannot be undone." in page
    monkeypatch.setattr(joining, "PAGE_S", 15.0)
    assert "continues here: 3 minutes and 0 runs have moved." in confirm(boss, old)


def test_of_two_clicks_at_once_one_waits(boss: Client, old: Device) -> None:
    before = state()
    with joining.working:
        assert "Two devices are being joined already." in confirm(boss, old)
    assert state() == before


def test_a_page_keeps_no_connection_and_waits_no_longer_than_others(
    boss: Client, old: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[str] = []
    whole = joining.join

    def watched(*arguments: Any) -> Any:
        if connections["writer"].vendor == "postgresql":
            with connections["writer"].cursor() as cursor:
                cursor.execute("SHOW statement_timeout")
                limits.extend(cursor.fetchone())
        return whole(*arguments)

    monkeypatch.setattr(joining, "join", watched)
    confirm(boss, old)
    assert limits in ([], ["20s"])
    assert connections["writer"].connection is None


def test_settings_that_move_are_named(boss: Client, old: Device) -> None:
    Channel.objects.create(device=old, channel="switch:2", name="Well", price_kwh="0.30")
    assert "Settings that move too: own name Well, price per kWh 0.3" in look(boss, old)
    german = look(boss, old, **{"accept-language": "de"})
    assert "Einstellungen, die mitgehen: eigener Name Well, Preis je kWh 0,3" in german


def test_a_german_page_has_no_english_sentence(boss: Client, old: Device) -> None:
    store([run(OLD, HOUR, None), minute(NEW, 0)])
    english = {first for first, german in pairs() if first != german and "%" not in first}
    sentences = {each for each in english if each.count(" ") > 1}
    for page in (
        shown(boss.get(page_of(old), headers={"accept-language": "de"})),
        look(boss, old, **{"accept-language": "de"}),
        look(boss, old, "nobody", **{"accept-language": "de"}),
    ):
        assert [each for each in sentences if each in page] == []
    assert "Der offene Lauf von switch:2 endet" in look(boss, old, **{"accept-language": "de"})
