"""Simulated Shellys over real WebSockets, in real time, that note what they say and when.

Their loads are the truth to judge by; what they have sent is what a collector can have heard.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from powerlog.simulation.curves import BLOCK_S, Cycle
from powerlog.simulation.pro4pm import SimulatedShelly

# Seconds of fourteen minutes in which a load is on, in two runs: from a kettle to a fridge.
ON_S = (60, 240, 480, 720, BLOCK_S)
CUTS = ("close", "reset", "half open")


class Sent(NamedTuple):
    """One message, on the device's so many-th connection. at: Unix seconds."""

    connection: int
    at: float
    text: str


class Shelly:
    """One device. sent is all that it has said, in order; connected is when each connection was
    made."""

    def __init__(self, number: int, seed: str) -> None:
        chance = Random(seed)
        busy = [
            Cycle(f"{seed} {place}", chance.uniform(8, 1500), 0.8, chance.choice(ON_S))
            for place in range(3)
        ]
        device_id = f"shellypro4pm-50a4{number:08x}"
        self.simulated = SimulatedShelly(device_id, number, time.time(), busy)
        self.sent: list[Sent] = []
        self.connected: list[float] = []
        self._websocket: ClientConnection | None = None
        self._away_s = 0.0
        self._back = asyncio.Event()
        self._talk: asyncio.Task[None] | None = None

    async def live(self, socket: Callable[[], str]) -> None:
        """Dial, talk, and again, until cancelled."""
        try:
            while True:
                with suppress(OSError, WebSocketException):
                    self._websocket = await connect(
                        socket(), subprotocols=["json-rpc"], compression=None, proxy=None,
                        open_timeout=5, close_timeout=1, ping_interval=None,
                    )  # fmt: skip
                    self.connected.append(time.time())
                    self._talk = asyncio.create_task(self._say_all(self._websocket))
                    await asyncio.wait([self._talk])
                away_s, self._away_s = self._away_s, 0.0
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._back.wait(), away_s or 0.5)
                self._back.clear()
        finally:
            if self._talk:
                self._talk.cancel()
            if self._websocket:
                await self._websocket.close()

    async def cut(self, how: str, away_s: float) -> None:
        """Lose the connection in one of these ways, and be away for so long."""
        if self._talk is None or self._talk.done() or self._websocket is None:
            return
        self._away_s = away_s
        self._talk.cancel()
        if how == "close":
            await self._websocket.close()
        elif how == "reset":
            self._websocket.transport.abort()
        # Half open: it dials anew, and the collector is left to find out.

    def come_back(self) -> None:
        """End its absence."""
        self._back.set()

    @property
    def is_back(self) -> bool:
        """Whether it has said something on the connection that it has now."""
        talks = self._talk is not None and not self._talk.done()
        return talks and bool(self.sent) and self.sent[-1].connection == len(self.connected)

    async def _say_all(self, websocket: ClientConnection) -> None:
        with suppress(WebSocketException):
            now = time.time()
            await self._say(websocket, self.simulated.full_status(now))
            for at, text in self.simulated.frames(now):
                await self._answer_until(at, websocket)
                await self._say(websocket, text)

    async def _answer_until(self, at: float, websocket: ClientConnection) -> None:
        while (left_s := at - time.time()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    request = await websocket.recv()
            except TimeoutError:
                continue
            if answer := self.simulated.answer(request, time.time()):
                await self._say(websocket, answer)

    async def _say(self, websocket: ClientConnection, text: str) -> None:
        at = time.time()
        await websocket.send(text)
        self.sent.append(Sent(len(self.connected), at, text))
