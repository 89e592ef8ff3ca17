"""Everybody who has no business here, at a collector at home: nothing is set, and a device beside
them loses nothing."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.frames import delta
from tests.support.knocking import beside, closed, counted, dial, knock, power, rows
from tests.support.rubbish import TEXT, USUAL, asking, wire
from tests.support.servers import PATIENCE_S, Server, running, serve, until

KB = 1024
ASIDE = (
    "/",
    "//ws",
    "/WS",
    "/ws2",
    "/ws/a/b",
    "/ws/../admin/",
    "/x/../ws",
    "/%2e%2e/ws",
    "/ws%00",
    "/ws%0a/x/",
    "/admin/",
    "/?x=/ws",
)


@pytest.fixture(scope="module")
def server(
    ready_sqlite: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("home")
    with running(serve(ready_sqlite(folder), folder)) as server:
        with beside(server, "good"):
            yield server
        assert "Traceback" not in server.output
        assert " ERROR " not in server.output


def test_a_page_on_the_internet_cannot_write_into_a_collector_at_home(server: Server) -> None:
    for origin in ("https://evil.example", "null", "file://", "http://127.0.0.1"):
        assert knock(server, Origin=origin) == 403, origin


def test_a_shelly_gets_in(server: Server) -> None:
    assert knock(server, Origin="https://mongoose-os.com") == 101
    assert knock(server, Origin="") == 101
    assert knock(server, Origin=" ") == 101
    assert knock(server) == 101


def test_no_other_way_leads_to_the_socket(server: Server) -> None:
    for path in ASIDE:
        assert knock(server, path) == 403, path


def test_a_socket_speaks_for_one_device(server: Server) -> None:
    with dial(server) as thief:
        thief.send(power("thief", 50.0))
        for _ in range(10):
            thief.send(power("stolen", 999.0))
        assert closed(thief) == 4001
    until(lambda: ("thief", 50.0) in rows(server))
    assert "stolen" not in [device_id for device_id, _ in rows(server)]


def test_who_sends_more_than_anybody_could_say_is_told_so_and_cut_off(server: Server) -> None:
    with dial(server) as flood:
        with suppress(ConnectionClosed):
            for _ in range(20_000):
                flood.send(delta(None, "flood", switch_0={"voltage": 230.1}))
        # None: it was still speaking a second later, and the line was cut before it listened.
        assert closed(flood) in (1008, None)
    until(lambda: "more than 200 frames a second" in server.output)


@pytest.mark.parametrize(("size", "code"), [(64 * KB, None), (64 * KB + 1, 1009)])
def test_a_message_has_sixty_four_kb(server: Server, size: int, code: int | None) -> None:
    with dial(server) as device:
        device.send(power("long", 10.0).ljust(size))
        if code:
            assert closed(device) == code
        else:
            assert device.ping().wait(PATIENCE_S)


def test_json_in_a_binary_message_is_called_binary_and_text_keeps_its_word(server: Server) -> None:
    frame, before = power("binary", 10.0).encode(), counted(server, "bad frames")
    with dial(server) as device:
        for message in (frame, b"", b"\x82\xa3src", [frame[:9], frame[9:]]):
            device.send(message)
        device.send("this is no frame")
        device.send(b"nor is this \xff", text=True)
        assert device.ping().wait(PATIENCE_S)
    until(lambda: counted(server, "bad frames") - before == {"binary": 4, "not JSON": 2})
    assert "no frame (binary)" in server.output


def test_who_shakes_hands_slowly_keeps_nobody_out(server: Server) -> None:
    handshake = asking(*USUAL)
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
    for number, line in enumerate(slow):
        line.sendall(handshake[: number % len(handshake)])
    assert knock(server) == 101
    for line in slow:
        line.close()


def test_a_crowd_of_invented_ids_is_a_crowd_of_sockets_and_no_more(server: Server) -> None:
    with ExitStack() as sockets:
        for number in range(100):
            invented = sockets.enter_context(dial(server))
            invented.send(power(f"invented-{number}", 3.0))
        until(lambda: int(server.status()["devices connected"]) >= 100)
    until(lambda: int(server.status()["devices connected"]) < 100)


def test_pieces_of_nothing_without_end_are_frames_too(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as line:
        line.sendall(asking(*USUAL))
        assert line.recv(1000).startswith(b"HTTP/1.1 101")
        with suppress(ConnectionError):
            line.sendall(wire(TEXT, b"", fin=False) + wire(0, b"", fin=False) * 5000)
            while line.recv(65_536):
                pass
