"""A socket is read no faster than its messages are handled, paid for, and answered."""

import time
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import settings as configured

from powerlog.server import rate_limits
from powerlog.server.device_socket import DeviceSocket
from powerlog.server.flow_control import MAX_WAITING, MESSAGE_OVERHEAD, PacedSocket
from powerlog.server.listener import Entrance
from powerlog.server.rate_limits import BURST_S, OWN_BYTES, Place, Places
from powerlog.server.slowed_addresses import slowed
from powerlog.server.speed_patches import QuickSocket
from tests.server.test_quick_socket import frame
from tests.support.bare_socket import Later, is_read

BURST = int(BURST_S * configured.MAX_FRAMES_PER_S)


def test_a_socket_whose_messages_wait_is_read_on_when_none_waits_any_more(
    socket: DeviceSocket, later: Later
) -> None:
    for _ in range(MAX_WAITING // (1000 + MESSAGE_OVERHEAD)):
        socket.onMessage(b"x" * 1000, False)
    assert is_read(socket)
    socket.onMessage(b"x" * 1000, False)
    assert not is_read(socket)
    while not socket.application_queue.empty():
        later.pop()()
        assert not is_read(socket)
        socket.application_queue.get_nowait()
    later.pop()()
    assert is_read(socket)
    assert later == []


def test_the_smallest_messages_weigh_something(socket: DeviceSocket, later: Later) -> None:
    for _ in range(2000):
        socket.onMessage(b"", False)
    assert not is_read(socket)
    assert len(later) == 1


def test_small_messages_that_came_together_wait_in_the_bytes_that_they_are(
    socket: DeviceSocket, later: Later
) -> None:
    told: list[str] = []
    socket.dataReceived(b"".join(frame(b"%d" % number) for number in range(1900)))
    while len(told) < 1900:
        waiting = socket.application_queue.qsize()
        assert 0 < waiting <= MAX_WAITING // MESSAGE_OVERHEAD + 1
        told += [socket.application_queue.get_nowait()["text"] for _ in range(waiting)]
        if later:
            later.pop()()
    assert told == [str(number) for number in range(1900)]
    assert is_read(socket)
    assert later == []


def test_a_socket_whose_messages_are_handled_is_always_read(
    socket: DeviceSocket, later: Later
) -> None:
    for _ in range(1000):
        socket.onMessage(b"x" * 1000, False)
        socket.application_queue.get_nowait()
    assert is_read(socket)
    assert later == []


def test_a_closed_socket_is_not_waited_for(socket: DeviceSocket, later: Later) -> None:
    socket.onMessage(b"x" * MAX_WAITING, False)
    socket.state = socket.STATE_CLOSED
    later.pop()()
    assert later == []


def test_a_socket_that_does_not_take_its_answers_is_not_read(
    socket: DeviceSocket, later: Later
) -> None:
    socket.pauseProducing()
    assert not is_read(socket)
    socket.onMessage(b"x" * MAX_WAITING, False)
    socket.resumeProducing()
    assert not is_read(socket)  # now its messages wait
    socket.application_queue.get_nowait()
    later.pop()()
    assert is_read(socket)


def heard(socket: DeviceSocket, frames: int) -> int:
    """How many of so many frames get to the application."""
    before = socket.application_queue.qsize()
    for _ in range(frames):
        socket.onMessage(b"{}", False)
    return socket.application_queue.qsize() - before


def test_a_burst_of_two_thousand_frames_is_heard_and_one_more_ends_the_socket(
    socket: DeviceSocket, later: Later, clock: SimpleNamespace, cut: list[Any]
) -> None:
    assert BURST == 2000
    assert heard(socket, BURST) == BURST
    assert not cut
    assert heard(socket, 50) == 0
    assert cut == [(1008, "more than 200 frames a second")]


def test_after_a_burst_so_many_a_second_go_on_for_ever(
    socket: DeviceSocket, later: Later, clock: SimpleNamespace, cut: list[Any]
) -> None:
    heard(socket, BURST)
    for _ in range(100):
        clock.now += 1.001
        assert heard(socket, 200) == 200
    clock.now += 1
    heard(socket, 250)
    assert len(cut) == 1


def test_a_good_device_behind_a_network_that_stalled_is_heard_all_at_once(
    socket: DeviceSocket, later: Later, clock: SimpleNamespace, cut: list[Any]
) -> None:
    for _ in range(5):
        clock.now += 3600  # an hour of thirty frames a minute
        assert heard(socket, 1800) == 1800
    assert not cut


def test_pings_and_pieces_of_messages_are_frames_too(
    socket: DeviceSocket, clock: SimpleNamespace, cut: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QuickSocket, "onFrameBegin", lambda _: None)
    for number in range(BURST + 1):
        ping = SimpleNamespace(opcode=9, fin=True)
        piece = SimpleNamespace(opcode=1, fin=False)
        socket.current_frame = ping if number % 2 else piece
        socket.onFrameBegin()
    assert [code for code, _ in cut] == [1008]


def test_texts_weigh_what_python_makes_of_them(socket: DeviceSocket, later: Later) -> None:
    text = "\U0001f4a1".encode().ljust(1000)
    for _ in range(MAX_WAITING // (4000 + MESSAGE_OVERHEAD)):
        socket.onMessage(text, False)
    assert is_read(socket)
    socket.onMessage(text, False)
    assert not is_read(socket)


def test_a_whole_message_is_counted_once_whichever_way_it_is_read(
    socket: DeviceSocket, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QuickSocket, "onFrameBegin", lambda _: None)
    socket.current_frame = SimpleNamespace(opcode=1, fin=True)
    socket.onFrameBegin()
    assert socket.frames_left == 0


@pytest.fixture
def in_debt(socket: DeviceSocket, clock: SimpleNamespace, later: Later) -> DeviceSocket:
    """A socket that is not read until what it has sent is paid for."""
    rate_limits.places.enter("198.51.100.7", 0.0).bytes.reserve(1e6, 0.0)
    socket.budget.comes_from("198.51.100.7")
    socket.onMessage(b"x" * (OWN_BYTES + 1), False)
    assert socket.held
    assert not is_read(socket)
    return socket


@pytest.fixture(autouse=True)
def nobody_was_here_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "places", Places(Place, 60.0, 100))
    slowed.__init__()  # type: ignore[misc]


def test_what_an_address_cannot_pay_for_waits_and_is_not_lost(
    in_debt: DeviceSocket, clock: SimpleNamespace, later: Later
) -> None:
    in_debt.dataReceived(b"".join(frame(b"%d" % number) for number in range(3)))
    assert in_debt.application_queue.empty()
    clock.now += 0.1
    later.pop()()  # too early
    assert not is_read(in_debt)
    clock.now += 60
    later.pop()()
    assert is_read(in_debt)
    told = [in_debt.application_queue.get_nowait() for _ in range(4)]
    assert [each["text"] for each in told[1:]] == ["0", "1", "2"]
    assert later == []


def test_who_is_read_more_slowly_is_counted_until_it_is_not(
    in_debt: DeviceSocket, clock: SimpleNamespace, later: Later
) -> None:
    assert len(slowed) == 1
    clock.now += 60
    later.pop()()
    assert len(slowed) == 0


def test_who_is_gone_meanwhile_is_not_counted_any_more(
    in_debt: DeviceSocket, clock: SimpleNamespace, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QuickSocket, "connectionLost", lambda *_: None)
    PacedSocket.connectionLost(in_debt, None)
    assert len(slowed) == 0
    in_debt.state = in_debt.STATE_CLOSED
    clock.now += 60
    later.pop()()
    assert len(slowed) == 0


def test_one_message_too_much_stops_the_ones_behind_it(
    socket: DeviceSocket, clock: SimpleNamespace, later: Later
) -> None:
    rate_limits.places.enter("198.51.100.7", 0.0).bytes.reserve(1e6, 0.0)
    socket.budget.comes_from("198.51.100.7")
    socket.dataReceived((frame(b"x" * (OWN_BYTES - 999)) + frame(b"x" * 9999)) * 3)
    assert socket.application_queue.qsize() == 1
    assert len(socket.data) > 2 * OWN_BYTES


@pytest.mark.parametrize("why", ["held", "messages_wait"])
def test_who_is_not_read_need_not_answer_a_ping(socket: DeviceSocket, why: str) -> None:
    socket.server = SimpleNamespace(websocket_timeout=-1, ping_interval=20.0)
    socket.socket_opened, socket.last_ping = time.time(), time.time() - 100
    socket._sendAutoPing = Mock()
    setattr(socket, why, True)
    socket.check_timeouts()
    assert not socket._sendAutoPing.called
    setattr(socket, why, False)
    socket.last_ping = time.time() - 100
    socket.check_timeouts()
    assert socket._sendAutoPing.called


def test_a_ping_that_was_sent_before_is_not_waited_for(socket: DeviceSocket) -> None:
    pending = socket.autoPingTimeoutCall = Mock()
    socket.pause()
    assert pending.cancel.called
    assert socket.autoPingTimeoutCall is None


def test_a_socket_that_is_closed_meanwhile_is_not_read_on(
    in_debt: DeviceSocket, clock: SimpleNamespace, later: Later
) -> None:
    in_debt.state = in_debt.STATE_CLOSED
    clock.now += 60
    later.pop()()
    assert not is_read(in_debt)
    assert later == []


def test_when_the_server_goes_all_that_was_sent_is_read(
    in_debt: DeviceSocket, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Entrance, "is_open", False)
    monkeypatch.setattr(in_debt, "sendCloseFrame", Mock())
    in_debt.dataReceived(frame(b"last words"))
    in_debt.go_away()
    assert is_read(in_debt)
    assert in_debt.application_queue.qsize() == 2
    in_debt.onMessage(b"x" * 60_000, False)
    assert is_read(in_debt)


def test_what_waits_in_its_bytes_is_read_as_well_when_the_server_goes(
    socket: DeviceSocket, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "sendCloseFrame", Mock())
    socket.dataReceived(b"".join(frame(b"%d" % number) for number in range(1900)))
    monkeypatch.setattr(Entrance, "is_open", False)
    socket.go_away()
    assert socket.application_queue.qsize() == 1900


def test_pings_are_paid_for_as_well(
    socket: DeviceSocket, clock: SimpleNamespace, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QuickSocket, "onFrameBegin", lambda _: None)
    rate_limits.places.enter("198.51.100.7", 0.0).bytes.reserve(1e6, 0.0)
    socket.budget.comes_from("198.51.100.7")
    socket.current_frame = SimpleNamespace(opcode=9, fin=True)
    for _ in range(OWN_BYTES // MESSAGE_OVERHEAD + 1):
        socket.onFrameBegin()
    assert not is_read(socket)
