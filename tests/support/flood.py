"""Callers from one address that invent devices and switch them as fast as they can.

`python -m tests.support.flood ws://… SECONDS` in a process of its own, so that it takes no
time from the good devices beside it. Each socket sends a burst of frames that turn three channels
on and off, waits until they are read, closes, and comes again as another device.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.support.frames import delta
from tests.support.servers import PATIENCE_S, ROOT

SOCKETS = 8
FRAMES = 1899  # a few less than the burst that a socket may send
PONG_S = 10.0
invented = count()


def burst(device_id: str, since: float) -> list[str]:
    """On and off in turn, a few thousandths of a second apart."""
    frames = []
    for number in range(FRAMES):
        watts = 400.0 if number % 2 else 0.0
        channels = {f"switch_{place}": {"apower": watts} for place in range(3)}
        frames.append(delta(since + number / 1000, device_id, **channels))
    return frames


async def caller(url: str, until: float) -> None:
    while time.time() < until:
        device_id = f"shellypro4pm-f100d{next(invented):07x}"
        with suppress(OSError, WebSocketException, TimeoutError):
            async with connect(
                url, compression=None, proxy=None, open_timeout=5, close_timeout=1
            ) as socket:
                for frame in burst(device_id, time.time() - 2):
                    await socket.send(frame)
                async with asyncio.timeout(PONG_S):
                    await (await socket.ping())
            continue
        await asyncio.sleep(0.2)  # refused, or cut off


async def callers(url: str, seconds: float) -> None:
    until = time.time() + seconds
    await asyncio.gather(*(caller(url, until) for _ in range(SOCKETS)))


@contextmanager
def flooded(url: str, seconds: float) -> Iterator[None]:
    """The callers are there within this block, for so many seconds at the longest."""
    command = [sys.executable, "-m", "tests.support.flood", url, str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield
        assert process.poll() is None, "the flood ended before the good devices did"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


if __name__ == "__main__":
    asyncio.run(callers(sys.argv[1], float(sys.argv[2])))
