"""What the processes on one port tell each other, and what `/` makes of it."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from powerlog import steady_thread
from powerlog.monitoring import health, other_processes
from powerlog.monitoring.other_processes import TELL_S, Neighbours
from tests.support.servers import until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The monotonic clock of this machine, and which process tells how it is."""
    clock = SimpleNamespace(now=1000.0, pid=1, monotonic=lambda: clock.now)
    monkeypatch.setattr(other_processes, "time", clock)
    real = health.own

    def own(place: str) -> health.Health:
        told = real(place)
        told.pid, told.at = clock.pid, clock.now
        return told

    monkeypatch.setattr(health, "own", own)
    return clock


def exchange(clock: SimpleNamespace, own: Path) -> list[int]:
    """The process of this number tells how it is. Of which others it hears."""
    clock.pid, told = int(own.name), Neighbours()
    told.exchange(own)
    return sorted(other.pid for other in told.others)


def test_each_hears_of_all_the_others(tmp_path: Path, clock: SimpleNamespace) -> None:
    assert exchange(clock, tmp_path / "1") == []
    assert exchange(clock, tmp_path / "2") == [1]
    assert exchange(clock, tmp_path / "3") == [1, 2]
    assert exchange(clock, tmp_path / "1") == [2, 3]
    (tmp_path / "2").unlink()  # as the parent does with what the dead have told
    assert exchange(clock, tmp_path / "1") == [3]


def test_what_was_told_long_ago_does_not_count(tmp_path: Path, clock: SimpleNamespace) -> None:
    exchange(clock, tmp_path / "1")
    clock.now += 4
    assert exchange(clock, tmp_path / "2") == [1]
    clock.now += 2
    assert exchange(clock, tmp_path / "2") == []


def test_a_folder_that_takes_nothing_is_one_error_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(steady_thread, "RETRY_S", 0.01)
    monkeypatch.setattr(other_processes, "TELL_S", 0.01)
    one, folder, file = Neighbours(), tmp_path / "folder", tmp_path / "folder" / "1"
    one.meet(file, 2)
    until(lambda: caplog.messages)
    folder.mkdir()
    until(file.exists)
    shutil.rmtree(folder, ignore_errors=True)
    one.leave(file)
    assert {line.partition(" '")[0] for line in caplog.messages} == {
        "the thread neighbours has failed, it is tried again: "
        "FileNotFoundError: [Errno 2] No such file or directory:"
    }
    assert len(caplog.messages) <= 2


def test_one_that_tells_rubbish_does_not_count(tmp_path: Path, clock: SimpleNamespace) -> None:
    exchange(clock, tmp_path / "1")
    (tmp_path / "2").write_bytes(b'{"pid": "of another version"}')
    assert exchange(clock, tmp_path / "3") == [1]


def test_what_others_told_does_not_count_for_ever_where_nobody_listens(
    tmp_path: Path, clock: SimpleNamespace
) -> None:
    exchange(clock, tmp_path / "1")
    two = Neighbours()
    two.exchange(tmp_path / "2")
    assert len(two.everybody()) == 2
    clock.now += 6
    assert len(two.everybody()) == 1


def test_who_leaves_last_takes_the_folder_along(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    one, two = Neighbours(), Neighbours()
    one.meet(folder / "1", 2)
    two.meet(folder / "2", 2)
    until(lambda: one.others and two.others, 10 * TELL_S)
    one.leave(folder / "1")
    assert [path.name for path in folder.iterdir() if not path.suffix] == ["2"]
    two.leave(folder / "2")
    assert not folder.exists()
