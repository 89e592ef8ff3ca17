"""One socket speaks for one device, as long as it may."""

import weakref
from typing import Any

import pytest

from powerlog.core.frame import Frame, FrameError
from powerlog.devices import session as module
from powerlog.devices.access import Admission, Policy, digest
from powerlog.devices.connections import traffic
from powerlog.devices.pending import PLACES, WaitingRoom
from powerlog.devices.session import FULL, NOT_ALLOWED, OTHER_SRC, OTHERS_AT_MOST, TWO_NAMES, Peer
from tests.support.frames import PUMP

FRAME, ANOTHERS = Frame(PUMP), Frame("somebody-else")


@pytest.fixture
def admission(monkeypatch: pytest.MonkeyPatch) -> Admission:
    made = Admission()
    monkeypatch.setattr(module, "admission", made)
    return made


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> WaitingRoom:
    made = WaitingRoom()
    monkeypatch.setattr(module, "waiting_room", made)
    return made


@pytest.fixture
def peer(admission: Admission, room: WaitingRoom) -> Peer:
    return Peer({"client": ("8.8.8.8", 5555)})


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "rejected", traffic.rejected.__class__())
    monkeypatch.setattr(traffic, "refused", traffic.refused.__class__())


def test_its_first_frame_says_who_it_is(peer: Peer) -> None:
    assert peer.passes(FRAME)
    assert str(peer) == f"{PUMP} (8.8.8.8:5555)"


def test_a_frame_of_another_device_is_a_bad_one_and_the_tenth_is_the_last(peer: Peer) -> None:
    peer.passes(FRAME)
    for _ in range(OTHERS_AT_MOST - 1):
        assert not peer.passes(ANOTHERS)
        assert peer.passes(FRAME)
        assert not peer.refused
    assert not peer.passes(ANOTHERS)
    assert peer.refused == TWO_NAMES
    assert traffic.rejected[OTHER_SRC] == OTHERS_AT_MOST
    assert traffic.refused[OTHER_SRC] == 1


def test_bytes_are_a_binary_message_whatever_was_found_in_them(peer: Peer) -> None:
    for message in (b"{}", b"", "", "rubbish"):
        peer.reject(FrameError("not JSON"), message)
    assert traffic.rejected == {"binary": 2, "not JSON": 2}


def test_staff_may_change_their_mind_while_it_speaks(peer: Peer, admission: Admission) -> None:
    assert peer.passes(FRAME)
    admission.replace(Policy(blocked=frozenset({PUMP})))
    assert not peer.passes(FRAME)
    assert peer.refused == NOT_ALLOWED


def test_one_that_says_nothing_has_to_go_as_well(peer: Peer, admission: Admission) -> None:
    peer.passes(FRAME)
    assert peer.has_to_go() == 0
    admission.replace(Policy(holders={digest("token"): PUMP}))
    assert peer.has_to_go() == NOT_ALLOWED


def test_a_refusal_is_counted_once_however_much_it_goes_on(
    peer: Peer, admission: Admission, caplog: pytest.LogCaptureFixture
) -> None:
    module.once._said.clear()
    admission.replace(Policy(blocked=frozenset({PUMP})))
    for _ in range(100):
        peer.passes(FRAME)
    assert traffic.refused.total() == 1
    assert caplog.messages == [f"8.8.8.8 as {PUMP} is cut off: it is blocked"]


def test_who_waits_may_speak_once_it_is_accepted(
    peer: Peer, admission: Admission, room: WaitingRoom, settings: Any
) -> None:
    settings.ADMISSION = "approve"
    assert not peer.passes(FRAME)
    assert (peer.refused, peer.waited, len(room)) == (0, True, 1)
    assert peer.has_to_go() == 0
    admission.replace(Policy(accepted=frozenset({PUMP})))
    assert peer.passes(FRAME)


def test_who_may_speak_does_not_hold_its_socket(admission: Admission) -> None:
    async def send(message: dict[str, Any]) -> None: ...

    held = weakref.ref(send)
    peer = Peer({"client": ("8.8.8.8", 5555), "send": send})
    del send
    assert held()
    assert peer.passes(FRAME)
    assert not held()


def test_who_finds_no_place_to_wait_is_sent_away(
    peer: Peer, room: WaitingRoom, settings: Any
) -> None:
    settings.ADMISSION = "approve"
    for number in range(PLACES):
        assert room.hear(peer, Frame(f"invented-{number}"))
    assert not peer.passes(FRAME)
    assert peer.refused == NOT_ALLOWED
    assert traffic.refused[FULL] == 1
