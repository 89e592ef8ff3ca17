"""Devices appear by themselves, and what staff set reaches the rules; on both databases."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import OperationalError

from powerlog.core.channel_state import Own
from powerlog.core.contact import SILENT_S
from powerlog.core.device_info import About
from powerlog.devices import records
from powerlog.devices import registry as module
from powerlog.devices.registry import Registry
from powerlog.devices.session import Peer
from powerlog.models import Channel, Device, Silence
from tests.support.frames import PUMP, T0

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])


def peer(at_s: float, address: str = "192.0.2.7") -> Peer:
    made = Peer({"client": (address, 5555)})
    made.heard_at = T0 + at_s
    return made


def speaks(registry: Registry, heard: Peer, at_s: float) -> None:
    """As the consumer does it for each frame."""
    if T0 + at_s - heard.heard_at > SILENT_S:
        registry.was_silent(PUMP, heard.heard_at, T0 + at_s)
    heard.heard_at = T0 + at_s


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.SPOOL_DIR = tmp_path / "spool"
    return settings.SPOOL_DIR


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Says whether the database is away."""

    def say(gone: bool) -> None:
        def fail(facts: Any) -> None:
            raise OperationalError("gone")

        monkeypatch.setattr(module, "store_facts", fail if gone else store)

    store = module.store_facts
    return say


def silences() -> list[tuple[float, float]]:
    return [
        (silence.since.timestamp() - T0, silence.until.timestamp() - T0)
        for silence in Silence.objects.order_by("since")
    ]


def moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(T0 + at_s, UTC)


def test_a_device_appears_by_itself_with_what_it_says(registry: Registry) -> None:
    registry.met(PUMP, peer(0))
    registry.meters(PUMP, ["switch:0", "switch:2"])
    registry.exchange(T0)
    device = Device.objects.get()
    assert (device.device_id, device.address, device.connected) == (PUMP, "192.0.2.7", True)
    assert (device.first_seen_at, device.last_seen_at) == (moment(0), moment(0))
    assert [str(channel) for channel in device.channels.all()] == ["switch:0", "switch:2"]
    registry.learn(PUMP, About("Pro4PM", "1.6.2", "Pump house"))
    registry.learn(PUMP, About(channels={"switch:2": "Pump"}))
    registry.exchange(T0 + 1)
    device.refresh_from_db()
    assert (device.model, device.firmware, str(device)) == ("Pro4PM", "1.6.2", "Pump house")
    assert [str(channel) for channel in device.channels.all()] == ["switch:0", "Pump"]


def test_channels_are_told_when_they_change_and_once_a_minute(registry: Registry) -> None:
    with time_machine.travel(T0, tick=False) as clock:
        registry.met(PUMP, peer(0))
        registry.meters(PUMP, ["switch:0"])
        registry.exchange(T0)
        Channel.objects.all().delete()
        registry.learn(PUMP, About("Pro4PM"))
        registry.exchange(T0 + 1)
        assert not Channel.objects.exists()
        clock.shift(60)
        registry.learn(PUMP, About("Pro4PM"))
        registry.exchange(T0 + 60)
        assert [each.channel for each in Channel.objects.all()] == ["switch:0"]
        registry.meters(PUMP, ["switch:1"])
        registry.exchange(T0 + 61)
        assert Channel.objects.count() == 2


def test_what_staff_call_it_stays(registry: Registry) -> None:
    Device.objects.create(device_id=PUMP, name="Well", last_seen_at=moment(-10))
    Channel.objects.create(device_id=PUMP, channel="switch:2", name="Big pump", flow_m3h=4.5)
    registry.met(PUMP, peer(0))
    registry.meters(PUMP, ["switch:2"])
    registry.learn(PUMP, About("Pro4PM", "1.6.2", "Pump house"))
    registry.learn(PUMP, About(channels={"switch:2": "Pump"}))
    registry.exchange(T0)
    channel = Channel.objects.get()
    assert (str(channel.device), str(channel), channel.flow_m3h) == ("Well", "Big pump", 4.5)
    assert (channel.device.reported_name, channel.reported_name) == ("Pump house", "Pump")


def test_a_device_that_says_nothing_of_itself_keeps_what_it_said(registry: Registry) -> None:
    registry.met(PUMP, peer(0))
    registry.learn(PUMP, About("Pro4PM", "1.6.2", "Pump house"))
    registry.exchange(T0)
    registry.gone(PUMP)
    registry.met(PUMP, peer(9, "192.0.2.8"))
    registry.exchange(T0 + 9)
    device = Device.objects.get()
    assert (device.model, device.address, device.first_seen_at) == (
        "Pro4PM",
        "192.0.2.8",
        moment(0),
    )


def test_it_is_told_now_and_then_that_a_device_was_heard(registry: Registry) -> None:
    heard = peer(0)
    registry.met(PUMP, heard)
    for second in range(1, 13):
        heard.heard_at = T0 + second
        registry.exchange(T0 + second)
    assert moment(6) <= Device.objects.get().last_seen_at <= moment(12)
    registry.gone(PUMP)
    registry.exchange(T0 + 13)
    device = Device.objects.get()
    assert (device.last_seen_at, device.connected) == (moment(12), False)


def test_the_process_that_heard_it_last_is_believed(registry: Registry) -> None:
    other = Registry()
    registry.met(PUMP, peer(0))
    other.met(PUMP, peer(30))
    other.exchange(T0 + 30)
    registry.gone(PUMP)  # its half-open connection, a minute later
    registry.exchange(T0 + 60)
    assert Device.objects.get().connected


@pytest.mark.parametrize(("away_s", "noted"), [(100, []), (200, [(10.0, 210.0)])])
def test_a_device_that_was_away_for_long_was_silent(
    registry: Registry, away_s: float, noted: list[Any]
) -> None:
    registry.met(PUMP, peer(10))
    registry.gone(PUMP)
    registry.exchange(T0 + 11)
    later = Registry()
    later.met(PUMP, peer(10 + away_s))
    for second in range(3):
        later.exchange(T0 + 10 + away_s + second)
    assert silences() == noted


def test_a_connection_on_which_nothing_is_said_for_long_is_silence(registry: Registry) -> None:
    heard = peer(0)
    registry.met(PUMP, heard)
    registry.exchange(T0)
    registry.exchange(T0 + 200)
    speaks(registry, heard, 205)
    registry.gone(PUMP)  # before it is due to be told that it was heard
    registry.exchange(T0 + 206)
    assert silences() == [(0.0, 205.0)]


@pytest.mark.parametrize(("gap_s", "noted"), [(120, []), (121, [(1.0, 122.0)])])
def test_frames_in_quick_succession_hide_no_silence(
    registry: Registry, gap_s: int, noted: list[Any]
) -> None:
    heard = peer(0)
    registry.met(PUMP, heard)
    registry.exchange(T0)
    for at_s in (0.5, 1, 1 + gap_s, 1.5 + gap_s, 2 + gap_s):
        speaks(registry, heard, at_s)
    registry.exchange(T0 + 130)
    registry.exchange(T0 + 140)
    assert silences() == noted


def test_silences_with_several_connections_in_between_are_all_there(
    registry: Registry, away: Callable[[bool], None]
) -> None:
    registry.met(PUMP, peer(0))
    registry.exchange(T0)
    for gone in (False, True):
        away(gone)
        for at_s in (200, 400):
            registry.met(PUMP, peer(at_s + 1000 * gone))  # it takes the place of the one before
            registry.gone(PUMP)
            registry.exchange(T0 + at_s + 1000 * gone)
    assert silences() == [(0.0, 200.0), (200.0, 400.0)]
    away(False)
    registry.exchange(T0 + 2000)
    registry.exchange(T0 + 2001)
    assert silences() == [(0.0, 200.0), (200.0, 400.0), (400.0, 1200.0), (1200.0, 1400.0)]


@pytest.mark.parametrize("fails", [False, True])
def test_a_device_that_is_back_while_the_database_is_told_that_it_has_gone_was_silent(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    heard = peer(0)
    registry.met(PUMP, heard)
    registry.exchange(T0)
    speaks(registry, heard, 150)
    registry.gone(PUMP)

    def slow(facts: Any) -> None:
        registry.met(PUMP, peer(300))
        if fails:
            raise OperationalError("gone")
        store(facts)

    store = module.store_facts
    monkeypatch.setattr(module, "store_facts", slow)
    registry.exchange(T0 + 300)
    monkeypatch.setattr(module, "store_facts", store)
    registry.exchange(T0 + 301)
    assert silences() == [(0.0, 150.0), (150.0, 300.0)]


def test_a_silence_that_ends_while_others_are_stored_is_stored_next_time(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = peer(0)
    registry.met(PUMP, heard)
    speaks(registry, heard, 150)
    store = records._store_devices

    def slow(part: Any) -> None:
        store(part)
        if heard.heard_at < T0 + 300:
            speaks(registry, heard, 300)

    monkeypatch.setattr(records, "_store_devices", slow)
    registry.exchange(T0 + 300)
    registry.exchange(T0 + 301)
    assert silences() == [(0.0, 150.0), (150.0, 300.0)]


def test_a_database_that_is_away_makes_no_silence_and_loses_none(
    registry: Registry, away: Callable[[bool], None]
) -> None:
    heard = peer(0)
    registry.met(PUMP, heard)
    registry.exchange(T0)
    away(True)
    for second in range(10, 600, 10):
        speaks(registry, heard, second)
        registry.exchange(T0 + second)
    registry.gone(PUMP)
    registry.exchange(T0 + 600)
    registry.met(PUMP, peer(800))
    registry.learn(PUMP, About("Pro4PM", "1.6.2", ""))
    registry.exchange(T0 + 800)
    away(False)
    registry.exchange(T0 + 801)
    assert silences() == [(590.0, 800.0)]
    assert Device.objects.get().model == "Pro4PM"


def test_the_memory_of_devices_that_are_gone_is_bounded(
    registry: Registry, away: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_GONE", 5)
    away(True)
    registry.met(PUMP, peer(0))
    for number in range(20):
        registry.met(f"invented-{number}", peer(0))
        registry.gone(f"invented-{number}")
    away(False)
    registry.exchange(T0)
    assert Device.objects.filter(device_id=PUMP, connected=True).exists()
    assert Device.objects.count() <= 7


def test_what_staff_set_for_a_channel_is_read_again_every_ten_seconds(registry: Registry) -> None:
    registry.met(PUMP, peer(0))
    registry.meters(PUMP, ["switch:0", "switch:1", "switch:2"])
    registry.exchange(T0)
    assert registry.own == {}
    Channel.objects.filter(channel="switch:0").update(logged=False)
    Channel.objects.filter(channel="switch:1").update(power_threshold_w=50.0)
    registry.exchange(T0 + 9)
    assert registry.own == {}
    registry.exchange(T0 + 10)
    assert registry.own == {(PUMP, "switch:0"): Own(False), (PUMP, "switch:1"): Own(True, 50.0)}


def test_what_was_learned_last_is_told_when_it_stops(registry: Registry) -> None:
    registry.start()
    registry.met(PUMP, peer(0))
    registry.gone(PUMP)
    registry.stop(limit_s=20)
    assert Device.objects.get().connected is False


@pytest.mark.parametrize(("mode", "state"), [("open", "accepted"), ("approve", "waiting")])
def test_a_device_that_staff_have_deleted_is_a_new_one(
    registry: Registry, settings: Any, mode: str, state: str
) -> None:
    settings.ADMISSION = mode
    Device.objects.create(device_id="kept", admission=Device.Admission.BLOCKED)
    for device_id in (PUMP, "kept"):
        registry.met(device_id, peer(0))
    registry.exchange(T0)
    admissions = dict(Device.objects.values_list("device_id", "admission"))
    assert admissions == {PUMP: state, "kept": "blocked"}
