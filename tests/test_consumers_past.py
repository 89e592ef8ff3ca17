"""Rule 8, the consumer's part: the past before the first reading, and what is left at the end."""

import asyncio
from typing import Any

import pytest

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Sample, Snapshot
from powerlog.writer.row_writer import row_writer
from tests.support.dialling import Dial, send
from tests.support.frames import PUMP, T0, delta, meter

pytestmark = pytest.mark.usefixtures("rows", "no_device_is_left_behind")


async def test_rule_8_the_open_runs_are_told_when_the_connection_ends(
    dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(row_writer, "submit", lambda due, address: told.extend(due))
    socket = await dial()
    await send(socket, delta(None, switch_2=meter(430.0, 100.0)))
    told.clear()
    await socket.disconnect()
    (run,) = told
    assert (run.ended_at, run.heard_at, run.counter_wh) == (None, T0 + 30.0, 100.0)


async def test_rule_8_the_first_frame_waits_for_the_past_and_later_ones_for_it(
    dial: Dial, rows: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = asyncio.Event()
    now = T0
    row = Sample(now - 180, PUMP, "switch:2", 400.0, 228.0, 2.2, 90.0, "measured")
    asked: list[Any] = []

    async def past(device_id: str, channels: list[str], otherwise: Any) -> list[Snapshot]:
        asked.append((device_id, channels))
        await answers.wait()
        return [Snapshot(row, RunState(PUMP, "switch:2", now - 200.0, 400.0))]

    monkeypatch.setattr(row_writer, "past", past)
    socket = await dial()
    for power in (430.0, 440.0):
        await socket.send_to(text_data=delta(now + 1, switch_2={"apower": power}))
    await asyncio.sleep(0.01)
    assert rows == []
    answers.set()
    await send(socket, delta(now + 2, switch_2={"apower": 450.0}))
    assert [(r.ts - now, r.apower_w, r.source) for r in rows] == [
        (-120, 400.0, "carried"),
        (-60, 400.0, "carried"),
        (0, 430.0, "measured"),
    ]
    assert asked == [(PUMP, ["switch:2"])]


async def test_a_frame_that_waits_for_the_past_when_its_socket_ends_counts_all_the_same(
    dial: Dial, rows: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def past(*question: Any) -> list[Snapshot]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(row_writer, "past", past)
    socket = await dial()
    await send(socket, delta(None, switch_2=meter(430.0)))
    socket.future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await socket.future
    assert len(rows) == 1


async def test_a_run_goes_on_when_the_process_ends_while_a_frame_waits_for_the_past(
    dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def past(device_id: str, channels: list[str], otherwise: Any) -> list[Snapshot]:
        asked.append(otherwise)
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(row_writer, "past", past)
    socket = await dial()
    await send(socket, delta(T0 + 1, switch_2=meter(430.0, 101.0)))
    row = Sample(T0 - 60, PUMP, "switch:2", 430.0, 228.0, 2.2, 90.0, "measured")
    run = RunState(PUMP, "switch:2", T0 - 200.0, 430.0, 90.0)
    told = asked[0]([Snapshot(row, run)])
    assert [(each.started_at, each.energy_wh) for each in told if isinstance(each, RunState)] == [
        (run.started_at, 11.0)
    ]
    socket.future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await socket.future


async def test_what_is_known_belongs_to_the_connection(dial: Dial, rows: list[Sample]) -> None:
    first = await dial()
    await send(first, delta(None, switch_2={"apower": 400.0}))
    await first.disconnect()
    second = await dial()
    rows.clear()
    await send(second, delta(None, switch_2={"current": 2.0}))
    assert rows == []
