"""A device's end of a WebSocket, so cheap that one core can speak for ten thousand devices.

Every frame is masked with a random mask of its own, as a device does: what the server pays to
unmask it is part of what is measured.
"""

import asyncio
import struct
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from random import randbytes
from typing import Any

from websockets.frames import apply_mask

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
HOST = "127.0.0.1"
OPEN_LIMIT_S = 20.0
# One address has 28,000 ports for outgoing connections; and .1 is left to the server, so that
# none of them ever takes the server's own port while it restarts.
DEVICES_PER_ADDRESS = 10_000


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    mask, length = randbytes(4), len(payload)
    if length < 126:
        head = bytes((0x80 | opcode, 0x80 | length))
    else:
        head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, length)
    return head + mask + apply_mask(payload, mask)


def server_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames in here, opcode and payload each, and what is left."""
    frames: list[tuple[int, bytes]] = []
    while len(data) >= 2:
        length, begin = data[1], 2
        if length == 126:
            length, begin = int.from_bytes(data[2:4], "big"), 4
        if len(data) < begin + length:
            break
        frames.append((data[0] & 0x0F, data[begin : begin + length]))
        data = data[begin + length :]
    return frames, data


class DeviceSocket(asyncio.Protocol):
    """One connection. met is called once it is open, heard with each text of the server's, gone
    when an open connection has ended, by whichever side."""

    transport: asyncio.Transport

    def __init__(
        self,
        met: Callable[["DeviceSocket"], None] = lambda socket: None,
        heard: Callable[[bytes], None] = lambda text: None,
        gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._met, self._heard, self._gone = met, heard, gone
        self._left = b""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._free = asyncio.Event()
        self._free.set()

    @property
    def is_open(self) -> bool:
        return self.opened.done() and not self.transport.is_closing()

    def say(self, payload: bytes) -> None:
        """Nothing where the other side has just gone: who talks to thousands learns of it late."""
        if self.is_open:
            with suppress(RuntimeError):  # uvloop's handle may be closed before its transport is
                self.transport.write(client_frame(payload))

    async def taken(self) -> None:
        """Wait until the kernel has room for more."""
        await self._free.wait()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        key = b64encode(randbytes(16)).decode()
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._left += data
        if not self.opened.done() and not self._upgraded():
            return
        frames, self._left = server_frames(self._left)
        for opcode, payload in frames:
            if opcode == TEXT:
                self._heard(payload)
            elif opcode == PING:
                self.transport.write(client_frame(payload, PONG))
            elif opcode == CLOSE:
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._free.set()
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed during the handshake"))
        elif not self.opened.cancelled() and not self.opened.exception():
            self._gone()

    def pause_writing(self) -> None:
        self._free.clear()

    def resume_writing(self) -> None:
        self._free.set()

    def _upgraded(self) -> bool:
        head, end, rest = self._left.partition(b"\r\n\r\n")
        if not end:
            return False
        if b" 101 " not in head.split(b"\r\n")[0]:
            self.opened.set_exception(ConnectionError(f"refused: {head[:75]!r}"))
            self.transport.close()
            return False
        self._left = rest
        self.opened.set_result(None)
        self._met(self)
        return True


async def dial(port: int, number: int, make: Callable[[], DeviceSocket]) -> DeviceSocket:
    """The open connection of the device with this number. Raises OSError or TimeoutError."""
    source = f"127.0.0.{2 + number // DEVICES_PER_ADDRESS}"
    async with asyncio.timeout(OPEN_LIMIT_S):
        loop = asyncio.get_running_loop()
        transport, wire = await loop.create_connection(make, HOST, port, local_addr=(source, 0))
        try:
            await wire.opened
        except BaseException:
            transport.abort()
            raise
    return wire
