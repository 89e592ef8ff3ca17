"""The waiting room: who is listed, with what, and that no crowd of invented ids fills anything."""

from typing import Any

import pytest

from powerlog.core.device_info import About
from powerlog.core.frame import Frame, Reading
from powerlog.devices import pending as module
from powerlog.devices import session as peers
from powerlog.devices.access import Policy, admission
from powerlog.devices.pending import PLACES, STALE, STORE_S, WaitingRoom
from powerlog.devices.session import NOT_ALLOWED, Peer
from powerlog.log_once import once
from powerlog.models import Device
from tests.support.frames import PUMP, T0

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])
States = Device.Admission
ATTACKER, CUSTOMER = "192.0.2.7", "2001:db8:1:1::"


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    once._said.clear()


@pytest.fixture
def room() -> WaitingRoom:
    return WaitingRoom()


def peer(device_id: str = PUMP, at: float = T0, address: str = "192.0.2.7") -> Peer:
    made = Peer({"client": (address, 5555)})
    made.device_id, made.heard_at = device_id, at
    return made


def says(room: WaitingRoom, who: Peer, **frame: object) -> bool:
    return room.hear(who, Frame(who.device_id or "", **frame))


def crowd(room: WaitingRoom, count: int, name: str = "invented", address: str = ATTACKER) -> int:
    """How many of so many found a place in memory."""
    guests = (peer(f"{name}-{number}", address=address) for number in range(count))
    return sum(says(room, guest) for guest in guests)


def test_staff_see_address_model_and_what_it_says(room: WaitingRoom) -> None:
    readings = (Reading("switch:0", apower_w=0.0), Reading("switch:2", apower_w=430.5))
    who = peer()
    says(room, who, readings=readings)
    says(room, who, about=About("Pro4PM", "1.6.2", "Pump house"))
    says(room, who, about=About(channels={"switch:2": "Pump"}))
    room.store(T0)
    device = Device.objects.get()
    assert (device.device_id, device.address, device.admission) == (PUMP, "192.0.2.7", "waiting")
    assert (device.model, device.firmware, str(device)) == ("Pro4PM", "1.6.2", "Pump house")
    assert device.says == "switch:0 0 W, switch:2 430.5 W"


def test_the_list_is_brought_up_to_date_every_few_seconds(room: WaitingRoom) -> None:
    who = peer()
    says(room, who)
    room.store(T0)
    says(room, who, readings=(Reading("switch:1", apower_w=7.0),))
    room.store(T0 + STORE_S - 1)
    assert Device.objects.get().says == ""
    room.store(T0 + STORE_S)
    device = Device.objects.get()
    assert (device.says, device.last_seen_at.timestamp()) == ("switch:1 7 W", T0 + STORE_S)
    assert device.first_seen_at.timestamp() == T0


def test_what_staff_decided_a_moment_ago_stays(room: WaitingRoom) -> None:
    for state in (States.ACCEPTED, States.BLOCKED):
        Device.objects.create(device_id=state, admission=state, address="198.51.100.1")
        says(room, peer(state))
    room.store(T0)
    kept = Device.objects.values_list("device_id", "admission", "address")
    assert {*kept} == {(s, s, "198.51.100.1") for s in (States.ACCEPTED, States.BLOCKED)}


def test_a_flood_of_invented_ids_fills_neither_memory_nor_table(
    room: WaitingRoom, caplog: pytest.LogCaptureFixture
) -> None:
    assert crowd(room, 5 * PLACES) == PLACES == len(room)
    room.store(T0)
    for number in range(3):  # as many processes with as many again
        another = WaitingRoom()
        crowd(another, PLACES, f"more-{number}")
        another.store(T0)
    assert Device.objects.count() == PLACES
    assert caplog.messages == ["the waiting room is full: 200 devices wait for staff"]


def test_a_place_of_one_that_is_not_connected_any_more_is_given_away(room: WaitingRoom) -> None:
    crowd(room, PLACES)
    room.store(T0)
    Device.objects.create(device_id="accepted-long-ago")
    later, after = WaitingRoom(), T0 + STALE.total_seconds() + 1
    says(later, peer(at=after))
    later.store(after)
    assert {*Device.objects.values_list("device_id", flat=True)} == {PUMP, "accepted-long-ago"}


def test_who_leaves_makes_place_and_keeps_its_line(room: WaitingRoom) -> None:
    guests = [peer(f"invented-{number}") for number in range(PLACES)]
    assert all(says(room, guest) for guest in guests)
    room.store(T0)
    assert not says(room, peer())
    room.leave(guests[0])
    room.leave(peer("never-here"))
    assert says(room, peer())
    assert Device.objects.filter(device_id="invented-0").exists()


def test_those_whom_staff_have_decided_on_go_and_the_others_stay(
    room: WaitingRoom, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ADMISSION = "approve"
    guests = {name: peer(name) for name in ("accepted", "blocked", "waits")}
    assert all(says(room, guest) for guest in guests.values())
    decided = Policy(blocked=frozenset({"blocked"}), accepted=frozenset({"accepted"}))
    monkeypatch.setattr(admission, "policy", decided)
    called = room.call()
    assert [each.peer.device_id for each in called] == ["accepted", "blocked"]
    assert [each.peer.has_to_go() for each in called] == [0, NOT_ALLOWED]
    assert len(room) == 1
    room.store(T0)
    assert [each.device_id for each in Device.objects.all()] == ["waits"]


def test_of_two_sockets_of_one_id_the_newest_has_its_place(room: WaitingRoom) -> None:
    old, new = peer(), peer()
    says(room, old)
    says(room, new)
    room.leave(old)
    assert len(room) == 1
    room.leave(new)
    assert len(room) == 0


def test_what_it_says_is_cut_to_what_fits(room: WaitingRoom) -> None:
    readings = tuple(Reading(f"rgbcct:{n}", apower_w=1e11 / 3) for n in range(1000, 1100))
    says(room, peer(), readings=readings)
    room.store(T0)
    assert 0 < len(Device.objects.get().says) <= module.LONGEST_SAYING


def names(room: WaitingRoom) -> list[str]:
    return [guest.peer.device_id or "" for guest in room._guests.values()]


@pytest.mark.parametrize("address", ["192.0.2.8", "203.0.113.1", CUSTOMER])
def test_a_crowd_of_one_address_keeps_no_other_out(room: WaitingRoom, address: str) -> None:
    crowd(room, PLACES)
    assert says(room, peer(address=address))
    assert len(room) == PLACES
    assert names(room)[-2:] == [f"invented-{PLACES - 2}", PUMP]
    room.store(T0)
    assert Device.objects.filter(device_id=PUMP).exists()


def test_who_makes_place_is_told_so_and_does_not_come_back_on_its_socket(
    room: WaitingRoom, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ADMISSION = "approve"
    monkeypatch.setattr(peers, "waiting_room", room)
    crowd(room, PLACES - 1)
    last = peer("last")
    assert not last.passes(Frame("last"))
    assert says(room, peer(address=CUSTOMER))
    assert last.refused == NOT_ALLOWED
    room.leave(peer("nobody"))
    del room._guests["invented-0"]
    assert not last.passes(Frame("last"))
    assert "last" not in names(room)


def test_the_addresses_of_a_customer_share_their_places(room: WaitingRoom) -> None:
    assert all(
        says(room, peer(f"invented-{number}", address=f"{CUSTOMER}{number:x}"))
        for number in range(PLACES)
    )
    assert not says(room, peer(address=f"{CUSTOMER}ffff"))
    assert says(room, peer(address="2001:db8:1:2::1"))


def test_two_crowds_share_the_room_and_no_place_goes_to_and_fro(room: WaitingRoom) -> None:
    crowd(room, PLACES)
    assert crowd(room, PLACES, "other", CUSTOMER) == PLACES // 2
    assert crowd(room, PLACES, "again") == 0
    assert says(room, peer(address="192.0.2.8"))


def test_where_each_has_one_place_all_stay(room: WaitingRoom) -> None:
    assert all(
        says(room, peer(f"device-{number}", address=f"192.0.2.{number}"))
        for number in range(PLACES)
    )
    assert not says(room, peer(address=CUSTOMER))


def test_a_crowd_of_one_address_keeps_no_other_process_off_the_table(room: WaitingRoom) -> None:
    crowd(room, PLACES)
    room.store(T0)
    another = WaitingRoom()
    says(another, peer(address=CUSTOMER))
    another.store(T0)
    for again in range(1, 3):  # and it stays
        room.store(T0 + again * STORE_S)
        another.store(T0 + again * STORE_S)
        assert Device.objects.filter(device_id=PUMP).exists()
        assert Device.objects.count() == PLACES
    assert not Device.objects.filter(device_id=f"invented-{PLACES - 1}").exists()
