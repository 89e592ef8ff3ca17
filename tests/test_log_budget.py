"""Lines of the log about those who are let in: all of a fleet, few of whoever dials for ever."""

import asyncio
import logging
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from powerlog import log_budget as module
from powerlog.log_budget import ADDRESSES, ALL_LINES, LINES, LINES_OF_DEVICE, Brake
from tests.support.knocking import dial, power
from tests.support.rubbish import TEXT, USUAL, asking, wire
from tests.support.servers import PATIENCE_S, Server, daphne, running, until

logger = logging.getLogger("powerlog.test")
ONE, OTHER = "8.8.8.8", "9.9.9.9"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def brake(clock: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> Iterator[Brake]:
    caplog.set_level(logging.INFO)
    brake = Brake()
    yield brake
    brake.tell()


def lines(brake: Brake, count: int, address: str = ONE) -> None:
    for number in range(count):
        brake(address, logger, logging.INFO, "line %d", number)


async def test_an_address_has_so_many_lines_a_minute(
    brake: Brake, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    lines(brake, LINES + 7)
    lines(brake, 3, OTHER)
    assert len(caplog.messages) == LINES + 3
    caplog.clear()
    clock.now += 60
    lines(brake, 1)
    told = "7 lines of this minute were left out: 7 about 8.8.8.8"
    assert caplog.messages == [told, "line 0"]


async def test_the_addresses_of_a_customer_are_one(
    brake: Brake, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(LINES + 50):
        lines(brake, 1, f"2001:470:1:1::{number:x}")
    assert len(caplog.messages) == LINES


async def test_a_fleet_behind_one_address_has_its_lines(
    brake: Brake, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10_000):
        brake.came(ONE)
        lines(brake, 1)
    for _ in range(10_000):
        lines(brake, 1)
        brake.went(ONE)
    assert len(caplog.messages) == 20_000
    lines(brake, LINES + 7)
    assert len(caplog.messages) == 20_000 + LINES
    assert len(brake.devices) == 0


async def test_all_addresses_together_have_no_more_than_a_disk_takes(
    brake: Brake, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2 * ALL_LINES // LINES):
        lines(brake, LINES, f"8.8.8.{number}")
    assert len(caplog.messages) == ALL_LINES
    for _ in range(100):
        brake.came(OTHER)
        lines(brake, LINES_OF_DEVICE, OTHER)
    assert len(caplog.messages) == ALL_LINES + 100 * LINES_OF_DEVICE


async def test_a_crowd_of_addresses_fills_no_memory(
    brake: Brake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LINES", 1)
    monkeypatch.setattr(module, "ADDRESSES", 10)
    assert ADDRESSES == 20_000
    for number in range(500):
        lines(brake, 2, f"8.8.4.{number % 250}")
    assert len(brake._lines) == 11
    assert len(caplog.messages) == 11
    brake.tell()
    left_out = caplog.messages[-1]
    assert left_out.startswith("989 lines of this minute were left out: 959 about other addresses")
    assert left_out.endswith(", others about 6 more addresses")


async def test_the_end_of_the_minute_needs_no_further_line(
    brake: Brake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LINES", 0)
    monkeypatch.setattr(module, "MINUTE_S", 0.01)
    lines(brake, 1)
    while not caplog.messages:
        await asyncio.sleep(0)
    assert caplog.messages == ["1 lines of this minute were left out: 1 about 8.8.8.8"]


@pytest.fixture
def server(ready_sqlite: Callable[[Path], str], tmp_path: Path) -> Iterator[Server]:
    with running(
        daphne(ready_sqlite(tmp_path), tmp_path, "tests.support.terse_asgi:application")
    ) as one:
        yield one
        assert "Traceback" not in one.output


def bad(server: Server, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as line:
        line.sendall(asking(*USUAL) + sent)
        with suppress(ConnectionError):
            while b"GetStatus" not in line.recv(65_536):
                pass


def seen(server: Server) -> list[str]:
    return re.findall(r"(connected|gone,|no frame|cut off|not UTF-8|texts instead)", server.output)


def left_out(server: Server) -> int:
    found = re.findall(r"(\d+) lines of this minute .* about 127\.0\.0\.1\n", server.output)
    return sum(map(int, found))


@pytest.mark.parametrize(
    ("sent", "each"),
    [
        (wire(TEXT, power("again", 430.0).encode()), 2),
        (wire(TEXT, b"rubbish"), 1),
        (wire(3, b"reserved"), 1),
        (wire(TEXT, b"\xff"), 2),
        (wire(TEXT, b'{"src":"text","method":"NotifyStatus","params":{"ts":"1"}}'), 3),
    ],
    ids=["comes and goes", "no frame", "cut off", "not UTF-8", "texts"],
)
def test_whoever_dials_again_and_again_fills_no_log(server: Server, sent: bytes, each: int) -> None:
    for _ in range(60):
        bad(server, sent)
    until(lambda: len(seen(server)) + left_out(server) == 60 * each)
    assert left_out(server) > 0
    assert len(seen(server)) < 60 * each


def test_many_devices_at_once_have_all_their_lines(server: Server) -> None:
    with ExitStack() as sockets:
        for number in range(50):
            device = sockets.enter_context(dial(server))
            device.send(power(f"device-{number}", 430.0))
        until(lambda: len(seen(server)) == 50)
    assert left_out(server) == 0
