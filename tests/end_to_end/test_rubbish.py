"""Forty good devices beside everything that is malformed, too long, too much or never ends."""

import asyncio
import re
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from tests.support.frames import delta, meter
from tests.support.rubbish import (
    BINARY,
    HANDSHAKES,
    MESSAGES,
    NOT_UTF8,
    PING,
    STRANGER,
    TEXT,
    USUAL,
    WIRE,
    asking,
    but,
    wire,
)
from tests.support.servers import PATIENCE_S, Server, daphne, running, serve, until

T = TypeVar("T")
MB = 2**20
DEVICES = 40
LIFE_S = 120  # by the devices' own clocks, from half a minute before a full minute on
CALM_S = 100  # of them until the rubbish is over
LINUX = sys.platform == "linux"  # the only one whose /proc says what a process takes
MOST_GAIN_KB = 60 * 1024
FLOOD = delta(None, "flood-0a1b2c3d4e5f", switch_0={"apower": 0.0, "voltage": 230.1})


def device_id(number: int) -> str:
    return f"good-{number:012x}"


def power(number: int, second: int) -> float:
    return 100.0 + 10 * number + second / 10


def life(number: int, start: float) -> list[str]:
    """On in every even second, off in every odd one: a frame that is lost would cost a run."""
    off = {"apower": 0, "output": False}
    return [
        delta(
            start + second,
            device_id(number),
            switch_0=off if second % 2 else meter(power(number, second)),
        )
        for second in range(LIFE_S)
    ]


def expected_rows() -> list[tuple[Any, ...]]:
    """The first reading of each of the three minutes."""
    return [
        (device_id(number), "switch:0", watts, 229.4, round(watts / 229.4 / 0.8, 3), 0.0)
        for number in range(DEVICES)
        for watts in (power(number, second) for second in (0, 30, 90))
    ]


def expected_runs() -> list[tuple[Any, ...]]:
    return [
        (device_id(number), power(number, second), "stopped")
        for number in range(DEVICES)
        for second in range(0, LIFE_S, 2)
    ]


def runs(server: Server) -> list[tuple[Any, ...]]:
    query = 'SELECT device_id, peak_w, "end" FROM runs WHERE "end" <> \'\' ORDER BY 1, started_at'
    with server.connect() as connection:
        return connection.execute(query).fetchall()


def memory_kb(server: Server, name: str) -> int:
    """VmRSS is what the process takes now, VmHWM the most that it ever took."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found[1])


async def within_patience(what: Awaitable[T]) -> T:
    return await asyncio.wait_for(what, PATIENCE_S)


async def ended(reader: asyncio.StreamReader) -> None:
    """The server has closed the connection, or cut it off."""
    with suppress(ConnectionError):
        while await reader.read(65_536):
            pass


async def gone(writer: asyncio.StreamWriter) -> None:
    """The server has cut off who does not listen."""
    while True:
        await writer.drain()
        writer.write(wire(PING, b"x"))
        await asyncio.sleep(0.05)


class Crowd:
    """The bad clients of a server; their sockets stay open to the end where they are let."""

    def __init__(self, server: Server, sockets: AsyncExitStack) -> None:
        self.server, self.sockets, self.count = server, sockets, 0

    async def says_at_once(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection on which this has been said, as far as the server wanted to hear it."""
        self.count += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        self.sockets.callback(lambda: writer.transport.abort())
        writer.write(data)
        with suppress(ConnectionError):
            await writer.drain()
        return reader, writer

    async def opens(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.says_at_once(asking(*USUAL))
        await within_patience(reader.readuntil(b"\r\n\r\n"))
        return reader, writer

    async def breaks(self, data: bytes) -> None:
        """Says on an open socket what the server ends it for."""
        reader, writer = await self.opens()
        writer.write(data)
        await within_patience(ended(reader))

    async def says(self, *messages: str | bytes) -> None:
        await self.sends(
            *(
                wire(TEXT, message.encode()) if isinstance(message, str) else wire(BINARY, message)
                for message in messages
            )
        )

    async def sends(self, *frames: bytes) -> None:
        """Sends what the server takes: its pong comes after all of them."""
        reader, writer = await self.opens()
        writer.writelines([*frames, wire(PING, b"the end")])
        await within_patience(reader.readuntil(b"\x8a\x07the end"))
        writer.close()

    async def floods(self, data: bytes) -> None:
        """Says far more than anybody may, takes none of the answers, and is cut off."""
        _, writer = await self.opens()
        writer.transport.pause_reading()
        writer.write(data)
        with suppress(ConnectionError):
            await within_patience(writer.drain())
            await within_patience(gone(writer))

    async def says_too_much(self, size: int, pieces: int) -> None:
        self.count += 1
        async with connect(self.server.socket, compression=None) as device:
            with suppress(ConnectionClosed):
                piece = "[" * (size // pieces)
                await device.send(piece if pieces == 1 else [piece] * pieces)
            await within_patience(device.wait_closed())
            # 1006: it was still speaking a second later, and the line was cut before it listened.
            assert device.close_code in (1009, 1006)

    async def uploads(self, header: str, piece: bytes, pieces: int) -> None:
        line = "POST /admin/login/ HTTP/1.1"
        reader, writer = await self.says_at_once(asking("Host: x", header, line=line))
        with suppress(ConnectionError):
            for _ in range(pieces):
                writer.write(piece)
                await writer.drain()
        await within_patience(ended(reader))


def too_long(crowd: Crowd) -> list[Coroutine[Any, Any, Any]]:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    return [
        *(crowd.says_too_much(size * MB, pieces) for size in (2, 40) for pieces in (1, 100)),
        crowd.uploads(f"Content-Length: {40 * MB}", b"x" * MB, 40),
        crowd.uploads("Transfer-Encoding: chunked", chunk, 640),
    ]


def everything(crowd: Crowd) -> list[Coroutine[Any, Any, Any]]:
    messages = [
        message.replace(STRANGER, f"rubbish-{n}") if isinstance(message, str) else message
        for n, message in enumerate(MESSAGES.values())
    ]
    return [
        *map(crowd.says_at_once, HANDSHAKES.values()),
        *map(crowd.breaks, WIRE.values()),
        *map(crowd.says, messages),
        crowd.says(*MESSAGES.values()),
        crowd.sends(*NOT_UTF8.values()),
        *too_long(crowd),
        # Half-open: silence, handshakes cut short, requests cut short, and a message announced.
        *(crowd.says_at_once(b"") for _ in range(100)),
        *(crowd.says_at_once(asking(*USUAL)[:n]) for n in range(1, 100)),
        *(crowd.says_at_once(asking("Host: x", "Content-Length: 9")) for _ in range(20)),
        *(crowd.says_at_once(asking(*USUAL)) for _ in range(100)),
        *(crowd.breaks(wire(TEXT, b"x", length=2**40)) for _ in range(20)),
        # Floods
        crowd.floods(wire(TEXT, b"x") * 20_000),
        crowd.floods(wire(TEXT, FLOOD.encode()) * 100_000),
        crowd.floods(wire(TEXT, b"", fin=False) + wire(0, b"", fin=False) * 20_000),
        crowd.floods(wire(PING, b"x" * 125) * 50_000),
    ]


async def talk(device: ClientConnection, frames: list[str], pause_s: float) -> None:
    for frame in frames:
        await device.send(frame)
        await asyncio.sleep(pause_s)


async def test_forty_good_devices_lose_nothing_beside_all_of_it(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    assert len(MESSAGES) + len(WIRE) + len(HANDSHAKES) > 60
    start = time.time() // 60 * 60 - 30
    lives = [life(number, start) for number in range(DEVICES)]
    with running(serve(ready_postgres(), tmp_path)) as server:
        async with AsyncExitStack() as sockets:
            good = [
                await sockets.enter_async_context(connect(server.socket)) for _ in range(DEVICES)
            ]
            fleet = list(zip(good, lives, strict=True))
            for device, frames in fleet:
                await talk(device, frames[:2], 0)
            await asyncio.to_thread(until, lambda: len(runs(server)) == DEVICES)
            lines = server.output.count("\n")
            before_kb = memory_kb(server, "VmRSS") if LINUX else 0
            crowd = Crowd(server, sockets)
            await asyncio.gather(
                *(talk(device, frames[2:CALM_S], 0.08) for device, frames in fleet),
                *everything(crowd),
            )
            for device, frames in fleet:
                await talk(device, frames[CALM_S:], 0)
            await asyncio.to_thread(until, lambda: len(runs(server)) == len(expected_runs()))
            assert {device.state for device in good} == {State.OPEN}
            until(lambda: server.status()["devices connected"] == str(DEVICES))
            assert server.output.count("\n") - lines <= 2 * crowd.count
            if LINUX:
                assert memory_kb(server, "VmHWM") - before_kb <= MOST_GAIN_KB
            assert server.stop() == 0
    assert sorted(server.rows()) == expected_rows()
    assert runs(server) == expected_runs()
    assert "Traceback" not in server.output
    assert not re.search(r"^\S+ \S+ (ERROR|CRITICAL) ", server.output, re.MULTILINE)


async def test_daphne_by_itself_has_the_same_limits(
    ready_sqlite: Callable[[Path], str], tmp_path: Path
) -> None:
    with running(daphne(ready_sqlite(tmp_path), tmp_path)) as server:
        async with AsyncExitStack() as sockets:
            crowd = Crowd(server, sockets)
            await crowd.says_at_once(but("Daphne-Root-Path: /é"))
            await asyncio.gather(*too_long(crowd))
        assert server.status()["bad frames"] == "4 (4 too long)"
        assert server.output.count("exceeds payload limit of 65536 octets") == 4
        assert server.stop() == 0
    assert "Traceback" not in server.output
