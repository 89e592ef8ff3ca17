"""Where connections arrive: how many an address has, and what an access log shows."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from powerlog.devices.connections import traffic
from powerlog.log_once import once
from powerlog.server.connection_limits import TOO_MANY
from powerlog.server.daphne_server import CollectorServer
from powerlog.server.device_socket import DeviceSocket
from powerlog.server.listener import Entrance
from powerlog.server.speed_patches import QuickSocket


@pytest.fixture
def entrance() -> Entrance:
    assert len(Entrance.gate.tally) == 0
    once._said.clear()
    return Entrance(Mock())


def test_a_public_address_has_so_many_connections_and_one_line_in_the_log(
    entrance: Entrance, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MAX_CONNECTIONS_PER_ADDRESS = 3
    before = traffic.refused[TOO_MANY]
    stranger = SimpleNamespace(host="8.8.4.4")
    made = [entrance.buildProtocol(stranger) for _ in range(5)]
    assert made[3:] == [None, None]
    assert traffic.refused[TOO_MANY] - before == 2
    assert caplog.messages == ["8.8.4.4 is refused: too many from one address"]
    for protocol in made[:3]:
        protocol.connectionLost(Failure(ConnectionDone()))
    assert len(Entrance.gate.tally) == 0


def test_a_connection_that_became_a_websocket_is_counted_until_it_is_lost(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = DeviceSocket()
    socket.transport = Mock()
    monkeypatch.setattr(QuickSocket, "connectionLost", lambda *_: None)
    entrance.buildProtocol(SimpleNamespace(host="8.8.4.4"))
    socket.transport.getPeer.return_value = SimpleNamespace(host="8.8.4.4")
    socket.connectionLost("gone")
    assert len(Entrance.gate.tally) == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "192.168.1.7"])
def test_a_hundred_devices_of_the_same_house_are_not_counted(
    entrance: Entrance, settings: Any, host: str
) -> None:
    settings.MAX_CONNECTIONS_PER_ADDRESS = 1
    assert all(entrance.buildProtocol(SimpleNamespace(host=host)) for _ in range(100))


def test_behind_a_proxy_all_of_them_come_from_the_proxy(entrance: Entrance, settings: Any) -> None:
    settings.BEHIND_PROXY, settings.MAX_CONNECTIONS_PER_ADDRESS = True, 1
    assert all(entrance.buildProtocol(SimpleNamespace(host="8.8.4.4")) for _ in range(9))


@pytest.mark.parametrize(
    ("protocol", "path", "shown"),
    [
        ("websocket", "/ws/s3cret", "/ws…"),
        ("websocket", "/ws", "/ws…"),
        ("websocket", "/s3cret", "…"),
        ("websocket", "/s3cret/ws", "…"),
        ("http", "/ws/s3cret", "/ws…"),
        ("http", "//WS/s3cret", "//ws…"),
        ("http", "/%77s/s3cret", "/ws…"),
        ("http", "/dashboard/", "/dashboard/"),
    ],
)
def test_daphnes_access_log_shows_no_token(protocol: str, path: str, shown: str) -> None:
    told, log = Mock(), CollectorServer.log_action
    log(SimpleNamespace(action_logger=told), protocol, "complete", {"path": path})
    assert told.call_args.args[2]["path"] == shown
    log(SimpleNamespace(action_logger=None), protocol, "complete", {})
