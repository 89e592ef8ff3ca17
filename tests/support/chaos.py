"""One thing breaks after the other, at random, from a seed: database, collector, sockets, disk."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.support.faults import Fault, cut_off, filled, frozen, locked, read_only, stopped
from tests.support.fleet import CUTS, Shelly
from tests.support.postgres import Postgres
from tests.support.servers import Server, until

DATABASE: tuple[Fault, ...] = (stopped, frozen, cut_off, locked, read_only)
ENDED_WITHIN_S = 10


class Span(NamedTuple):
    """From when to when something was broken, Unix seconds."""

    what: str
    since: float
    until: float


class Chaos:
    """Until `over` is set. outages are those of the database, offs those of the collector."""

    def __init__(
        self,
        seed: int,
        start: Callable[[], Server],
        postgres: Postgres,
        url: str,
        disk: Path | None,
    ) -> None:
        self._start, self._postgres, self._url, self._disk = start, postgres, url, disk
        self._seed = seed
        self._steady = asyncio.Lock()  # a collector that ends with a full disk may lose rows
        self.server = start()
        self.over = asyncio.Event()
        self.outages: list[Span] = []
        self.offs: list[Span] = []
        self.done: Counter[str] = Counter()

    async def run(self, shellys: list[Shelly]) -> None:
        """Breaks things; returns when it is over and all is whole again."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._break_database(Random(f"{self._seed} database")))
            tasks.create_task(self._break_collector(Random(f"{self._seed} collector")))
            tasks.create_task(self._break_sockets(Random(f"{self._seed} sockets"), shellys))
            if self._disk is not None:
                tasks.create_task(self._break_disk(Random(f"{self._seed} disk"), self._disk))

    async def _goes_on(self, seconds: float) -> bool:
        """Wait so long, or until it is over."""
        try:
            await asyncio.wait_for(self.over.wait(), seconds)
        except TimeoutError:
            return True
        return False

    async def _break_database(self, chance: Random) -> None:
        while await self._goes_on(chance.uniform(1, 8)):
            fault = chance.choice(DATABASE)
            broken = fault(self._postgres, self._url)
            since = time.time()
            await asyncio.to_thread(broken.__enter__)
            await self._goes_on(chance.choice((1, 4, 15)) * chance.uniform(0.5, 1))
            await asyncio.to_thread(broken.__exit__, None, None, None)
            self.outages.append(Span(fault.__name__, since, time.time()))
            self.done[fault.__name__] += 1

    async def _break_collector(self, chance: Random) -> None:
        while await self._goes_on(chance.uniform(8, 30)):
            how = chance.choice((signal.SIGKILL, signal.SIGTERM))
            async with self._steady:
                since = time.time()
                self.server.process.send_signal(how)
                code = await asyncio.to_thread(self.server.process.wait, ENDED_WITHIN_S)
                assert how == signal.SIGKILL or code == 0, self.server.output
            await self._goes_on(chance.choice((0.0, 2.0, 6.0)))
            self.server = self._start()
            await asyncio.to_thread(until, self.server.answers)
            self.offs.append(Span(how.name, since, time.time()))
            self.done[how.name] += 1

    async def _break_sockets(self, chance: Random, shellys: list[Shelly]) -> None:
        while await self._goes_on(chance.uniform(0.5, 4)):
            how = chance.choice(CUTS)
            long = chance.random() < 0.2
            away_s = chance.uniform(20, 150) if long else chance.uniform(0.2, 5)
            await chance.choice(shellys).cut(how, away_s)
            self.done[f"socket {how}"] += 1

    async def _break_disk(self, chance: Random, disk: Path) -> None:
        while await self._goes_on(chance.uniform(15, 45)):
            async with self._steady:
                with filled(disk):
                    await self._goes_on(chance.uniform(3, 12))
                await self._goes_on(3)  # what waited in memory goes where it belongs
            self.done["disk full"] += 1
