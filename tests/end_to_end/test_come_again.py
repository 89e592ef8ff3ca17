"""Who comes again has what was left, and who has been away gets in: on real sockets."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from powerlog.devices.session import SUPERSEDED
from tests.support.crowd import written
from tests.support.frames import STATUS, answer, delta, full
from tests.support.good_devices import Minute
from tests.support.knocking import closed, counted, dial
from tests.support.servers import PATIENCE_S, Server, daphne, running, serve, until

SITE = 100
HOUR = 1560  # frames: as many as the most talkative device sends
MODEL = STATUS["Pro 4PM, firmware 1.7"]


@pytest.fixture
def server(ready_sqlite: Callable[[Path], str], tmp_path: Path) -> Iterator[Server]:
    with running(serve(ready_sqlite(tmp_path), tmp_path)) as server:
        yield server
        assert "Traceback" not in server.output


@pytest.fixture
def under_daphne(ready_postgres: Callable[[], str], tmp_path: Path) -> Iterator[Server]:
    """By its own command line, with the settings' defaults."""
    with running(daphne(ready_postgres(), tmp_path)) as server:
        yield server
        assert "Traceback" not in server.output


def voltage(device_id: str) -> str:
    return delta(None, device_id, switch_0={"voltage": 230.1})


def test_a_device_that_dials_again_has_no_new_burst(server: Server) -> None:
    with dial(server) as first:
        for _ in range(1900):
            first.send(voltage("again"))
        assert first.ping().wait(PATIENCE_S)
    with dial(server) as second:
        with suppress(ConnectionClosed):
            for _ in range(1900):
                second.send(voltage("again"))
        assert closed(second) in (1008, None)
    assert counted(server, "bad frames") == {"too many or too slow": 1}
    with dial(server) as other:
        for _ in range(1900):
            other.send(voltage("another"))
        assert other.ping().wait(PATIENCE_S)


def device_id(number: int) -> str:
    return f"shellypro4pm-{number:012x}"


def keys(server: Server) -> set[Minute]:
    return {Minute(*row[:3]) for row in written(server)}


def minute(ts: float) -> int:
    return int(ts // 60) * 60


async def dialled(server: Server) -> ClientConnection:
    return await connect(
        server.socket, compression=None, proxy=None, open_timeout=PATIENCE_S, ping_interval=None
    )


async def all_read(sockets: list[ClientConnection]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        for pong in [await socket.ping() for socket in sockets]:
            await pong


async def arrive(server: Server, number: int) -> tuple[ClientConnection, set[Minute]]:
    """Dial, say and answer what a device does, all of it longer than usual."""
    mine, now = device_id(number), time.time()
    socket = await dialled(server)
    status = {key.replace(":", "_"): part for key, part in MODEL.items()}
    long = status | {"more": {"text": "x" * 8_000}}
    await socket.send(full(now, mine, **long))
    await socket.send(answer(mine, **long))
    for place in range(3):
        await socket.send(delta(now + 60, mine, **{f"switch_{place}": {"apower": 50.0 + place}}))
    at_first = {Minute(mine, f"switch:{place}", minute(now)) for place in (0, 2)}  # 1 is off
    return socket, at_first | {
        Minute(mine, f"switch:{place}", minute(now + 60)) for place in range(3)
    }


async def power_cut_ends(server: Server) -> set[Minute]:
    """All dial at once, and their connections of before are half-open."""
    before = await asyncio.gather(*(dialled(server) for _ in range(SITE)))
    for number, socket in enumerate(before):
        await socket.send(voltage(device_id(number)))
    await all_read(before)
    arrived = await asyncio.gather(*(arrive(server, number) for number in range(SITE)))
    sockets = [socket for socket, _ in arrived]
    for _ in range(HOUR):  # which one of them had kept
        await sockets[0].send(voltage(device_id(0)))
    await all_read(sockets)
    assert server.status()["devices connected"] == str(SITE)
    for socket in [*sockets, *before]:
        await socket.close()
    assert {socket.close_code for socket in before} == {SUPERSEDED}
    return set().union(*(rows for _, rows in arrived))


def has_lost_nothing(server: Server, rows: set[Minute], frames: int) -> None:
    until(lambda: rows <= keys(server))
    assert keys(server) == rows
    status = server.status()
    assert int(status["frames"]) == frames
    assert (status["bad frames"], status["refused"], status["rows lost"]) == ("0", "0", "0")


def test_a_site_behind_one_address_comes_back_and_loses_nothing(under_daphne: Server) -> None:
    rows = asyncio.run(power_cut_ends(under_daphne))
    assert len(rows) == 5 * SITE
    has_lost_nothing(under_daphne, rows, SITE + 5 * SITE + HOUR)


async def catches_up(server: Server) -> set[Minute]:
    """Stamps are within what is believed of a clock, with half a minute to spare."""
    mine, rows, now = device_id(0), set(), time.time()
    socket = await dialled(server)
    for number in range(HOUR):
        at, place = now - 90 + 180 * number / HOUR, number % 3
        aenergy = {"total": 4_711.25 + number / 1000, "by_minute": [7000.0] * 3}
        switch = {"apower": 420.0, "voltage": 230.1, "current": 1.9, "aenergy": aenergy}
        # Of 900 bytes: hardly any is as long.
        long = {f"switch_{place}": switch, "more": {"text": "x" * 600}}
        await socket.send(delta(at, mine, **long))
        rows.add(Minute(mine, f"switch:{place}", minute(at)))
    await all_read([socket])
    assert server.status()["devices connected"] == "1"
    await socket.close()
    return rows


def test_a_device_catches_up_with_an_hour_in_one_go_and_loses_nothing(
    under_daphne: Server,
) -> None:
    rows = asyncio.run(catches_up(under_daphne))
    assert len(rows) in (9, 12)  # three minutes: of the clock these are four, or three
    has_lost_nothing(under_daphne, rows, HOUR)
