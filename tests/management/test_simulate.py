"""The simulate command: a real WebSocket server of the test's own hears what the fleet says."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from websockets.asyncio.server import Server, ServerConnection, serve

from powerlog.core.protocol import BOOTSTRAP
from powerlog.management.commands import simulate

ROOT = Path(__file__).parents[2]
TOKEN = "s3cret & more"


class Collector:
    """Sends the two requests to whoever connects and keeps what it hears, by connection."""

    def __init__(self, drop_first: int = 0) -> None:
        self.drop_first = drop_first
        self.targets: list[str] = []
        self.subprotocols: list[str | None] = []
        self.heard: list[list[dict[str, Any]]] = []
        self.codes: list[int | None] = []

    async def __call__(self, websocket: ServerConnection) -> None:
        assert websocket.request
        self.targets.append(websocket.request.path)
        self.subprotocols.append(websocket.subprotocol)
        messages: list[dict[str, Any]] = []
        self.heard.append(messages)
        if len(self.heard) <= self.drop_first:
            await websocket.close(1012)
            return
        for request in BOOTSTRAP:
            await websocket.send(request)
        async for message in websocket:
            messages.append(json.loads(message))
        self.codes.append(websocket.close_code)


def address(server: Server) -> str:
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


@asynccontextmanager
async def listening(handler: Callable[..., Awaitable[None]], **options: Any) -> AsyncIterator[str]:
    async with serve(
        handler, "127.0.0.1", 0, subprotocols=["json-rpc"], close_timeout=0.1, **options
    ) as server:
        yield address(server)


@asynccontextmanager
async def running(url: str, devices: int = 1) -> AsyncIterator[tuple[simulate.Fleet, list[str]]]:
    lines: list[str] = []
    fleet = simulate.Fleet(devices, url, lines.append)
    task = asyncio.create_task(fleet.run())
    try:
        yield fleet, lines
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "FIRST_DELAY_S", 0.02)


async def test_a_device_sends_its_full_status_and_answers_the_requests() -> None:
    collector = Collector()
    async with listening(collector) as url, running(url) as (fleet, _):
        await until(lambda: collector.heard)
        await until(lambda: sum("id" in message for message in collector.heard[0]) == 2)
        assert fleet.sent >= 3
    status, *later = collector.heard[0]
    refusal, answer = (message for message in later if "id" in message)
    assert status["method"] == "NotifyFullStatus"
    assert status["src"] == "shellypro4pm-aabbcc000001"
    assert refusal["error"]["message"] == "No handler for NotifyStatus"
    assert "switch:2" in answer["result"]
    assert collector.subprotocols == ["json-rpc"]


async def test_what_is_due_is_sent_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    def frames(self: simulate.SimulatedShelly, since: float) -> list[tuple[float, str]]:
        return [(since + 0.1, '"early"'), (since + 0.4, '"late"'), (since + 99, '"never"')]

    monkeypatch.setattr(simulate.SimulatedShelly, "frames", frames)
    collector = Collector()
    async with listening(collector) as url, running(url):
        await until(lambda: collector.heard and "early" in collector.heard[0])
        assert "late" not in collector.heard[0]
        early = time.monotonic()
        await until(lambda: "late" in collector.heard[0])
    assert time.monotonic() - early > 0.2
    assert "never" not in collector.heard[0]


async def test_every_device_has_a_name_and_a_connection_of_its_own() -> None:
    collector = Collector()
    async with listening(collector) as url, running(url, devices=12) as (fleet, _):
        await until(lambda: len(collector.heard) == 12 and all(collector.heard))
        assert fleet.connected == 12
    names = {messages[0]["src"] for messages in collector.heard}
    assert names == {f"shellypro4pm-aabbcc{number:06x}" for number in range(1, 13)}


@pytest.mark.usefixtures("impatient")
async def test_a_device_that_is_dropped_comes_back_with_its_full_status() -> None:
    collector = Collector(drop_first=1)
    async with listening(collector) as url, running(url) as (fleet, lines):
        await until(lambda: len(collector.heard) == 2 and collector.heard[1])
        assert fleet.connected == 1
    assert collector.heard[1][0]["method"] == "NotifyFullStatus"
    assert lines == [f"lost the connection to {url}: closed with code 1012; trying again"]


@pytest.mark.usefixtures("impatient")
async def test_the_reason_of_an_outage_is_said_once_by_the_whole_fleet() -> None:
    attempts = 0

    async def refuse(connection: ServerConnection, request: object) -> Any:
        nonlocal attempts
        attempts += 1
        return connection.respond(HTTPStatus.FORBIDDEN, "")

    async with (
        listening(Collector(), process_request=refuse) as url,
        running(url, devices=3) as (fleet, lines),
    ):
        await until(lambda: attempts >= 8)
        assert (fleet.connected, fleet.sent) == (0, 0)
    assert lines == [f"cannot connect to {url}: refused with HTTP 403; trying again"]


@pytest.mark.usefixtures("impatient")
async def test_the_next_outage_is_said_again() -> None:
    collector = Collector(drop_first=2)
    async with listening(collector) as url, running(url) as (_, lines):
        await until(lambda: len(collector.heard) == 3)
    assert len(lines) == 2


async def test_a_successful_connection_resets_the_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[object] = []
    waits: list[int] = []

    def backoff() -> Iterator[float]:
        for wait in range(9):
            waits.append(wait)
            yield 0

    async def refuse_twice(connection: ServerConnection, request: object) -> Any:
        attempts.append(request)
        return connection.respond(HTTPStatus.FORBIDDEN, "") if len(attempts) < 3 else None

    monkeypatch.setattr(simulate, "backoff", backoff)
    collector = Collector(drop_first=1)
    async with listening(collector, process_request=refuse_twice) as url, running(url):
        await until(lambda: len(collector.heard) == 2 and collector.heard[1])
    assert waits == [0, 1, 0]


@pytest.mark.usefixtures("impatient")
async def test_a_device_waits_for_a_server_that_is_not_there_yet() -> None:
    async with listening(Collector()) as url:
        port = int(url.split(":")[2].removesuffix("/ws"))
    async with running(f"ws://localhost:{port}/ws") as (_, lines):
        await until(lambda: lines)
        collector = Collector()
        async with serve(collector, "127.0.0.1", port, close_timeout=0.1):
            await until(lambda: collector.heard and collector.heard[0])
    assert lines[0] == (
        f"cannot connect to ws://localhost:{port}/ws: connection refused; trying again"
    )


async def test_progress_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "PROGRESS_S", 0.05)
    collector = Collector()
    async with listening(collector) as url, running(url, devices=2) as (_, lines):
        await until(lambda: lines and lines[-1].startswith("2 of 2"))
    assert re.fullmatch(r"2 of 2 connected, \d+ frames sent", lines[-1])


async def test_a_stopped_fleet_says_goodbye_on_every_socket() -> None:
    collector = Collector()
    async with listening(collector) as url:
        async with running(url, devices=3) as (fleet, _):
            await until(lambda: len(collector.heard) == 3 and all(collector.heard))
        assert fleet.connected == 0
        await until(lambda: len(collector.codes) == 3)
    assert set(collector.codes) == {1000}


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_ends_the_command_in_peace_and_the_token_stays_secret(
    stop: signal.Signals,
) -> None:
    collector = Collector()
    async with listening(collector) as url:
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "manage.py", "simulate", "--devices", "2"),
            *("--url", f"{url}?site=7", "--token", TOKEN),
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert command.stdout
        first = await command.stdout.readline()
        assert first.decode() == f"2 simulated Shellys dial {url}, Ctrl-C stops\n"
        await until(lambda: len(collector.heard) == 2 and all(collector.heard))
        command.send_signal(stop)
        rest, errors = await command.communicate()
    assert command.returncode == 0
    assert errors == b""
    assert rest.decode().startswith("Stopped after ")
    assert rest.count(b"\n") == 1
    assert b"s3cret" not in first + rest
    assert collector.targets == ["/ws?site=7&token=s3cret%20%26%20more"] * 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://host:5000/ws", "ws://host:5000/ws"),
        ("wss://host/ws?token=abc", "wss://host/ws"),
        ("ws://user:word@host/ws", "ws://host/ws"),
    ],
)
def test_secret_parts_of_the_url_are_not_spoken(url: str, shown: str) -> None:
    assert simulate.spoken(url) == shown


def test_without_a_token_the_url_stays_as_it_is() -> None:
    assert simulate.with_token("ws://host/ws?a=1", None) == "ws://host/ws?a=1"
    assert simulate.with_token("ws://host/ws", "t/+") == "ws://host/ws?token=t%2F%2B"


def test_a_reason_never_quotes_an_address_that_a_server_redirects_to() -> None:
    exc = simulate.InvalidURI("https://host/ws?token=abc", "scheme isn't ws or wss")
    assert simulate.reason(exc) == "no WebSocket answers there (InvalidURI)"


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (OSError("Multiple exceptions: [Errno 113] a, [Errno 111] b"), "no route to host"),
        (OSError(-2, "Name or service not known"), "Name or service not known"),
        (TimeoutError("timed out during opening handshake"), "no answer in time"),
    ],
)
def test_a_reason_is_in_plain_words(exc: Exception, words: str) -> None:
    assert simulate.reason(exc) == words


def test_the_back_off_doubles_from_one_second_to_sixty() -> None:
    delays = simulate.backoff()
    for expected in (1, 2, 4, 8, 16, 32, 60, 60):
        assert next(delays) == pytest.approx(expected, rel=0.2)


def test_the_back_off_of_two_devices_differs() -> None:
    assert next(simulate.backoff()) != next(simulate.backoff())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:5000",
        "http://host/ws?token=abc",
        "ws://",
        "ws://h:99999/",
        "ws://h/#x",
        "ws://a..b/",
    ],
)
def test_what_is_no_websocket_address_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(CommandError, match="--url must be a WebSocket address") as refusal:
        call_command("simulate", url=url)
    assert "abc" not in str(refusal.value)


@pytest.mark.parametrize("devices", [0, -3])
def test_fewer_than_one_device_is_refused(devices: int) -> None:
    with pytest.raises(CommandError, match="--devices must be 1 or more"):
        call_command("simulate", devices=devices)
