"""A device's socket without a server, with a clock and a transport that are the test's own."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from autobahn.websocket.protocol import TrafficStats

from powerlog.server import flow_control, rate_limits
from powerlog.server.device_socket import DeviceSocket

Later = list[Callable[[], None]]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """What is to be done later; calling it is left to the test."""
    calls: Later = []
    monkeypatch.setattr(flow_control.reactor, "callLater", lambda delay_s, call: calls.append(call))
    return calls


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)  # when the socket opened
    later = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
    for module in (rate_limits, flow_control):
        monkeypatch.setattr(module, "time", later)
    return clock


@pytest.fixture
def socket() -> DeviceSocket:
    socket = DeviceSocket()
    socket.state = socket.STATE_OPEN
    socket.client_addr = ["198.51.100.7", 4711]
    socket.application_queue = asyncio.Queue()
    socket.transport = Mock()
    # As Autobahn has them from the connection on.
    socket.data, socket.inside_message, socket.current_frame = b"", False, None
    socket.logOctets, socket.trafficStats = False, TrafficStats()
    socket.autoPingInterval = socket.autoPingPendingCall = None
    return socket


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


def is_read(socket: DeviceSocket) -> bool:
    """What the transport was told last, if anything."""
    told = [name for name, *_ in socket.transport.mock_calls if name.endswith("Producing")]
    return told[-1:] != ["pauseProducing"]
