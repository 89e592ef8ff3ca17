"""Callers from one address whose messages are long, and dear to read.

`python -m tests.support.heavy HOST PORT SOCKETS SECONDS` in a process of its own. Each socket sends
64 KB of numbers that are hard to read, again and again, as fast as the server takes them.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support.rubbish import TEXT, USUAL, asking, wire
from tests.support.servers import PATIENCE_S, ROOT, Server

HARD = "2.2250738585072011e-308"


def message(device_id: str) -> str:
    """Of 64 KB: as a device sends it, but for what is in it."""
    head = f'{{"src":"{device_id}","method":"NotifyStatus","params":{{"a":['
    tail = '],"switch:0":{"apower":0.0}}}'
    count = (64 * 1024 - len(head) - len(tail)) // (len(HARD) + 1)
    return head + ",".join([HARD] * count) + tail


async def caller(host: str, port: int, number: int) -> None:
    data = wire(TEXT, message(f"heavy-{number}").encode())
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(asking(*USUAL))
            await reader.readuntil(b"\r\n\r\n")
            while True:
                writer.write(data)
                await writer.drain()
        await asyncio.sleep(0.2)


async def callers(host: str, port: int, sockets: int, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(caller(host, port, number) for number in range(sockets)))


@contextmanager
def heavy(server: Server, sockets: int, seconds: float) -> Iterator[None]:
    """The callers are there within this block, for so many seconds at the longest."""
    told = ["127.0.0.1", str(server.port), str(sockets), str(seconds)]
    process = subprocess.Popen([sys.executable, "-m", "tests.support.heavy", *told], cwd=ROOT)
    try:
        yield
        assert process.poll() is None, "the callers ended before the test did"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


if __name__ == "__main__":
    host, port, sockets, seconds = sys.argv[1:]
    asyncio.run(callers(host, int(port), int(sockets), float(seconds)))
