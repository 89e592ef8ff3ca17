"""What a device's socket is ended for, and what it keeps to itself."""

import pytest

from powerlog.server.device_socket import DeviceSocket


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
