"""`manage.py simulate`: a fleet of Shellys that do not exist, over real WebSockets, until Ctrl-C.

What they say is the simulator's; here it is said on time. A device lives on while it is out of
reach: when it is back, its pump and its counters are where they would be by now. What is printed
never holds the query of the URL, which is where the token is.
"""

import asyncio
import os
import random
import re
import signal
import time
from argparse import ArgumentParser, FileType
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TextIO
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException
from websockets.uri import parse_uri

from powerlog.simulation.pro4pm import SimulatedShelly

HOME = "ws://127.0.0.1:5000/ws"
FIRST_DELAY_S = 1.0
MAX_DELAY_S = 60.0
PROGRESS_S = 10.0
# 200 handshakes a second: a server that is asked for a thousand at once answers none in time.
SPREAD_S = 0.005


class Fleet:
    """The devices and their connections. say takes a line for the operator."""

    def __init__(self, devices: int, url: str, say: Callable[[str], None]) -> None:
        now = time.time()
        self.devices = [
            SimulatedShelly(f"shellypro4pm-aabbcc{number:06x}", number, now)
            for number in range(1, devices + 1)
        ]
        self.url = url
        self.say = say
        self.connected = 0
        self.sent = 0
        self._troubles: set[str] = set()

    async def run(self) -> None:
        """Until cancelled; the sockets are closed before it ends."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._report())
            for device in self.devices:
                tasks.create_task(self._live(device))
                await asyncio.sleep(SPREAD_S)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            self.say(f"{self.connected} of {len(self.devices)} connected, {self.sent} frames sent")

    async def _live(self, device: SimulatedShelly) -> None:
        """One device: connect, talk, and again, for ever."""
        delays = backoff()
        while True:
            what = "cannot connect to"
            try:
                async with self._dial() as websocket:
                    what, delays = "lost the connection to", backoff()
                    await self._talk(device, websocket)
            except (OSError, WebSocketException) as exc:
                self._complain(f"{what} {spoken(self.url)}: {reason(exc)}; trying again")
            await asyncio.sleep(next(delays))

    def _dial(self) -> connect:
        # A Shelly neither compresses nor goes through a proxy. A server that hangs may hold up
        # Ctrl-C by the time-out of closing.
        return connect(
            self.url, subprotocols=["json-rpc"], compression=None, proxy=None, close_timeout=2
        )

    async def _talk(self, device: SimulatedShelly, websocket: ClientConnection) -> None:
        """Say what is due and answer in between, until the connection is lost."""
        self.connected += 1
        if self.connected == len(self.devices):
            self._troubles.clear()
        try:
            now = time.time()
            await self._send(websocket, device.full_status(now))
            for at, frame in device.frames(now):
                await self._answer_until(at, device, websocket)
                await self._send(websocket, frame)
        finally:
            self.connected -= 1
            await websocket.close()  # left to itself, connect() would close with 1011 on Ctrl-C

    async def _answer_until(
        self, at: float, device: SimulatedShelly, websocket: ClientConnection
    ) -> None:
        while (left_s := at - time.time()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    request = await websocket.recv()
            except TimeoutError:
                continue
            if answer := device.answer(request, time.time()):
                await self._send(websocket, answer)

    async def _send(self, websocket: ClientConnection, frame: str) -> None:
        await websocket.send(frame)
        self.sent += 1

    def _complain(self, trouble: str) -> None:
        """Say it once; again only after all devices have been connected in the meantime."""
        if trouble not in self._troubles:
            self._troubles.add(trouble)
            self.say(trouble)


class Command(BaseCommand):
    help = "Simulate Shelly Pro 4PMs with a pump on switch:2 that dial a collector, until Ctrl-C."
    requires_system_checks = []  # noqa: RUF012 (Django's own attribute)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default=HOME, help=f"where the devices dial ({HOME})")
        parser.add_argument("--devices", default=1, type=int, help="how many there are (1)")
        parser.add_argument(
            "--token", help="goes into the URL as ?token=…; the list of processes shows it"
        )
        parser.add_argument(
            "--token-file",
            type=FileType(),
            help="has the token in its first line, out of sight; - is the standard input",
        )

    def handle(
        self,
        *args: Any,
        url: str,
        devices: int,
        token: str | None,
        token_file: TextIO | None,
        **options: Any,
    ) -> None:
        if token_file:
            with token_file:
                token = token_file.readline().strip()
        elif token is None and url == HOME:
            token = settings.WS_TOKEN  # and to nobody else but the collector that has it
        if devices < 1:
            raise CommandError("--devices must be 1 or more.")
        refuse_unless_dialable(url)
        fleet = Fleet(devices, with_token(url, token), self.say)
        who = "1 simulated Shelly dials" if devices == 1 else f"{devices} simulated Shellys dial"
        began = time.monotonic()
        self.say(f"{who} {spoken(url)}, Ctrl-C stops")
        asyncio.run(until_stopped(fleet))
        self.say(f"Stopped after {time.monotonic() - began:.0f} s, {fleet.sent} frames sent")

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


async def until_stopped(fleet: Fleet) -> None:
    """Run the fleet until SIGINT or SIGTERM."""
    running = asyncio.create_task(fleet.run())
    for stop in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop, running.cancel)
    with suppress(asyncio.CancelledError):
        await running


def refuse_unless_dialable(url: str) -> None:
    """Raise CommandError, without the URL in it, if no WebSocket can be at this address."""
    try:
        parse_uri(url).host.encode("idna")
    except (InvalidURI, ValueError):
        raise CommandError(
            "--url must be a WebSocket address such as ws://127.0.0.1:5000/ws or wss://HOST/ws."
        ) from None


def with_token(url: str, token: str | None) -> str:
    if not token:
        return url
    parts = urlsplit(url)
    parameter = urlencode({"token": token}, quote_via=quote)
    return parts._replace(query="&".join(filter(None, (parts.query, parameter)))).geturl()


def spoken(url: str) -> str:
    """Return the URL without the parts that may be secret: query, user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def backoff() -> Iterator[float]:
    """Yield the seconds to wait before each attempt, with jitter, as a Shelly does."""
    delay = FIRST_DELAY_S
    while True:
        yield delay * random.uniform(0.8, 1.2)
        delay = min(2 * delay, MAX_DELAY_S)


def reason(exc: Exception) -> str:
    """Return why it failed, in words that cannot come from the URL."""
    if isinstance(exc, InvalidStatus):
        return f"refused with HTTP {exc.response.status_code}"
    if isinstance(exc, ConnectionClosed):
        return f"closed with code {exc.rcvd.code}" if exc.rcvd else "broken off"
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    if isinstance(exc, OSError):
        # asyncio buries the reason: "[Errno 111] Connect call failed ('::1', 5000, 0, 0)", and
        # one of them per address of the host.
        number = re.search(r"\[Errno (\d+)\]", str(exc))
        return os.strerror(int(number[1])).lower() if number else str(exc.strerror or exc)
    return f"no WebSocket answers there ({type(exc).__name__})"
