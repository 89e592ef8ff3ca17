"""A device that comes back without a channel: the run of that channel ends, on both databases."""

import time
from pathlib import Path
from typing import Any

import pytest

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Sample, Snapshot
from powerlog.writer.row_writer import row_writer
from tests.support.dialling import Dial
from tests.support.dialling import send as handle
from tests.support.frames import PUMP, T0, full
from tests.support.knocking import dial as dialled
from tests.support.knocking import power
from tests.support.servers import Server, running, serve, until


def ends(server: Server) -> list[tuple[str, str]]:
    return [(channel, end) for channel, *_, end in server.runs()]


@pytest.mark.parametrize("logged", ["0", "*"], ids=["cover is not logged", "cover is logged"])
def test_the_run_of_a_channel_that_did_not_come_back_ends(
    ready_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: str
) -> None:
    monkeypatch.setenv("CHANNELS", logged)
    with running(serve(ready_database, tmp_path)) as server:
        with dialled(server) as device:
            device.send(power(PUMP, 430.0))
            until(lambda: ends(server) == [("switch:0", "")])
        with dialled(server) as device:
            device.send(full(time.time(), PUMP, cover_0={"state": "stopped", "apower": 0.0}))
            until(lambda: ends(server) == [("switch:0", "lost contact")])


async def test_a_first_status_without_a_logged_channel_asks_for_the_open_runs(
    dial: Dial, rows: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    row = Sample(T0 - 60, PUMP, "switch:2", 430.0, 228.0, 2.2, 90.0, "measured")

    async def past(device_id: str, channels: list[str], otherwise: Any) -> list[Snapshot]:
        assert (device_id, channels) == (PUMP, [])
        return [Snapshot(row, RunState(PUMP, "switch:2", T0 - 200.0, 430.0))]

    monkeypatch.setattr(row_writer, "past", past)
    monkeypatch.setattr(row_writer, "submit", lambda due, *origin: told.extend(due))
    socket = await dial()
    await handle(socket, full(T0 + 1, PUMP, sys={"uptime": 5}), full(T0 + 2, PUMP))
    assert [(run.channel, run.ended_at, run.end) for run in told] == [
        ("switch:2", T0 - 60.0, "lost contact")
    ]
