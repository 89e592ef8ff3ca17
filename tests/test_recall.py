"""Rule 8, the writer's part: a channel's past, after what was queued before is written."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from powerlog.backlog import Backlog
from powerlog.recalls import Recalls
from powerlog.runs import Run
from powerlog.sampler import Past
from powerlog.spool import Spool
from powerlog.writer import RowWriter

from .doubles import Database, away, sample, until
from .frames import PUMP, T0


def asked(writer: RowWriter, device_id: str = PUMP) -> asyncio.Task[list[Past]]:
    return asyncio.ensure_future(writer.past(device_id, ["switch:2"], lambda: [sample(99)]))


async def test_the_past_is_asked_for_when_what_was_accepted_before_is_written(
    database: Database,
) -> None:
    seen: list[int] = []

    def recall(meters: Sequence[tuple[str, str]]) -> list[Past]:
        if ("", "") not in meters:  # else it only wants to know whether there is a database
            seen.append(len(database.rows))
        return [Past(sample(9, device_id=device_id)) for device_id, _ in meters]

    writer = RowWriter(database.store, recall, linger_s=0.02)
    writer.submit([sample(minute) for minute in range(5)])
    first, second = asked(writer), asked(writer, "other")
    assert [past.row.device_id for past in await first] == [PUMP]
    assert [past.row.device_id for past in await second] == ["other"]
    assert set(seen) == {5}
    writer.stop()
    assert len(database.rows) == 5, "what is due without the past is not written with it"


async def test_a_database_that_cannot_be_asked_leaves_a_device_without_its_past(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    writer = RowWriter(database.store, away, linger_s=0.02)  # type: ignore[arg-type]
    assert await asked(writer) == []
    assert await asked(writer) == []
    assert [record.levelname for record in caplog.records] == ["ERROR"], "it is said once"
    writer.submit([sample(0)])
    until(lambda: writer.written == 1)
    assert writer.failing_since is None
    writer.stop()


async def test_a_database_that_is_away_is_not_waited_for(
    writer: RowWriter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powerlog.writer.RECALL_LIMIT_S", 0.05)
    database.fault = away
    writer.submit([sample(0)])
    assert await asked(writer) == []
    assert writer.failing_since
    monkeypatch.setattr("powerlog.writer.RECALL_LIMIT_S", 60)
    assert await asked(writer) == []


def test_what_waits_for_its_past_when_the_process_ends_is_written_without_it(
    database: Database,
) -> None:
    answers = threading.Event()
    database.fault = lambda rows: answers.wait(20) and None
    writer = RowWriter(database.store, linger_s=0)
    writer.submit([sample(0)])
    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    task = loop.create_task(writer.past(PUMP, ["switch:2"], lambda: [sample(99)]))
    loop.run_until_complete(asyncio.sleep(0.01))
    answers.set()
    writer.stop()  # the loop has run for the last time
    assert [row.ts for row in database.rows] == [T0, T0 + 99 * 60]
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()


@pytest.mark.parametrize("disk", [True, False])
async def test_in_an_outage_the_past_is_what_connections_left(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: bool
) -> None:
    monkeypatch.setattr("powerlog.writer.RECALL_LIMIT_S", 10 if disk else 0.1)
    writer = RowWriter(database.store, spool=Spool(tmp_path, 1000) if disk else None, retry_s=0.01)
    writer.remember([Past(sample(1)), Past(sample(2, device_id="other"))])
    assert await asked(writer) == [], "the database is there, and knows better"
    database.fault = away
    writer.submit([sample(0)])
    until(lambda: writer.failing_since)
    assert [past.row for past in await asked(writer)] == [sample(1)]
    writer.stop(limit_s=0.1 if not disk else 8)


def test_in_an_outage_the_spool_is_told_what_is_remembered(
    writer: RowWriter, database: Database
) -> None:
    database.fault = away
    writer.submit([sample(0)])
    until(lambda: writer.failing_since)
    run = Run(PUMP, "switch:2", T0 + 60.0, 430.0)
    writer.remember([Past(sample(1), run)])
    database.fault = lambda rows: None
    until(lambda: not writer.backlog.waiting)
    assert database.rows == [sample(0), sample(1), run]


def test_of_those_who_left_only_so_many_are_remembered(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powerlog.recalls.MAX_LEFT", 2)
    recalls = Recalls(Backlog(None, 100))
    for minute, device_id in enumerate(["a", "b", "a", "c"]):
        recalls.remember([Past(sample(minute, device_id=device_id))])
    assert [(past.row.device_id, past.row.ts - T0) for past in recalls.left.values()] == [
        ("a", 120),
        ("c", 180),
    ]
