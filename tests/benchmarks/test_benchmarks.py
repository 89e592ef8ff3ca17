"""What the benchmarks build and count must be right, or their figures are worth nothing."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.frames import Frame, apply_mask
from websockets.streams import StreamReader

from powerlog.core import protocol

pytest.importorskip("uvloop", reason="benchmarks/requirements.txt is not installed")

from benchmarks import devices, rows
from benchmarks.wire import DeviceSocket, client_frame, server_frames

T0 = 1_760_000_000 // 60 * 60


def parsed(data: bytes) -> Frame:
    """As a server reads it; it raises for what is not masked."""
    reader = StreamReader()
    reader.feed_data(data)
    steps = Frame.parse(reader.read_exact, mask=True)
    with pytest.raises(StopIteration) as end:
        next(steps)
    return end.value.value


def said(device: devices.Device) -> list[bytes]:
    """What it says from here on."""
    texts: list[bytes] = []
    device._socket = SimpleNamespace(say=texts.append)  # type: ignore[assignment]
    return texts


@pytest.mark.parametrize("length", [0, 125, 126, 65_535])
def test_a_frame_is_read_as_it_was_meant(length: int) -> None:
    frame = parsed(client_frame(b"x" * length))
    assert (frame.opcode, frame.fin, frame.data) == (1, True, b"x" * length)


def test_each_frame_has_a_mask_of_its_own() -> None:
    masks = {client_frame(b"text")[2:6] for _ in range(100)}
    assert len(masks) == 100
    frame = client_frame(b"text")
    assert apply_mask(frame[6:], frame[2:6]) == b"text"


def test_frames_of_the_server_are_taken_apart_wherever_they_are_cut() -> None:
    data = b"\x81\x02ab" + b"\x89\x00" + b"\x81\x7e\x00\x80" + b"c" * 128
    whole = [(1, b"ab"), (9, b""), (1, b"c" * 128)]
    for cut in range(len(data)):
        first, left = server_frames(data[:cut])
        then, left = server_frames(left + data[cut:])
        assert [*first, *then] == whole
        assert left == b""


def test_the_collector_understands_what_a_device_says() -> None:
    async def talk() -> list[bytes]:
        device = devices.Device(3, [0.0] * len(devices.Told))
        texts = said(device)
        for switch in range(devices.SWITCHES):
            device.notify(T0, devices.everything(device.load, switch, T0))
        for count in range(devices.DELTAS):
            device.delta(T0 + count, count)
        for request in protocol.BOOTSTRAP:
            device._heard(request.encode())
        assert device._told[devices.Told.SENT] == len(texts)
        return texts

    frames = [protocol.parse(text.decode()) for text in asyncio.run(talk())]
    assert {frame.device_id for frame in frames} == {"shellypro4pm-000000000003"}
    everything, deltas, (refused, answer) = frames[:4], frames[4:10], frames[10:]
    assert [reading.channel for frame in everything for reading in frame.readings] == [
        f"switch:{number}" for number in range(4)
    ]
    assert all(frame.readings[0].record for frame in everything)
    assert all(frame.readings[0].apower_w > 5 for frame in deltas)
    assert not refused.readings
    assert answer.full
    assert len(answer.readings) == 4


def test_three_channels_draw_power_and_the_fourth_does_not() -> None:
    for load in range(devices.LOADS):
        active = [devices.watts(load, switch) > 5 for switch in range(devices.SWITCHES)]
        assert active == [True, True, True, False]


def test_a_socket_answers_pings_and_hands_over_texts() -> None:
    async def hear() -> tuple[list[bytes], list[bytes]]:
        heard: list[bytes] = []
        written: list[bytes] = []
        transport: Any = SimpleNamespace(write=written.append)
        device = DeviceSocket(heard=heard.append)
        device.connection_made(transport)
        device.data_received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x02ab\x89\x01z")
        await device.opened
        return heard, written[1:]

    heard, (pong,) = asyncio.run(hear())
    assert heard == [b"ab"]
    assert (parsed(pong).opcode, parsed(pong).data) == (10, b"z")


def test_waits_are_those_of_rows_not_of_batches() -> None:
    waits = rows.Waits([(0.1, 98), (1.0, 1), (2.0, 1)], [100])
    assert [waits.at(share) for share in (0.5, 0.99, 1.0)] == [0.1, 1.0, 2.0]


def test_rows_that_are_written_are_the_oldest_submitted() -> None:
    watch = rows.Watch(len)
    for _ in range(3):
        watch.submitted(4)
    assert watch(range(6)) == 6
    assert watch(range(6)) == 6
    assert [number for _, number in watch.waits.seconds] == [4, 2, 2, 4]
    assert watch.waits.batches == [6, 6]
    assert not watch._submitted
