"""Rule 8, the writer's part: a channel's past, after what was queued before is written."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Sample, Snapshot
from powerlog.writer.row_writer import RowWriter
from powerlog.writer.spool import Spool
from tests.support.doubles import Database, away, sample, until
from tests.support.frames import PUMP, T0


def asked(writer: RowWriter, device_id: str = PUMP) -> asyncio.Task[list[Snapshot]]:
    return asyncio.ensure_future(writer.past(device_id, ["switch:2"], lambda known: [sample(99)]))


async def test_the_past_is_asked_for_when_what_was_accepted_before_is_written(
    database: Database,
) -> None:
    seen: list[int] = []

    def recall(meters: Sequence[tuple[str, str]]) -> list[Snapshot]:
        if ("", "") not in meters:  # else it only wants to know whether there is a database
            seen.append(len(database.rows))
        return [Snapshot(sample(9, device_id=device_id)) for device_id, _ in meters]

    writer = RowWriter(database.store, recall, linger_s=0.02)
    writer.submit([sample(minute) for minute in range(5)])
    first, second = asked(writer), asked(writer, "other")
    assert [past.row.device_id for past in await first] == [PUMP]
    assert [past.row.device_id for past in await second] == ["other"]
    assert set(seen) == {5}
    writer.stop()
    assert len(database.rows) == 5, "what is due without the past is not written with it"


async def test_a_database_that_cannot_be_asked_leaves_a_device_without_its_past(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powerlog.writer.row_writer.RECALL_LIMIT_S", 0.05)
    writer = RowWriter(database.store, away, linger_s=0.02)  # type: ignore[arg-type]
    assert await asked(writer) == []
    assert await asked(writer) == []
    assert [record.levelname for record in caplog.records] == ["ERROR"], "it is said once"
    writer.submit([sample(0)])
    until(lambda: writer.written == 1)
    assert writer.failing_since is None
    writer.stop()


async def test_a_database_that_is_away_is_waited_for_no_longer_than_its_limit(
    writer: RowWriter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powerlog.writer.row_writer.RECALL_LIMIT_S", 0.05)
    answers = threading.Event()
    database.fault = lambda rows: answers.wait(20) and None
    writer.submit([sample(0)])
    assert await asked(writer) == []
    answers.set()


def test_what_waits_for_its_past_when_the_process_ends_is_written_with_what_is_known(
    database: Database, tmp_path: Path
) -> None:
    answers = threading.Event()
    database.fault = lambda rows: answers.wait(20) and None
    writer = RowWriter(database.store, spool=Spool(tmp_path, 1000), linger_s=0)
    run = RunState(PUMP, "switch:2", T0 + 5.0, 430.0, 100.0)
    writer.submit([sample(0), run])
    known: list[Snapshot] = []

    def untold(past: list[Snapshot]) -> list[Sample]:
        known.extend(past)
        return [sample(99)]

    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    task = loop.create_task(writer.past(PUMP, ["switch:2"], untold))
    loop.run_until_complete(asyncio.sleep(0.01))
    answers.set()
    writer.stop()  # the loop has run for the last time
    assert known == [Snapshot(sample(0), run)]
    assert database.rows == [sample(0), run, sample(99)]
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()


async def test_in_an_outage_the_past_is_what_this_machine_knows_also_of_a_process_before(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powerlog.writer.row_writer.RECALL_LIMIT_S", 0.3)
    run = RunState(PUMP, "switch:2", T0 + 5.0, 430.0, 100.0)
    before = RowWriter(database.store, spool=Spool(tmp_path, 1000), linger_s=0)
    before.submit([sample(0), run])
    before.stop()
    assert database.rows == [sample(0), run]
    after = RowWriter(away, away, Spool(tmp_path, 1000), retry_s=0.01)  # type: ignore[arg-type]
    assert await asked(after) == [Snapshot(sample(0), run)]
    after.submit([sample(1)])
    until(lambda: after.backlog.spooled)
    assert [past.row for past in await asked(after)] == [sample(1)]
    after.stop()


async def test_a_database_that_hangs_when_it_is_asked_is_not_waited_for(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powerlog.writer.row_writer.RECALL_LIMIT_S", 0.3)
    thawed = threading.Event()

    def hang(meters: Sequence[tuple[str, str]]) -> list[Snapshot]:
        if ("", "") not in meters:
            thawed.wait(20)
        return [Snapshot(sample(7))]

    writer = RowWriter(database.store, hang, Spool(tmp_path, 1000), linger_s=0)
    writer.submit([sample(0)])
    assert await asked(writer) == [Snapshot(sample(0))]
    thawed.set()
    writer.stop()


async def test_a_database_that_takes_no_rows_may_still_know_the_past(
    database: Database, tmp_path: Path
) -> None:
    database.fault = away
    spool = Spool(tmp_path, 1000)
    writer = RowWriter(database.store, lambda meters: [Snapshot(sample(7))], spool, retry_s=0.01)
    writer.submit([sample(0, device_id="another")])
    until(lambda: writer.failing_since)
    assert [past.row for past in await asked(writer)] == [sample(7)]
    writer.stop()
