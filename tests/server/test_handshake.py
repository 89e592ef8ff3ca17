"""What comes with a handshake and right after it, before it is answered, on real sockets."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pytest
from daphne.ws_protocol import WebSocketFactory
from twisted.internet.testing import StringTransport

from powerlog.server.device_socket import MAX_MESSAGE, DeviceSocket
from powerlog.server.handshake import MAX_EARLY
from tests.support.frames import full, meter
from tests.support.knocking import counted, power, rows
from tests.support.rubbish import HANDSHAKES, MASK, TEXT, USUAL, asking, but, masked, wire
from tests.support.servers import PATIENCE_S, Server, daphne, running, until

HANDSHAKE = asking(*USUAL)
LINE_BREAKS = b"\r\n\r\n"


@pytest.fixture(scope="module")
def server(
    ready_sqlite: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("handshakes")
    with running(daphne(ready_sqlite(folder), folder)) as server:
        yield server
        assert "Traceback" not in server.output
        assert " ERROR " not in server.output


def says(server: Server, *pieces: bytes) -> bytes:
    """What is answered to these pieces, all sent at once or as soon as the one before is."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            line.sendall(piece)
        line.sendall(wire(8, b"\x03\xe8"))
        answer = b""
        with suppress(ConnectionError):
            while more := line.recv(65_536):
                answer += more
        return answer


def head(server: Server, sent: bytes) -> str:
    """The head of the answer to this."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as line:
        line.sendall(sent)
        answer = b""
        while LINE_BREAKS not in answer:
            answer += line.recv(65_536)
        return answer.decode("latin-1")


def frame(device_id: str, watts: float = 430.0, channel: str = "switch:0") -> bytes:
    return wire(TEXT, power(device_id, watts).replace("switch:0", channel).encode())


def has_row(server: Server, device_id: str, watts: float = 430.0) -> bool:
    return (device_id, watts) in rows(server)


def test_a_frame_in_the_packet_of_its_handshake_is_taken(server: Server) -> None:
    assert says(server, HANDSHAKE + frame("hasty")).startswith(b"HTTP/1.1 101")
    until(lambda: has_row(server, "hasty"))


def test_frames_that_do_not_wait_for_the_answer_are_taken(server: Server) -> None:
    sent = [frame(f"hurried-{number}") for number in range(20)]
    for number, each in enumerate(sent):
        says(server, HANDSHAKE, each[: 2 * number], each[2 * number :])
    until(lambda: all(has_row(server, f"hurried-{number}") for number in range(20)))


def test_frames_after_a_page_on_the_same_connection_are_taken(server: Server) -> None:
    page = asking("Host: x", line="GET / HTTP/1.1")
    assert b"HTTP/1.1 101" in says(server, page + HANDSHAKE + frame("pipelined"))
    until(lambda: has_row(server, "pipelined"))


def test_frames_after_a_handshake_that_has_a_body_are_taken(server: Server) -> None:
    body = frame("bodied")
    handshake = but(f"Content-Length: {len(body)}", body=body)
    assert says(server, handshake + frame("bodied", 440.0, "switch:1")).startswith(b"HTTP/1.1 101")
    until(lambda: has_row(server, "bodied", 440.0))
    assert has_row(server, "bodied")


def test_megabytes_that_do_not_wait_for_the_answer_are_all_taken(server: Server) -> None:
    before = int(server.status()["frames"])
    long = full(time.time(), "talkative", switch_0=meter(430.0)).ljust(MAX_MESSAGE - 1000)
    last = frame("talkative", 440.0, "switch:1")
    answer = says(server, HANDSHAKE + wire(TEXT, long.encode()) * 60 + last)
    assert answer.startswith(b"HTTP/1.1 101")
    assert answer.endswith(b"\x88\x02\x03\xe8")
    until(lambda: has_row(server, "talkative", 440.0))
    assert int(server.status()["frames"]) == before + 61


def test_a_mask_that_makes_line_breaks_of_a_frame_does_not_fail_the_handshake(
    server: Server,
) -> None:
    text = power("masked", 430.0).encode()
    mask = bytes(a ^ b for a, b in zip(text[8:12], LINE_BREAKS, strict=True))
    key = int.from_bytes((mask * 40)[: len(text)], "big")
    payload = (int.from_bytes(text, "big") ^ key).to_bytes(len(text), "big")
    assert LINE_BREAKS in payload
    sent = wire(TEXT, text).replace(MASK + masked(text), mask + payload)
    assert says(server, HANDSHAKE + sent).startswith(b"HTTP/1.1 101")
    assert says(server, HANDSHAKE, sent).startswith(b"HTTP/1.1 101")
    until(lambda: has_row(server, "masked"))


@pytest.fixture
def unanswered() -> Iterator[DeviceSocket]:
    """A socket whose application has not accepted it yet."""
    server = Mock(root_path="", proxy_forwarded_address_header=None)
    server.create_application.return_value = asyncio.Queue()
    factory = WebSocketFactory(server)
    factory.protocol = DeviceSocket
    socket = factory.buildProtocol(None)
    socket._raw_query_string = b""
    transport = StringTransport()
    transport.registerProducer(socket, True)
    socket.makeConnection(transport)
    socket.dataReceived(HANDSHAKE)
    yield socket
    if socket.openHandshakeTimeoutCall:
        socket.openHandshakeTimeoutCall.cancel()


def test_no_more_is_read_than_is_kept_until_the_answer(unanswered: DeviceSocket) -> None:
    piece = wire(TEXT, b"x" * (MAX_EARLY // 4))
    for _ in range(3):
        unanswered.dataReceived(piece)
        assert unanswered.transport.producerState == "producing"
    unanswered.dataReceived(piece)
    assert unanswered.transport.producerState == "paused"
    unanswered.handle_reply({"type": "websocket.accept"})
    assert unanswered.transport.producerState == "producing"
    assert unanswered.application_queue.qsize() == 1 + 4  # the connection, and what it says


def refused(server: Server) -> Counter[str]:
    return counted(server, "refused")


BAD = ("HTTP/1.1 4", "a bad handshake")
UNREADABLE = ("HTTP/1.1 400", "no HTTP request")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("no key", BAD),
        ("two keys", BAD),
        ("a short key", BAD),
        ("no version", BAD),
        ("the version 99", BAD),
        ("a version that is text", BAD),
        ("no host", BAD),
        ("no connection header", BAD),
        ("a connection that is kept", BAD),
        ("an upgrade to something else", BAD),
        ("an upgrade by POST", BAD),
        ("a whole address", BAD),
        ("a fragment", BAD),
        ("a query that is not ASCII", BAD),
        ("a subprotocol that is not ASCII", BAD),
        ("a subprotocol twice", BAD),
        ("an origin that is none", BAD),
        ("an origin that is not ASCII", BAD),
        ("a compression of nonsense", BAD),
        ("a path that is not ASCII", UNREADABLE),
        ("a header with a NUL", UNREADABLE),
        ("a header without a colon", UNREADABLE),
        ("SSH", UNREADABLE),
    ],
)
def test_a_handshake_that_fails_is_counted_once(
    server: Server, name: str, answer: tuple[str, str]
) -> None:
    before = refused(server)
    assert head(server, HANDSHAKES[name]).startswith(answer[0])
    until(lambda: refused(server) - before == {answer[1]: 1})
    assert server.output.count(f"127.0.0.1 is refused: {answer[1]}\n") >= 1  # once a minute
    assert refused(server) - before == {answer[1]: 1}


@pytest.mark.parametrize(
    ("origins", "status"),
    [
        (["Origin: "], "101"),
        (["Origin:\t "], "101"),
        (["Origin: ", "Origin: "], "101"),
        (["Origin: ", "Origin: http://evil.example"], "400"),
        (["Origin: http://evil.example", "Origin: "], "403"),
        (["Origin: null"], "403"),
    ],
)
def test_an_empty_origin_is_none_and_hides_no_other(
    server: Server, origins: list[str], status: str
) -> None:
    assert head(server, but(*origins)).startswith(f"HTTP/1.1 {status}")


def test_what_fails_is_in_no_log(server: Server) -> None:
    for sent in (
        asking(*USUAL, line="GET /ws/t0ken#x HTTP/1.1"),
        asking(*USUAL, line="GET http://[::1/ws/t0ken HTTP/1.1"),
        but("Sec-WebSocket-Key: t0ken"),
        but("Upgrade: t0ken", line="GET /ws/t0ken HTTP/1.1"),
    ):
        assert head(server, sent).startswith("HTTP/1.1 4")
    assert "t0ken" not in server.output


def test_pages_and_sockets_that_open_are_not_refused(server: Server) -> None:
    before = refused(server)
    for line in ("GET / HTTP/1.1", "GET /nowhere HTTP/1.1", "GET /wsx HTTP/1.1"):
        head(server, asking("Host: x", line=line))
    assert head(server, HANDSHAKE).startswith("HTTP/1.1 101")
    head(server, asking("Host: é", line="GET /dashboard/ HTTP/1.1"))
    assert refused(server) == before


def test_an_open_socket_has_forgotten_its_handshake(unanswered: DeviceSocket) -> None:
    held = [unanswered.clean_headers, unanswered.http_headers, unanswered.websocket_protocols]
    unanswered.websocket_protocols.append("json-rpc")
    scope = unanswered.server.create_application.call_args.args[1]
    assert scope["headers"] is unanswered.clean_headers
    unanswered.handle_reply({"type": "websocket.accept"})
    assert held == [[], {}, []]
    assert unanswered.http_request_data == b""


@pytest.mark.parametrize(("length", "answer"), [(1000, "101"), (1100, "400")])
def test_an_address_has_a_kilobyte(server: Server, length: int, answer: str) -> None:
    line = f"GET /ws?token={'x' * (length - len('/ws?token='))} HTTP/1.1"
    assert head(server, but(line=line)).startswith(f"HTTP/1.1 {answer}")
