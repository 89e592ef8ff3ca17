"""What a device's socket is ended for, and what it keeps to itself."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from powerlog.entry.device_socket import FIRST_FRAME_S, DeviceSocket


@pytest.mark.parametrize("state", [DeviceSocket.STATE_CLOSING, DeviceSocket.STATE_CLOSED])
def test_what_is_said_to_a_socket_that_has_just_been_closed_is_lost_without_a_word(
    socket: DeviceSocket, state: int
) -> None:
    socket.state = state
    socket.handle_reply({"type": "websocket.send", "text": "Shelly.GetStatus"})
    assert not socket.transport.mock_calls


def test_a_warning_about_a_socket_does_not_show_what_it_dialled(socket: DeviceSocket) -> None:
    socket.path = b"/ws/s3cret"
    assert repr(socket) == "<WebSocket of ['198.51.100.7', 4711]>"


@pytest.mark.parametrize(
    ("speaks", "since_s", "ended"),
    [(False, 0, 0), (False, FIRST_FRAME_S + 1, 1), (True, FIRST_FRAME_S + 1, 0)],
)
def test_who_never_says_a_word_is_ended_after_a_minute(
    socket: DeviceSocket, cut: list[Any], speaks: bool, since_s: float, ended: int
) -> None:
    socket.socket_opened, socket.last_ping = time.time() - since_s, time.time()
    socket.server = SimpleNamespace(websocket_timeout=-1, ping_interval=1e9)
    if speaks:
        socket.onMessage(b"{}", False)
    socket.check_timeouts()
    assert cut == ended * [(1008, "no message for 60 s")]
