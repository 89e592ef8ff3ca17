"""The spool: what it has accepted it gives back, in order, to whoever opens it next."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Snapshot
from powerlog.writer.fair_queue import Lot
from powerlog.writer.spool import Spool, SpoolError
from powerlog.writer.spool_file import SpoolFile
from tests.support.doubles import sample
from tests.support.frames import PUMP, T0

ORIGIN = "192.0.2.1"


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "spool", max_rows=1000)) as spool:
        spool.open()
        yield spool


def run(start: float, **values: object) -> RunState:
    return RunState(PUMP, "switch:2", T0 + start, 430.0, 100.0, **values)  # type: ignore[arg-type]


def of(due: list[Due]) -> list[Lot]:
    """All from one address."""
    return [(ORIGIN, due)]


def emptied(spool: Spool, at_once: int = 3) -> list[Due]:
    """All that it gives back, until it is empty."""
    found: list[Due] = []
    while spool.depth:
        head = spool.head(at_once)
        found += head.due
        spool.remove(head)
    return found


def test_it_gives_back_what_it_was_given_in_order(spool: Spool) -> None:
    due = [sample(1, 433.25), run(5, ended_at=T0 + 65.5, end="stopped"), sample(0), run(70)]
    spool.append(of(due[:3]))
    spool.append(of(due[3:]))
    assert spool.depth == 4
    assert emptied(spool) == due


def test_what_is_not_removed_is_given_again(spool: Spool) -> None:
    spool.append(of([sample(0), sample(1)]))
    assert spool.head(1).due == spool.head(1).due == [sample(0)]
    spool.remove(spool.head(1))
    assert spool.head(9).due == [sample(1)]


def test_an_empty_spool_has_no_file(spool: Spool) -> None:
    assert list(spool.folder.glob("*.sqlite3*")) == []
    spool.append(of([sample(0)]))
    assert (spool.folder / "spool-1.sqlite3").exists()
    emptied(spool)
    assert list(spool.folder.glob("*.sqlite3*")) == []
    assert (spool.depth, spool.oldest_at) == (0, None)
    spool.append(of([sample(1)]))
    assert emptied(spool) == [sample(1)]


def test_a_full_disk_leaves_no_file_without_a_record(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    for part in ("append", "__init__"):
        with monkeypatch.context() as patch:
            patch.setattr(SpoolFile, part, full)
            (spool.folder / "spool-1.sqlite3-wal").touch()
            with pytest.raises(SpoolError, match="disk is full"):
                spool.append(of([sample(0)]))
        assert list(spool.folder.glob("*.sqlite3*")) == []
    spool.append(of([sample(1)]))
    with monkeypatch.context() as patch:
        patch.setattr(SpoolFile, "append", full)
        with pytest.raises(SpoolError, match="disk is full"):
            spool.append(of([sample(2)]))
    assert emptied(spool) == [sample(1)], "what was there already stays"


def test_it_can_be_read_with_ordinary_tools_while_it_is_in_use(spool: Spool) -> None:
    spool.append(of([sample(0)]))
    with closing(sqlite3.connect(spool.folder / "spool-1.sqlite3")) as other:
        ((device_id, kind, body),) = other.execute("SELECT device_id, kind, body FROM spool")
    assert (device_id, kind, json.loads(body)["apower_w"]) == (PUMP, "row", 430.0)


def test_the_next_process_finds_what_a_killed_one_left(spool: Spool, tmp_path: Path) -> None:
    spool.append(of([sample(0), sample(1)]))
    spool.remove(spool.head(1))
    shutil.copytree(spool.folder, tmp_path / "as it was")  # nothing was closed, nothing flushed
    with closing(Spool(tmp_path / "as it was", 1000)) as again:
        again.open()
        again.append(of([sample(2)]))
        assert emptied(again) == [sample(1), sample(2)]


def test_each_process_has_a_file_of_its_own(spool: Spool) -> None:
    with closing(Spool(spool.folder, 1000)) as other:
        other.open()
        spool.append(of([sample(0)]))
        other.append(of([sample(1)]))
        assert (spool.depth, other.depth) == (1, 1)
        assert emptied(other) == [sample(1)]
    assert emptied(spool) == [sample(0)]


def test_what_others_left_behind_comes_first(spool: Spool) -> None:
    with closing(Spool(spool.folder, 1000)) as other:
        other.open()
        other.append(of([sample(0)]))
        spool.append(of([sample(1)]))
    spool.close()
    with closing(Spool(spool.folder, 1000)) as again:
        again.open()
        assert again.depth == 2
        again.append(of([sample(2)]))
        assert {row.ts for row in emptied(again)} == {T0, T0 + 60, T0 + 120}
    assert list(spool.folder.glob("*.sqlite3*")) == []


def test_beyond_its_bound_the_oldest_go(tmp_path: Path) -> None:
    with closing(Spool(tmp_path, max_rows=3)) as spool:
        spool.append(of([sample(minute) for minute in range(5)]))
        assert (spool.shorten(), spool.depth, spool.shorten()) == ({ORIGIN: 2}, 3, {})
        assert emptied(spool) == [sample(2), sample(3), sample(4)]


def test_a_file_that_is_damaged_is_kept_aside_and_does_not_stop_the_next(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    path = spool.folder / "spool-1.sqlite3"
    path.write_bytes(b"this is no database" * 1000)
    spool.open()
    spool.append(of([sample(0)]))
    assert emptied(spool) == [sample(0)]
    assert "is damaged" in caplog.text
    (aside,) = spool.folder.glob("*damaged*")
    assert aside.read_bytes().startswith(b"this is no database")


def test_damage_in_use_is_counted(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    spool.append(of([sample(minute) for minute in range(200)]))
    with closing(sqlite3.connect(spool.folder / "spool-1.sqlite3")) as other:
        other.execute("PRAGMA writable_schema=ON")
        other.execute("UPDATE sqlite_master SET rootpage = 9999 WHERE name = 'spool'")
        other.execute("PRAGMA schema_version=999")
        other.commit()
    assert not spool.head(10).places
    assert (spool.depth, spool.unreadable) == (0, 200)
    assert "200 rows lost" in caplog.text
    spool.append(of([sample(0)]))
    assert emptied(spool) == [sample(0)]


@pytest.mark.parametrize(
    ("kind", "body"),
    [("row", "{"), ("row", "{}"), ("row", '{"ts":"x"}'), ("note", "{}"), (None, None)],
)
def test_a_record_that_cannot_be_read_costs_itself(
    spool: Spool, kind: str | None, body: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    spool.append(of([sample(0), sample(1), sample(2)]))
    with closing(sqlite3.connect(spool.folder / "spool-1.sqlite3")) as other:
        other.execute("UPDATE spool SET kind = ?, body = ? WHERE id = 2", (kind, body))
        other.commit()
    assert emptied(spool) == [sample(0), sample(2)]
    assert spool.unreadable == 1
    assert "a record of the spool that is none" in caplog.text


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match=r"Not a directory|File exists"):
        Spool(tmp_path / "file", 1000).open()


def test_a_spool_that_could_not_be_opened_tries_again(tmp_path: Path) -> None:
    (tmp_path / "spool").touch()
    with closing(Spool(tmp_path / "spool", 1000)) as spool:
        for attempt in (spool.open, lambda: spool.append(of([sample(0)]))):
            with pytest.raises(SpoolError):
                attempt()
        (tmp_path / "spool").unlink()
        spool.append(of([sample(0)]))
        assert emptied(spool) == [sample(0)]


def past(spool: Spool, before: Snapshot | None = None) -> Snapshot | None:
    return spool.past(PUMP, "switch:2", before)


def test_rule_8_the_past_is_what_waits_on_top_of_what_the_database_knows(spool: Spool) -> None:
    known = Snapshot(sample(0), run(1))
    assert past(spool) is None
    assert past(spool, known) == known
    spool.append(of([sample(1, 450.0), sample(1, device_id="another")]))
    found = past(spool, known)
    assert found
    assert (found.row, found.run and found.run.started_at) == (sample(1, 450.0), T0 + 1)
    assert found.run
    assert found.run.peak_w == 450.0, "its rows know of readings after the first"


def test_rule_8_the_run_that_was_told_last_counts(spool: Spool) -> None:
    spool.append(of([sample(0), run(1), run(1, ended_at=T0 + 30, end="stopped")]))
    assert past(spool, Snapshot(sample(-1), run(1))) == Snapshot(sample(0), ended_at=T0 + 30)
    later = Snapshot(sample(-1), ended_at=T0 + 45.0)
    assert past(spool, later) == Snapshot(sample(0), ended_at=T0 + 45.0)
    spool.append(of([run(40), run(1, ended_at=T0 + 30, end="stopped")]))  # settled late
    found = past(spool)
    assert found
    assert found.run == run(40)


def test_rule_8_without_a_row_there_is_no_past(spool: Spool) -> None:
    spool.append(of([run(1)]))
    assert past(spool) is None
