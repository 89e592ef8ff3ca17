"""The socket, through the real application: handshake, requests, frames in, rows out."""

import asyncio
import logging
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator

from collector_site.asgi import application
from powerlog.core.channel_state import Own
from powerlog.core.protocol import REQUESTS
from powerlog.core.sampler import Rules, Sample
from powerlog.devices.connections import traffic
from powerlog.devices.registry import registry
from tests.support.dialling import Dial, handled, send
from tests.support.frames import NO_HANDLER, PUMP, STATUS, T0, answer, delta, full, meter, text

pytestmark = pytest.mark.usefixtures("rows", "no_device_is_left_behind")


async def test_on_connect_it_asks_for_the_status_and_says_nothing_else(dial: Dial) -> None:
    socket = await dial()
    assert await socket.receive_nothing()


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["json-rpc"], "json-rpc"), (["x", "json-rpc"], "json-rpc"), ([], None)]
)
async def test_the_subprotocol_is_echoed_where_it_is_offered(
    offered: list[str], chosen: str | None
) -> None:
    socket = WebsocketCommunicator(application, "/ws", subprotocols=offered)
    assert await socket.connect() == (True, chosen)
    await socket.disconnect()


async def test_a_subprotocol_that_is_not_ours_is_not_chosen() -> None:
    socket = WebsocketCommunicator(application, "/ws", subprotocols=["mqtt"])
    assert await socket.connect() == (True, None)
    await socket.disconnect()


@pytest.mark.parametrize("headers", [[], [(b"origin", b"https://mongoose-os.com")]])
async def test_a_device_gets_in_whatever_its_origin(dial: Dial, headers: list[Any]) -> None:
    await dial(headers=headers)


@pytest.mark.parametrize("path", ["/ws", "/ws/", "/ws?token=abc"])
async def test_the_address_may_end_in_a_slash_or_a_query(dial: Dial, path: str) -> None:
    await dial(path)


@pytest.mark.parametrize("path", ["/", "/wss", "/ws/other/deep", "/admin/"])
async def test_a_socket_to_any_other_address_is_refused(path: str) -> None:
    socket = WebsocketCommunicator(application, path)
    accepted, _ = await socket.connect()
    assert not accepted


async def test_the_opening_of_a_real_session_makes_one_row(dial: Dial, rows: list[Sample]) -> None:
    socket = await dial()
    await send(
        socket,
        full(None, switch_0=meter(0.0), switch_2=meter(430.0, 2718.032)),
        NO_HANDLER,
        answer(switch_0=meter(0.0), switch_2=meter(430.0, 2718.032)),
        delta(None, ws={"connected": True}),
    )
    (row,) = rows
    assert (row.device_id, row.channel, row.apower_w) == (PUMP, "switch:2", 430.0)
    assert (row.voltage_v, row.energy_total_wh, row.source) == (229.4, 2718.032, "measured")
    assert row.ts % 60 == 0


async def test_numbers_that_are_texts_are_counted_and_logged_once_for_a_connection(
    dial: Dial, rows: list[Sample], caplog: pytest.LogCaptureFixture
) -> None:
    before = traffic.texts
    socket = await dial()
    await send(socket, full(None, switch_2=meter(0.0) | {"apower": "433.8", "current": "2.631"}))
    await send(socket, *[delta(None, switch_2={"output": True, "apower": "433.8"})] * 3)
    assert rows == []
    assert traffic.texts - before == 5
    (line,) = [message for message in caplog.messages if "texts" in message]
    assert line.startswith(PUMP)
    assert line.endswith(
        "texts instead of numbers are not taken: 'switch:2.apower, switch:2.current'"
    )


async def test_every_model_of_the_fixtures_is_listened_to(dial: Dial) -> None:
    socket = await dial()
    bad = traffic.bad_frames
    await send(socket, *(text(id=2, src=PUMP, result=status) for status in STATUS.values()))
    assert traffic.bad_frames == bad


async def test_a_bad_frame_is_counted_and_logged_once_and_the_socket_stays_open(
    dial: Dial, rows: list[Sample], caplog: pytest.LogCaptureFixture
) -> None:
    socket = await dial()
    before = traffic.bad_frames
    await send(socket, "rubbish" * 100, "{}", '{"src":', delta(None, switch_1=meter(9.0)))
    assert traffic.bad_frames - before == 3
    assert [row.channel for row in rows] == ["switch:1"]
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "not JSON" in warning.getMessage()
    assert len(warning.getMessage()) < 200


async def test_a_binary_message_is_a_bad_frame(dial: Dial) -> None:
    socket = await dial()
    before = traffic.bad_frames
    count = traffic.frames + 1
    await socket.send_to(bytes_data=delta(None, switch_2=meter(9.0)).encode())
    await asyncio.wait_for(handled(count), 20)
    assert traffic.bad_frames - before == 1


async def test_the_log_names_a_device_when_it_comes_and_when_it_goes(
    dial: Dial, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "powerlog")
    socket = await dial()
    await send(socket, delta(None, switch_2=meter(9.0)), delta(None, switch_2=meter(8.0)))
    await socket.disconnect()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith(PUMP)
    assert "connected" in lines[0]
    assert "gone" in lines[1]


async def test_of_two_sockets_of_one_device_the_newest_is_live_and_the_old_one_closed(
    dial: Dial, rows: list[Sample]
) -> None:
    old, new = await dial(), await dial()
    await send(old, delta(None, switch_2=meter(1.0)))
    await send(new, delta(None, switch_2=meter(1.0)))
    assert await old.receive_output() == {"type": "websocket.close", "code": 4000}
    await old.send_to(text_data=delta(None, switch_2=meter(430.0)))
    await old.disconnect()
    assert rows == []
    assert list(traffic.devices) == [PUMP]
    await send(new, delta(None, switch_2=meter(430.0)))
    assert len(rows) == 1
    await new.disconnect()
    assert len(traffic.devices) == 0


async def test_a_device_is_gone_when_the_server_ends_its_connection(dial: Dial) -> None:
    socket = await dial()
    await send(socket, delta(None, switch_2=meter(1.0)))
    socket.future.cancel()  # what Daphne does when it stops
    with pytest.raises(asyncio.CancelledError):
        await socket.future
    assert not traffic.devices


async def test_the_channels_are_a_setting(dial: Dial, rows: list[Sample], settings: Any) -> None:
    settings.SAMPLING_RULES = Rules(channels=frozenset({"cover:0"}), power_threshold_w=100.0)
    socket = await dial()
    await send(socket, delta(None, cover_0=meter(101.0), switch_2=meter(500.0)))
    assert [row.channel for row in rows] == ["cover:0"]


async def test_frames_are_handled_while_a_database_call_holds_the_shared_thread(
    dial: Dial, rows: list[Sample]
) -> None:
    answers = threading.Event()
    slow_page = asyncio.ensure_future(sync_to_async(answers.wait)(20))
    await asyncio.sleep(0.01)
    socket = await dial()
    await send(socket, delta(None, switch_2=meter(430.0)))
    assert len(rows) == 1
    assert not slow_page.done()
    answers.set()
    await slow_page


async def test_a_message_is_of_the_moment_at_which_the_server_received_it(
    dial: Dial, rows: list[Sample]
) -> None:
    socket = await dial()
    await send(socket, delta(None, switch_2=meter(430.0)))
    # As collector_site's own socket gives it: an answer that has waited since the last minute.
    late = {"text": answer(switch_2=meter(440.0)), "at": T0 - 30.0}
    await socket.send_input({"type": "websocket.receive", **late})
    await send(socket, delta(None, switch_2=meter(430.0)))
    assert [row.ts for row in rows] == [T0]


async def test_it_asks_who_the_device_is_one_question_at_a_time(dial: Dial) -> None:
    socket = await dial()
    await send(socket, full(T0, switch_2=meter(430.0)), NO_HANDLER)
    assert await socket.receive_nothing()
    for number in (3, 4):
        answered = answer() if number == 3 else text(id=3, src=PUMP, error={"code": 404})
        await send(socket, answered)
        assert await socket.receive_from() == REQUESTS[number]
        await send(socket, answered)  # again: nothing more is asked
        assert await socket.receive_nothing()
    await send(socket, text(id=4, src=PUMP, dst="collector", result={}))
    assert await socket.receive_nothing()


async def test_what_staff_have_set_holds_for_a_connection_that_is_there(
    dial: Dial, rows: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await dial()
    monkeypatch.setattr(registry, "own", {(PUMP, "switch:2"): Own(logged=False)})
    await send(socket, delta(T0, switch_2=meter(430.0)))
    assert rows == []
    monkeypatch.setattr(registry, "own", {})
    await send(socket, delta(T0 + 1, switch_2=meter(430.0)))
    assert len(rows) == 1
