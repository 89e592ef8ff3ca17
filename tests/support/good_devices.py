"""Devices that are beside whatever happens: what each of them said, and when its row was there."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from websockets.asyncio.client import connect

from tests.support.frames import delta

CHANNELS = 3
EVERY_S = 5.0


class Minute(NamedTuple):
    """A row that has to come of what was said. minute: Unix time of its start."""

    device_id: str
    channel: str
    minute: int


class GoodDevices:
    """So many devices, each on a connection of its own, that say every few seconds what they draw.

    said has the moment at which each minute was first spoken of, Unix seconds.
    """

    def __init__(self, number: int) -> None:
        self.ids = [f"shellypro4pm-600d{place:08x}" for place in range(number)]
        self.said: dict[Minute, float] = {}

    async def live(self, url: str, until: float) -> None:
        await asyncio.gather(
            *(self._live(device_id, url, until, place) for place, device_id in enumerate(self.ids))
        )

    async def _live(self, device_id: str, url: str, until: float, place: int) -> None:
        await asyncio.sleep(place * EVERY_S / len(self.ids))
        async with connect(url, compression=None, proxy=None, ping_interval=None) as socket:
            while (now := time.time()) < until:
                components = {f"switch_{n}": {"apower": 100.0 + n} for n in range(CHANNELS)}
                await socket.send(delta(now, device_id, **components))
                for channel in range(CHANNELS):
                    minute = Minute(device_id, f"switch:{channel}", int(now // 60) * 60)
                    self.said.setdefault(minute, now)
                await asyncio.sleep(EVERY_S)


def lags_s(said: dict[Minute, float], written_at: Callable[[Minute], float | None]) -> list[float]:
    """How long after it was spoken of each minute's row was written; a row that is not there fails
    the test."""
    lags = []
    for minute, at in said.items():
        written = written_at(minute)
        assert written is not None, f"lost: {minute}"
        lags.append(written - at)
    return lags
