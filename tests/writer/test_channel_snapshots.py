"""How the channels stood last, for a process that starts without its database."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Snapshot
from powerlog.writer.channel_snapshots import KEPT_S, LastKnown
from tests.support.doubles import sample
from tests.support.faults import filled, small_disk
from tests.support.frames import PUMP, T0

METER = (PUMP, "switch:2")
OPEN = RunState(*METER, T0 + 5.0, 430.0, 100.0)


def opened(path: Path) -> LastKnown:
    return LastKnown(lambda: path)


def noted(last: LastKnown, due: list[Due]) -> bool:
    last.hear(due)
    return last.note()


@pytest.fixture
def last(tmp_path: Path) -> Iterator[LastKnown]:
    with closing(opened(tmp_path / "last-1.sqlite3")) as last:
        yield last


def ended(run: RunState, at: float) -> RunState:
    return RunState(
        run.device_id, run.channel, run.started_at, run.peak_w, ended_at=at, end="stopped"
    )


def test_of_each_channel_the_last_row_and_run_count(last: LastKnown) -> None:
    assert last.past(*METER) is None
    noted(last, [sample(0), OPEN, sample(7, device_id="another")])
    noted(last, [sample(1)])
    assert last.past(*METER) == Snapshot(sample(1), OPEN)
    assert last.past("another", "switch:2") == Snapshot(sample(7, device_id="another"))


def test_of_a_run_that_has_ended_its_end_is_known(last: LastKnown) -> None:
    noted(last, [sample(0), OPEN])
    noted(last, [ended(OPEN, T0 + 30.0)])
    assert last.past(*METER) == Snapshot(sample(0), ended_at=T0 + 30.0)


def test_a_process_that_was_killed_leaves_it_to_the_next(last: LastKnown, tmp_path: Path) -> None:
    noted(last, [sample(0), OPEN])
    with closing(opened(tmp_path / "last-1.sqlite3")) as again:
        assert again.past(*METER) == Snapshot(sample(0), OPEN)


def test_the_newest_of_all_processes_counts(last: LastKnown, tmp_path: Path) -> None:
    with closing(opened(tmp_path / "last-2.sqlite3")) as other:
        noted(other, [sample(0), OPEN])
        noted(last, [sample(3), RunState(*METER, T0 + 180.0, 430.0)])
        for each in (last, other):
            assert each.past(*METER) == Snapshot(sample(3), RunState(*METER, T0 + 180.0, 430.0))


@pytest.mark.parametrize("names", [("last-1", "last-2"), ("last-2", "last-1")])
def test_of_a_run_that_several_processes_told_the_newest_version_counts(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    told = ([sample(0), OPEN], [ended(OPEN, T0 + 90.0)])
    for name, due in zip(names, told, strict=True):
        with closing(opened(tmp_path / f"{name}.sqlite3")) as last:
            noted(last, due)
    with closing(opened(tmp_path / "last-3.sqlite3")) as last:
        assert last.past(*METER) == Snapshot(sample(0), ended_at=T0 + 90.0)


def test_what_is_older_than_any_gap_that_is_filled_is_forgotten(
    last: LastKnown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("powerlog.writer.channel_snapshots.time.time", lambda: now)
    noted(last, [sample(0)])
    now += KEPT_S
    assert last.past(*METER) is None
    with closing(opened(tmp_path / "last-1.sqlite3")) as again:
        now += 1
        noted(again, [sample(0, device_id="another")])
    with closing(sqlite3.connect(tmp_path / "last-1.sqlite3")) as connection:
        assert connection.execute("SELECT device_id FROM last").fetchall() == [("another",)]


def test_a_disk_that_does_not_take_it_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "missing").touch()
    with closing(opened(tmp_path / "missing" / "last-1.sqlite3")) as last:
        for _ in range(2):
            assert not noted(last, [sample(0)])
            assert last.past(*METER) == Snapshot(sample(0)), "this process knows it all the same"
        assert caplog.text.count("cannot be used") == 1
        (tmp_path / "missing").unlink()
        (tmp_path / "missing").mkdir()
        assert noted(last, [sample(0)])
    with closing(opened(tmp_path / "missing" / "last-1.sqlite3")) as again:
        assert again.past(*METER) == Snapshot(sample(0))


def test_what_is_known_can_be_read_while_the_disk_takes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with ExitStack() as stack:
        try:
            stack.enter_context(small_disk(folder, 1024 * 1024))
        except PermissionError:
            pytest.skip("may not mount a disk")
        last = stack.enter_context(closing(opened(folder / "last-1.sqlite3")))
        for _ in range(2):
            noted(last, [sample(0), OPEN])
            last.close()
        noted(last, [sample(0), OPEN])
        stack.enter_context(filled(folder))
        assert not noted(last, [sample(0, device_id=f"{number}") for number in range(999)])
        # What it gave back of the disk, if it did, somebody else has taken.
        with suppress(OSError), (folder / "more").open("wb", buffering=0) as more:
            while True:
                more.write(bytes(4096))
        assert last.past(*METER) == Snapshot(sample(0), OPEN)


def test_what_cannot_be_read_is_nothing(last: LastKnown, tmp_path: Path) -> None:
    noted(last, [sample(0), OPEN])
    with closing(sqlite3.connect(tmp_path / "last-1.sqlite3")) as connection:
        connection.execute("UPDATE last SET body = '{' WHERE kind = 'row'")
        connection.commit()
    assert last.past(*METER) is None


def test_the_file_is_bounded_and_who_was_told_of_the_longest_ago_goes(
    last: LastKnown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powerlog.writer.channel_snapshots.MAX_RECORDS", 100)
    now = 1_800_000_000.0
    monkeypatch.setattr("powerlog.writer.channel_snapshots.time.time", lambda: now)
    for number in range(300):
        now += 1
        noted(last, [sample(0, device_id=f"invented-{number}"), sample(number)])
    with closing(sqlite3.connect(tmp_path / "last-1.sqlite3")) as connection:
        (records,) = connection.execute("SELECT count(*) FROM last").fetchone()
    assert records <= 101
    assert last.past(*METER) == Snapshot(sample(299))
    assert last.past("invented-299", "switch:2")
    assert last.past("invented-0", "switch:2") is None


def test_what_waits_in_memory_for_a_disk_that_takes_nothing_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powerlog.writer.channel_snapshots.MAX_RECORDS", 100)
    with closing(opened(tmp_path / "missing" / "last-1.sqlite3")) as last:
        for number in range(300):
            assert not noted(last, [sample(0, device_id=f"invented-{number}")])
        assert len(last._unsaved) == 100
