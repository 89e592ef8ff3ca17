"""What never comes to its end, at a real server whose limits are a second long."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from powerlog.server.deadlines import MAX_PIECES, PromptSocket
from tests.support.frames import delta
from tests.support.knocking import beside, closed, counted, dial, power
from tests.support.rubbish import PONG, TEXT, USUAL, asking, but, wire
from tests.support.servers import PATIENCE_S, Server, daphne, running, until

PAGE = asking("Host: x", line="GET / HTTP/1.1")
LONG = b"Content-Length: 1000\r\n\r\n"
POST = b"POST /admin/login/ HTTP/1.1\r\nHost: x\r\n"
UPGRADE = asking(*USUAL)
STATUS = power("slow", 430.0).encode()
EVERY_S = 0.05


@pytest.fixture(scope="module")
def server(
    ready_sqlite: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("hurried")
    with running(
        daphne(ready_sqlite(folder), folder, "tests.support.hurried_asgi:application")
    ) as server:
        with beside(server, "good"):
            yield server
        assert "Traceback" not in server.output
        assert " ERROR " not in server.output


@contextmanager
def trickling(server: Server, first: bytes, pieces: Iterator[bytes]) -> Iterator[socket.socket]:
    """A connection that says one thing, and then a piece now and then, until it is cut off."""
    ended = threading.Event()

    def trickle() -> None:
        try:
            for piece in pieces:
                line.sendall(piece)
                if ended.wait(EVERY_S):
                    return
        except OSError:
            return

    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall(first)
        thread = threading.Thread(target=trickle)
        thread.start()
        yield line
        ended.set()
        thread.join()


def heard_until_cut_off(line: socket.socket) -> bytes:
    """What it is answered until its connection ends. Fails where it does not."""
    heard, deadline = b"", time.monotonic() + PATIENCE_S
    try:
        while more := line.recv(65_536):
            heard += more
            assert time.monotonic() < deadline, "it is still connected"
    except ConnectionError:
        pass
    return heard


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"G"),
        (b"GET / HT", b"T"),
        (b"GET / HTTP/1.1\r\nHost: ", b"x"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"a: b\r\n"),
        (POST + LONG, b"x"),
        (POST + b"Expect: 100-continue\r\n" + LONG, b"x"),
        (UPGRADE[:-2], b"a: b\r\n"),
        (but("Content-Length: 1000"), b"x"),
        (PAGE + PAGE[:-2], b"a: b\r\n"),
        (PAGE + POST + LONG, b"x"),
    ],
    ids=[
        "nothing but a line",
        "a line",
        "a header",
        "headers",
        "a body",
        "a body that was asked for",
        "an upgrade",
        "an upgrade's body",
        "the headers of a second request",
        "the body of a second request",
    ],
)
def test_a_request_that_trickles_is_cut_off(server: Server, first: bytes, piece: bytes) -> None:
    with trickling(server, first, cycle([piece])) as line:
        heard = heard_until_cut_off(line)
    assert heard.count(b"HTTP/1.1 200 OK") == first.count(PAGE)


def test_a_connection_without_a_request_ends(server: Server) -> None:
    with trickling(server, b"", iter([])) as line:
        assert heard_until_cut_off(line) == b""
    with trickling(server, PAGE, iter([])) as line:
        assert heard_until_cut_off(line).startswith(b"HTTP/1.1 200 OK")


def test_a_connection_whose_requests_come_whole_is_kept(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as line:
        began = time.monotonic()
        while time.monotonic() < began + 2.5:  # longer than a single request may take
            line.sendall(PAGE[:9])
            line.sendall(PAGE[9:])
            assert line.recv(65_536).startswith(b"HTTP/1.1 200 OK")


def pieces() -> Iterator[bytes]:
    yield wire(TEXT, STATUS[:9], fin=False)
    while True:
        yield wire(0, b" ", fin=False)


def alive() -> bytes:
    return wire(PONG, b"")


@pytest.mark.parametrize(
    "sent",
    [
        pieces,
        lambda: (each + alive() for each in pieces()),
        lambda: (bytes([each]) for each in wire(TEXT, STATUS * 9)),
        lambda: (bytes([each]) for each in wire(PONG, b"x" * 125)),
        lambda: iter([b"\x81"]),
    ],
    ids=["pieces", "with pongs between", "bytes", "bytes of a pong", "one byte"],
)
def test_a_message_that_never_ends_ends_its_connection(
    server: Server, sent: Callable[[], Iterator[bytes]]
) -> None:
    first = UPGRADE + wire(TEXT, STATUS)  # so that this is no question of the first frame
    before = counted(server, "bad frames")
    with trickling(server, first, sent()) as line:
        heard_until_cut_off(line)
    until(lambda: counted(server, "bad frames") - before == {"too many or too slow": 1})
    assert "cut off (1008), a message of more than 1 s" in server.output


def test_messages_in_pieces_that_do_end_go_on_for_ever(server: Server) -> None:
    begin, end = wire(TEXT, STATUS[:9], fin=False), wire(0, STATUS[9:])
    before = int(server.status()["frames"])
    with trickling(server, UPGRADE + begin, cycle([end + begin])):
        until(lambda: int(server.status()["frames"]) - before > 5 / EVERY_S)


def nothing() -> Iterator[bytes]:
    return cycle([alive()])


def rubbish() -> Iterator[bytes]:
    yield wire(TEXT, b"this is no frame")
    yield from nothing()


def binary() -> Iterator[bytes]:
    yield wire(2, STATUS)
    yield from nothing()


def more_rubbish() -> Iterator[bytes]:
    return cycle([wire(TEXT, delta(None, "").encode())])


@pytest.mark.parametrize("sent", [nothing, rubbish, binary, more_rubbish])
def test_only_a_frame_of_a_device_keeps_a_socket_open(
    server: Server, sent: Callable[[], Iterator[bytes]]
) -> None:
    before = counted(server, "refused")
    with trickling(server, UPGRADE, sent()) as line:
        assert b"\x88\x02\x0f\xa2" in heard_until_cut_off(line)
    assert counted(server, "refused") - before == {"no frame of a device": 1}
    assert "127.0.0.1 is cut off: no frame of a device" in server.output


def test_one_frame_is_enough(server: Server) -> None:
    with dial(server) as device, dial(server) as late:
        device.send(power("short", 430.0))
        assert closed(late) == 4002
        assert device.ping().wait(PATIENCE_S)


def test_none_of_them_holds_up_the_end(ready_sqlite: Callable[[Path], str], tmp_path: Path) -> None:
    half = [b"", PAGE[:-2], POST + LONG, PAGE + PAGE[:-2], UPGRADE[:-2], but("Content-Length: 9")]
    half += [UPGRADE, UPGRADE + b"\x81", UPGRADE + wire(TEXT, STATUS, fin=False)]
    with running(daphne(ready_sqlite(tmp_path), tmp_path)) as server, ExitStack() as lines:
        for first in half:
            trickle = lines.enter_context(trickling(server, first, cycle([b"x"])))
            trickle.settimeout(PATIENCE_S)
        with dial(server) as device:
            device.send(power("quick", 430.0))
            assert server.stop() == 0
            assert closed(device) == 1001
        assert [row[2] for row in server.rows()] == [430.0]
        assert "Traceback" not in server.output


def test_pieces_of_a_message_are_joined() -> None:
    socket = PromptSocket()
    socket.failedByMe, socket.websocket_version = False, 13
    socket.maxMessagePayloadSize = socket.maxFramePayloadSize = 65_536
    socket.onMessageBegin(False)
    for _ in range(100):
        socket.onMessageFrameBegin(100)
        for _ in range(100):
            socket.onMessageFrameData(b"x")
            assert len(socket.frame_data) <= MAX_PIECES
        socket.onMessageFrameEnd()
        assert len(socket.message_data) <= MAX_PIECES
    assert b"".join(socket.message_data) == b"x" * 10_000
