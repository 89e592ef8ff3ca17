"""What the processes on one port tell each other, and what `/` makes of it."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from powerlog.running import health, neighbours
from powerlog.running.neighbours import TELL_S, Neighbours

from .servers import until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The monotonic clock of this machine, and which process tells how it is."""
    clock = SimpleNamespace(now=1000.0, pid=1, monotonic=lambda: clock.now)
    monkeypatch.setattr(neighbours, "time", clock)
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
    tmp_path: Path, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    one, folder = Neighbours(), tmp_path / "folder"
    for _ in range(2):
        one.exchange(folder / "1")
    folder.mkdir()
    one.exchange(folder / "1")
    shutil.rmtree(folder)
    one.exchange(folder / "1")
    assert len(caplog.messages) == 2
    assert "the other processes do not hear of this one" in caplog.messages[0]


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
