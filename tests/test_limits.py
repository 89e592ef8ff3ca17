"""What a connection holds in memory, as far as it can be seen without a server."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import settings as configured

from powerlog.entry import limits
from powerlog.entry.limits import (
    BURST_S,
    MAX_WAITING,
    MESSAGE_OVERHEAD,
    DeviceSocket,
    PageRequest,
)

Later = list[Callable[[], None]]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """What is to be done later; calling it is left to the test."""
    calls: Later = []
    monkeypatch.setattr(limits.reactor, "callLater", lambda delay_s, call: calls.append(call))
    return calls


@pytest.fixture
def socket() -> DeviceSocket:
    socket = DeviceSocket()
    socket.state = socket.STATE_OPEN
    socket.client_addr = ["198.51.100.7", 4711]
    socket.application_queue = asyncio.Queue()
    socket.transport = Mock()
    return socket


def is_read(socket: DeviceSocket) -> bool:
    """What the transport was told last, if anything."""
    told = [name for name, *_ in socket.transport.mock_calls if name.endswith("Producing")]
    return told[-1:] != ["pauseProducing"]


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


def test_texts_weigh_what_python_makes_of_them(socket: DeviceSocket, later: Later) -> None:
    text = "\U0001f4a1".encode().ljust(1000)
    for _ in range(MAX_WAITING // (4000 + MESSAGE_OVERHEAD)):
        socket.onMessage(text, False)
    assert is_read(socket)
    socket.onMessage(text, False)
    assert not is_read(socket)


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


@pytest.mark.parametrize("state", [DeviceSocket.STATE_CLOSING, DeviceSocket.STATE_CLOSED])
def test_what_is_said_to_a_socket_that_has_just_been_closed_is_lost_without_a_word(
    socket: DeviceSocket, state: int
) -> None:
    socket.state = state
    socket.handle_reply({"type": "websocket.send", "text": "Shelly.GetStatus"})
    assert not socket.transport.mock_calls


@pytest.fixture
def page() -> PageRequest:
    """A request for a page whose answer has begun."""
    request = PageRequest(Mock(), False)
    request.registerProducer = request.unregisterProducer = Mock()
    request._response_started = True
    return request


def is_cut_off(page: PageRequest) -> bool:
    return page.channel.transport.abortConnection.called


async def test_an_answer_waits_until_what_was_said_of_it_is_read(page: PageRequest) -> None:
    await page.wait_for_reader()  # the transport has taken everything so far
    page.pauseProducing()
    waiting = asyncio.ensure_future(page.wait_for_reader())
    await asyncio.sleep(0)
    assert not waiting.done()
    page.resumeProducing()
    await waiting
    assert not is_cut_off(page)


async def test_who_goes_while_an_answer_waits_is_not_waited_for(page: PageRequest) -> None:
    page.pauseProducing()
    waiting = asyncio.ensure_future(page.wait_for_reader())
    await asyncio.sleep(0)
    page.stopProducing()
    waiting.cancel()  # as Django does then, at the same moment
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_reader_that_takes_nothing_for_long_is_cut_off(
    page: PageRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "READER_LIMIT_S", 0.01)
    page.pauseProducing()
    await page.wait_for_reader()
    assert is_cut_off(page)


@pytest.mark.parametrize("finished", [0, 1])
async def test_an_answer_whose_end_was_never_said_is_cut_off(
    page: PageRequest, finished: int
) -> None:
    page.finished = finished
    page.answered(asyncio.get_running_loop().create_future())
    assert is_cut_off(page) is not bool(finished)
    page.channel = None  # the connection is lost
    page.answered(asyncio.get_running_loop().create_future())


def test_a_warning_about_a_socket_does_not_show_what_it_dialled(socket: DeviceSocket) -> None:
    socket.path = b"/ws/s3cret"
    assert repr(socket) == "<WebSocket of ['198.51.100.7', 4711]>"


BURST = int(BURST_S * configured.MAX_FRAMES_PER_S)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)  # when the socket opened
    later = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
    monkeypatch.setattr(limits, "time", later)
    return clock


@pytest.fixture
def cut(socket: DeviceSocket, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Codes and reasons with which the socket was closed."""
    told: list[tuple[int, str]] = []

    def send_close(code: int, reasonUtf8: bytes, isReply: bool) -> None:
        socket.state = socket.STATE_CLOSING
        told.append((code, reasonUtf8.decode()))

    socket.failedByMe = False
    monkeypatch.setattr(socket, "sendCloseFrame", send_close)
    return told


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
    monkeypatch.setattr(limits.QuickSocket, "onFrameBegin", lambda _: None)
    for number in range(BURST + 1):
        ping = SimpleNamespace(opcode=9, fin=True)
        piece = SimpleNamespace(opcode=1, fin=False)
        socket.current_frame = ping if number % 2 else piece
        socket.onFrameBegin()
    assert [code for code, _ in cut] == [1008]


def test_a_whole_message_is_counted_once_whichever_way_it_is_read(
    socket: DeviceSocket, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits.QuickSocket, "onFrameBegin", lambda _: None)
    socket.current_frame = SimpleNamespace(opcode=1, fin=True)
    socket.onFrameBegin()
    assert socket.left == BURST
