"""Sockets of the application without a server, and a writer that takes down what it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from collector_site.asgi import application
from powerlog.consumers import ShellyConsumer
from powerlog.core.protocol import BOOTSTRAP
from powerlog.core.sampler import Due, Sample, Snapshot
from powerlog.devices.connections import traffic
from powerlog.writer.row_writer import row_writer
from tests.support.frames import T0

Dial = Callable[..., Any]


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
    """What the consumers hand to the writer."""
    handed: list[Sample] = []

    def submit(due: list[Due], address: str) -> None:
        handed.extend(each for each in due if isinstance(each, Sample))

    async def nothing_known(*question: Any) -> list[Snapshot]:
        return []

    # In the middle of a minute, whatever the time is.
    monkeypatch.setattr(ShellyConsumer, "clock", lambda _: T0 + 30.0)
    monkeypatch.setattr(row_writer, "submit", submit)
    monkeypatch.setattr(row_writer, "past", nothing_known)
    return handed


@pytest.fixture
def no_device_is_left_behind() -> Iterator[None]:
    yield
    assert not traffic.devices


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Opens a socket and takes the two requests; closes what is still open at the end."""
    opened: list[WebsocketCommunicator] = []

    async def open_socket(path: str = "/ws", **options: Any) -> WebsocketCommunicator:
        socket = WebsocketCommunicator(application, path, **options)
        accepted, _ = await socket.connect()
        assert accepted
        opened.append(socket)
        assert [await socket.receive_from() for _ in BOOTSTRAP] == list(BOOTSTRAP)
        return socket

    yield open_socket
    for socket in opened:
        if not socket.future.done():
            await socket.disconnect()


async def handled(count: int) -> None:
    """Wait until that many frames have been handled in all; traffic counts each on arrival."""
    while traffic.frames < count:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)


async def send(socket: WebsocketCommunicator, *messages: str) -> None:
    count = traffic.frames + len(messages)
    for message in messages:
        await socket.send_to(text_data=message)
    await asyncio.wait_for(handled(count), 20)
