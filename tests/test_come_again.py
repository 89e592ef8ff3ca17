"""Who comes again has what was left, and who has been away gets in: on real sockets."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .frames import STATUS, answer, delta, full
from .knocking import closed, counted, dial, rows
from .servers import PATIENCE_S, Server, running, serve, until

SITE = 100
HOUR = 1560  # frames: as many as the most talkative device sends
MODEL = STATUS["Pro 4PM, firmware 1.7"]


@pytest.fixture
def server(ready_sqlite: Callable[[Path], str], tmp_path: Path) -> Iterator[Server]:
    with running(serve(ready_sqlite(tmp_path), tmp_path)) as server:
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


def watts(number: int) -> float:
    return 10.0 + number


async def arrive(server: Server, number: int) -> ClientConnection:
    """Dial, say and answer what a device does, and what it draws."""
    mine = device_id(number)
    socket = await connect(server.socket, compression=None, open_timeout=PATIENCE_S)
    status = {key.replace(":", "_"): part for key, part in MODEL.items()}
    off = status | {f"switch_{n}": {"apower": 0.0} for n in range(4)}
    await socket.send(full(time.time(), mine, **off, more={"text": "x" * 8_000}))
    await socket.send(answer(mine, **off, more={"text": "x" * 8_000}))
    # Later than the answer, which has no time of its own.
    await socket.send(delta(time.time() + 5, mine, switch_0={"apower": watts(number)}))
    return socket


async def power_cut_ends(server: Server) -> None:
    sockets = await asyncio.gather(*(arrive(server, number) for number in range(SITE)))
    # One of them had kept an hour for a network that stalled.
    for _ in range(HOUR):
        await sockets[0].send(voltage(device_id(0)))
    async with asyncio.timeout(PATIENCE_S):
        for pong in [await socket.ping() for socket in sockets]:
            await pong
    for socket in sockets:
        await socket.close()


def test_a_site_behind_one_address_comes_back_and_loses_nothing(server: Server) -> None:
    asyncio.run(power_cut_ends(server))
    expected = {(device_id(number), watts(number)) for number in range(SITE)}
    until(lambda: expected <= {*rows(server)})
    assert int(server.status()["frames"]) == 3 * SITE + HOUR
    assert server.status()["bad frames"] == "0"
    assert server.status()["refused"] == "0"
