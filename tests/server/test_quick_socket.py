"""The short way through a WebSocket hands on the same messages as Autobahn's way does."""

import struct
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory
from daphne.ws_protocol import WebSocketProtocol
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from websockets.frames import apply_mask

from powerlog.server.speed_patches import QuickSocket, whole_text

TEXT, BINARY, CONTINUATION, CLOSE, PING = 1, 2, 0, 8, 9


def frame(payload: bytes, opcode: int = TEXT, fin: bool = True, mask: bytes = b"\1\2\3\4") -> bytes:
    head = bytes([opcode | 0x80 * fin])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += struct.pack("!BH", 0x80 | 126, len(payload))
    else:
        head += struct.pack("!BQ", 0x80 | 127, len(payload))
    return head + mask + apply_mask(payload, mask)


class Plain(WebSocketProtocol):
    """Autobahn's way for every frame."""

    utf8validateIncoming = QuickSocket.utf8validateIncoming


def heard(kind: type[WebSocketProtocol], chunks: list[bytes]) -> tuple[list[object], int, bytes]:
    """The messages, the state of the socket afterwards, and what it has answered."""
    messages: list[object] = []

    class Socket(kind):  # type: ignore[misc, valid-type]
        def onMessage(self, payload: bytes, isBinary: bool) -> None:
            messages.append((payload, isBinary))

        def onClose(self, *args: object) -> None:
            pass

    socket = Socket()
    socket.factory = WebSocketServerFactory()
    socket.factory.server = None
    socket.transport = StringTransport()
    socket.transport.registerProducer(socket, True)
    socket._connectionMade()
    socket.state = socket.STATE_OPEN
    socket.websocket_version = 13
    socket.data, socket.inside_message, socket.current_frame = b"", False, None
    for chunk in chunks:
        socket._dataReceived(chunk)
    for call in (socket.openHandshakeTimeoutCall, socket.closeHandshakeTimeoutCall):
        if call:
            call.cancel()
    return messages, socket.state, socket.transport.value()


frames = st.tuples(
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | st.just(70_000),
    st.sampled_from([TEXT, TEXT, TEXT, BINARY, CONTINUATION, CLOSE, PING, 3]),
    st.booleans(),
    st.binary(min_size=4, max_size=4),
)


def on_the_wire(sent: tuple[bytes | int, int, bool, bytes] | bytes) -> bytes:
    if isinstance(sent, bytes):
        return sent
    payload, *how = sent
    return frame(b"x" * payload if isinstance(payload, int) else payload, *how)


@given(st.lists(frames | st.binary(max_size=20), max_size=6), st.lists(st.floats(0, 1), max_size=4))
def test_the_same_messages_however_they_are_cut(stream: list[Any], cuts: list[float]) -> None:
    whole = b"".join(map(on_the_wire, stream))
    edges = [0, *sorted(int(cut * len(whole)) for cut in cuts), len(whole)]
    chunks = [whole[start:end] for start, end in pairwise(edges)]
    assert heard(QuickSocket, chunks) == heard(Plain, chunks)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 450, 65535])
def test_a_whole_text_goes_the_short_way(size: int) -> None:
    for text in (b"x" * size, b"\xff" * size):  # UTF-8 or not
        assert whole_text(b"before" + frame(text) + b"after", 6) == (text, 6 + len(frame(text)))


@pytest.mark.parametrize(
    "odd",
    [
        lambda text: frame(text, BINARY),
        lambda text: frame(text, fin=False),
        lambda text: frame(text)[:-1],
        lambda text: b"\xc1" + frame(text)[1:],  # compressed
        lambda text: b"\x81\x04" + text,  # not masked
        lambda text: b"\x81\xfe\x00\x04" + b"\0\0\0\0" + text,  # a length that needs no two bytes
        lambda text: frame(text * 20_000),
        lambda text: b"\x81",
    ],
)
def test_everything_else_does_not(odd: Callable[[bytes], bytes]) -> None:
    assert whole_text(odd(b"text"), 0) is None
