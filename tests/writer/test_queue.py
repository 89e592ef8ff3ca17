"""The backlog: memory, hand and spool in one order, also when the disk is full."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from powerlog.writer.queue import Backlog
from powerlog.writer.spool import Spool
from powerlog.writer.spool_file import SpoolFile
from tests.support.doubles import sample

ORIGIN = "192.0.2.1"


@pytest.fixture
def backlog(tmp_path: Path) -> Iterator[Backlog]:
    with closing(Backlog(Spool(tmp_path, max_rows=5), max_waiting=100)) as backlog:
        backlog.open()
        yield backlog


@pytest.fixture
def fill_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    return lambda: monkeypatch.setattr(SpoolFile, "append", full)


def rows(*minutes: int) -> list:
    return [sample(minute) for minute in minutes]


def test_what_is_taken_waits_until_it_is_finished(backlog: Backlog) -> None:
    backlog.add(rows(0, 1, 2), ORIGIN)
    assert backlog.take(2) == rows(0, 1)
    assert (backlog.waiting, backlog.untaken) == (3, 1)
    backlog.finish()
    assert (backlog.waiting, backlog.done) == (1, 2)


def test_what_is_put_back_comes_out_again_first(backlog: Backlog) -> None:
    backlog.add(rows(0, 1, 2), ORIGIN)
    backlog.put_back(backlog.take(2)[1:])
    assert (backlog.waiting, backlog.done) == (2, 1)
    assert backlog.take(9) == rows(1, 2)


def test_what_is_saved_is_no_longer_in_memory_alone_and_comes_out_before_what_is(
    backlog: Backlog,
) -> None:
    backlog.add(rows(0, 1), ORIGIN)
    backlog.save()
    backlog.add(rows(2), ORIGIN)
    assert (backlog.waiting, backlog.spooled) == (1, 2)
    assert backlog.take(9) == rows(0, 1)
    backlog.finish()
    assert backlog.spooled == 0
    assert backlog.take(9) == rows(2)


def test_what_is_in_hand_is_saved_first_and_leaves_the_spool_when_it_is_finished(
    backlog: Backlog,
) -> None:
    backlog.add(rows(0, 1), ORIGIN)
    backlog.take(1)
    backlog.save()
    assert (backlog.waiting, backlog.spooled) == (0, 2)
    backlog.finish()
    assert backlog.take(9) == rows(1)


def test_what_is_in_hand_and_saved_comes_out_again_whole_when_it_is_put_back(
    backlog: Backlog,
) -> None:
    backlog.add(rows(0, 1, 2), ORIGIN)
    taken = backlog.take(2)
    backlog.save()
    backlog.put_back(taken[1:])
    assert (backlog.waiting, backlog.spooled) == (0, 3)
    assert backlog.take(9) == rows(0, 1, 2)


def test_a_full_disk_leaves_it_in_memory_and_says_so_once(
    backlog: Backlog,
    fill_disk: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fill_disk()
    backlog.add(rows(0, 1, 2), ORIGIN)
    backlog.take(1)
    backlog.save()
    backlog.save()
    assert (backlog.waiting, backlog.spooled, backlog.lost) == (3, 0, 0)
    monkeypatch.undo()
    backlog.save()
    assert (backlog.waiting, backlog.spooled) == (0, 3)
    messages = [(record.levelno, record.getMessage()[:23]) for record in caplog.records]
    assert messages == [
        (logging.ERROR, "the spool takes nothing"),
        (logging.WARNING, "the spool takes rows ag"),
    ]


def test_what_fits_neither_on_the_disk_nor_into_memory_is_counted(
    backlog: Backlog, fill_disk: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    fill_disk()
    for minute in range(130):
        backlog.add(rows(minute), ORIGIN)
        backlog.save()
    assert (backlog.waiting, backlog.lost) == (100, 30)
    assert backlog.take(1) == rows(30), "the oldest go"
    assert caplog.text.count("the oldest are given up") == 1


def test_what_does_not_fit_into_the_spool_is_counted(
    backlog: Backlog, caplog: pytest.LogCaptureFixture
) -> None:
    backlog.add(rows(*range(8)), ORIGIN)
    backlog.save()
    assert (backlog.spooled, backlog.lost) == (5, 3)
    assert backlog.take(9) == rows(3, 4, 5, 6, 7)
    assert "more rows wait than fit into the spool: the oldest are given up" in caplog.text


def test_an_overflow_is_logged_once_until_there_is_room_again(
    backlog: Backlog, caplog: pytest.LogCaptureFixture
) -> None:
    def errors() -> int:
        return caplog.text.count("more rows wait than fit into memory")

    backlog.add(rows(*range(150)), ORIGIN)
    assert "of 192.0.2.1 first" in caplog.text
    for _ in range(5):  # a batch goes in meanwhile, and more comes than that
        backlog.take(10)
        backlog.finish()
        backlog.add(rows(*range(50)), ORIGIN)
    assert (errors(), backlog.lost) == (1, 50 + 5 * 40)
    backlog.take(60)
    backlog.finish()
    backlog.add(rows(*range(150)), ORIGIN)
    assert errors() == 2


def test_its_age_is_that_of_the_oldest_in_memory_alone(
    backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("powerlog.writer.queue.time.monotonic", lambda: now)
    assert backlog.age_s == 0.0
    for _ in range(3):
        backlog.add(rows(0), ORIGIN)
        now += 1
    assert backlog.age_s == 3
    backlog.take(2)
    assert backlog.age_s == 3
    backlog.finish()
    assert backlog.age_s == 1
    backlog.save()
    assert backlog.age_s == 0.0


def test_what_is_in_memory_alone_at_the_end_is_lost(backlog: Backlog) -> None:
    backlog.add(rows(0, 1), ORIGIN)
    backlog.save()
    backlog.add(rows(2), ORIGIN)
    backlog.close()
    assert backlog.lost == 1
