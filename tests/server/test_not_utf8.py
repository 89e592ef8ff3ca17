"""Texts that are not UTF-8, on real sockets: taken as far as they can be read, and counted."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection

from tests.support.frames import delta, full, text
from tests.support.knocking import dial, rows
from tests.support.servers import PATIENCE_S, Server, running, serve, until

LATIN_1, CUT = b"Caf\xe9", b"Pumpe \xf0\x9f\x92"


@pytest.fixture(scope="module")
def server(
    ready_sqlite: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("texts")
    with running(serve(ready_sqlite(folder), folder)) as server:
        yield server
        assert "Traceback" not in server.output
        assert " ERROR " not in server.output


def within(message: str, owners: bytes) -> bytes:
    """The message with this text of its owner's in it."""
    assert "OWNERS" in message
    return message.encode().replace(b"OWNERS", owners)


def status(device_id: str, watts: float) -> str:
    wifi = {"sta_ip": "198.51.100.7", "ssid": "OWNERS"}
    return full(time.time(), device_id, switch_0={"apower": watts}, wifi=wifi)


def change(device_id: str, watts: float) -> str:
    return delta(time.time(), device_id, switch_0={"apower": watts, "source": "OWNERS"})


def not_utf8(server: Server) -> int:
    return int(server.status()["frames not UTF-8"])


@pytest.mark.parametrize("owners", [LATIN_1, CUT, b"\xff", b"\xc0\xaf", b"\xed\xa0\x80"])
@pytest.mark.parametrize("message", [status, change])
@pytest.mark.parametrize("size", [2**16, 50, 1])
def test_the_readings_beside_such_a_text_are_taken_and_the_socket_stays(
    server: Server, owners: bytes, message: Callable[[str, float], str], size: int
) -> None:
    device_id, before = f"cut-{message.__name__}-{owners.hex()}-{size}", not_utf8(server)
    sent = within(message(device_id, 430.0), owners)
    pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
    with dial(server) as device:
        device.send(pieces[0] if len(pieces) == 1 else pieces, text=True)
        assert device.ping().wait(PATIENCE_S)
        until(lambda: (device_id, 430.0) in rows(server))
    assert not_utf8(server) == before + 1


def test_a_connection_has_one_line_in_the_log_however_often_it_sends_one(server: Server) -> None:
    before, bad = not_utf8(server), server.status()["bad frames"]
    with dial(server) as device:
        for _ in range(10):
            device.send(within(change("talks-latin-1", 430.0), LATIN_1), text=True)
        until(lambda: not_utf8(server) == before + 10)
    lines = [line for line in server.output.splitlines() if "talks-latin-1" in line]
    assert len([line for line in lines if "not UTF-8" in line]) == 1
    assert server.status()["bad frames"] == bad
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=PATIENCE_S) as response:
        told = response.read().decode()
    assert f'collector_frames_not_utf8_total{{process="1"}} {before + 10:.1f}' in told


def answers(device: ClientConnection, device_id: str, results: dict[str, bytes]) -> None:
    """Answer each of these requests once, and every other one with an error."""
    while results:
        request = json.loads(device.recv(PATIENCE_S))
        result = results.pop(request["method"], None)
        answer = {"id": request["id"], "src": device_id, "dst": request["src"]}
        if result is None:
            device.send(text(**answer, error={"code": 404, "message": "No handler"}))
        else:
            device.send(text(**answer, result=0).encode()[:-2] + result + b"}", text=True)


def names(server: Server, table: str, device_id: str) -> list[tuple[str]]:
    query = f"SELECT reported_name FROM {table} WHERE device_id = '{device_id}' ORDER BY 1"
    with server.connect() as connection:
        return connection.execute(query).fetchall()


def test_a_name_that_ends_within_a_character_ends_before_it(server: Server) -> None:
    device_id = "named-by-its-owner"
    metered = b'{"switch:0":{"apower":3},"switch:1":{"apower":4},"switch:2":{"apower":0}}'
    config = b'{"switch:0":{"name":"%s"},"switch:1":{"name":"K\xfcche"},"switch:2":{"name":"\xff"}}'
    with dial(server) as device:
        answers(
            device,
            device_id,
            {
                "Shelly.GetStatus": metered,
                "Shelly.GetDeviceInfo": b'{"name":"%s","app":"Pro4PM"}' % CUT,
                "Shelly.GetConfig": config % CUT,
            },
        )
        until(lambda: names(server, "devices", device_id) == [("Pumpe",)])
        channels = [("",), ("K\ufffdche",), ("Pumpe",)]
        until(lambda: names(server, "channels", device_id) == channels)
