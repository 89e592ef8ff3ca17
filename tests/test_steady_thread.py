"""No thread of the process ends because a round of it raised, and `/` tells when one is stuck."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError
from twisted.internet import tcp

from powerlog import steady_thread
from powerlog.core.device_info import About
from powerlog.devices import registry as registry_module
from powerlog.devices.access import Policy
from powerlog.devices.registry import Registry
from powerlog.monitoring import health, worker_process
from powerlog.monitoring.maintenance import Upkeep
from powerlog.monitoring.other_processes import Neighbours
from powerlog.steady_thread import LATE_S, SteadyThread
from powerlog.writer.row_writer import RowWriter
from powerlog.writer.spool import Spool
from tests.support.doubles import Database, away, sample, until

KINDS = (
    OSError(24, "Too many open files"),
    DatabaseError("refused"),
    InterfaceError("the connection is closed"),
    OperationalError("it is away"),
    RuntimeError("dictionary changed size during iteration"),
    KeyError("switch:2"),
    MemoryError(),
    UnicodeDecodeError("utf-8", b"\xf0", 0, 1, "unexpected end of data"),
    SystemExit(1),
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady_thread, "RETRY_S", 0.0)


class Failing:
    """Raises each of KINDS in turn, and works from then on: it does what `works` does."""

    def __init__(self, works: Callable[..., Any] = lambda *_: None) -> None:
        self.works, self.left, self.calls = works, list(KINDS), 0

    def __call__(self, *arguments: Any) -> Any:
        if self.left:
            raise self.left.pop(0)
        self.calls += 1
        return self.works(*arguments)


def alive(name: str) -> bool:
    return name in {thread.name for thread in threading.enumerate()}


def test_a_failure_is_logged_in_one_line_once_until_a_round_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    too_many = OSError(24, "Too many\nopen files")
    rounds = [too_many, too_many, True, KeyError("a"), True, too_many, False]
    ended = threading.Event()

    def once() -> bool:
        outcome = rounds.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    SteadyThread("tester", once, at_end=ended.set).start()
    assert ended.wait(20)
    until(lambda: not alive("tester"))
    text = "the thread tester has failed, it is tried again: "
    reasons = ["OSError: [Errno 24] Too many open files", "KeyError: 'a'"] * 2
    assert caplog.messages == [text + reason for reason in reasons[:3]]
    assert not any(record.exc_info for record in caplog.records)


def test_one_that_fails_and_works_by_turns_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rounds = [OSError(24, "Too many open files"), True] * 50

    def once() -> bool:
        outcome = rounds.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return bool(rounds)

    thread = SteadyThread("tester", once)
    thread.start()
    thread.join(20)
    assert not rounds
    assert len(caplog.messages) == 1


def test_what_another_thread_logs_is_not_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    thread = SteadyThread("tester", Failing(), quiet=(DatabaseError, InterfaceError))
    thread.start()
    thread.join(20)
    assert not any("Error: it is away" in line or "refused" in line for line in caplog.messages)


def test_a_thread_that_finishes_no_round_is_stuck_and_named() -> None:
    enough = threading.Event()

    def once() -> bool:
        if enough.is_set():
            return False
        raise OSError(24, "Too many open files")

    thread = SteadyThread("tester", once)
    try:
        thread.start()
        until(lambda: thread.rounds.failure)
        assert "tester" not in health.own().stuck
        thread.rounds.finished_at -= LATE_S + 15
        told = health.own()
        assert told.threads["tester"] == pytest.approx(LATE_S + 15, abs=5)
        assert told.stuck["tester"].startswith("no round for 7")
        assert told.stuck["tester"].endswith(" s (OSError: [Errno 24] Too many open files)")
        assert not health.well([told])
        shown = health.lines([told])["threads"]
        assert "tester: no round for 7" in str(shown)
        assert f"tester of process {os.getpid()}: no" in str(health.lines([told], 2)["threads"])
    finally:
        enough.set()
        thread.join(20)
    assert "tester" not in health.own().threads


def test_a_machine_that_has_no_thread_to_spare_is_no_traceback_and_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    thread = SteadyThread("tester", lambda: False)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        thread.start()
    assert "can't start new thread" in caplog.text
    assert "tester" in steady_thread.ages()
    thread.run()


@pytest.mark.parametrize("method", ["take", "finish", "wait_for"])
def test_the_row_writer_goes_on_and_loses_nothing(
    writer: RowWriter, database: Database, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    failing = Failing(getattr(writer.backlog, method))
    monkeypatch.setattr(writer.backlog, method, failing)
    writer.submit([sample(minute) for minute in range(50)])
    until(lambda: not failing.left and not writer.backlog.waiting)
    assert set(database.rows) == {sample(minute) for minute in range(50)}
    assert writer.backlog.lost == 0
    assert writer.asking_since is None
    assert alive("row-writer")


@pytest.mark.parametrize("method", ["look_after", "save"])
def test_the_row_keeper_goes_on_and_loses_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr("powerlog.writer.row_writer.TICK_S", 0.01)
    database.fault = away
    writer = RowWriter(database.store, spool=Spool(tmp_path, 1000), retry_s=0.01)
    failing = Failing(getattr(writer.backlog, method))
    monkeypatch.setattr(writer.backlog, method, failing)
    writer.submit([sample(minute) for minute in range(50)])
    until(lambda: not failing.left and failing.calls)
    until(lambda: writer.backlog.spooled == 50)
    database.fault = lambda rows: None
    until(lambda: writer.written == 50)
    assert alive("row-keeper")
    writer.stop()


def test_a_spool_that_fails_in_an_unforeseen_way_keeps_what_it_was_given(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powerlog.writer.row_writer.TICK_S", 0.01)
    database.fault = away
    writer = RowWriter(database.store, spool=Spool(tmp_path, 1000), retry_s=0.01)
    assert writer.backlog.spool
    failing = Failing(writer.backlog.spool.append)
    monkeypatch.setattr(writer.backlog.spool, "append", failing)
    writer.submit([sample(minute) for minute in range(50)])
    until(lambda: writer.backlog.spooled == 50)
    database.fault = lambda rows: None
    until(lambda: writer.written == 50)
    assert sorted(row.ts for row in database.rows) == [sample(m).ts for m in range(50)]
    writer.stop()


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Its thread, with a database in which staff have blocked a device."""
    monkeypatch.setattr(registry_module, "TICK_S", 0.01)
    monkeypatch.setattr(registry_module, "RELOAD_S", 0.0)
    monkeypatch.setattr(registry_module, "own_settings", dict)
    monkeypatch.setattr(registry_module, "read", lambda: Policy(frozenset({"bad"})))
    monkeypatch.setattr(registry_module, "keep", lambda *_: None)
    monkeypatch.setattr(registry_module.waiting_room, "store", lambda now: None)
    registry = Registry()
    yield registry
    registry.stop()
    registry_module.admission.replace(Policy())


class AnyPeer:
    """Is heard at this moment."""

    heard_at, address = 1.0, "198.51.100.7"


def test_the_registry_goes_on_and_forgets_nothing(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    failing = Failing(told.extend)
    monkeypatch.setattr(registry_module, "store_facts", failing)
    registry.met("pump", AnyPeer())  # type: ignore[arg-type]
    registry.learn("pump", About("Pro4PM"))
    registry.start()
    until(lambda: not failing.left and told)
    assert [facts.about.model for facts in told] == ["Pro4PM"]
    assert alive("registry")


def test_a_device_whose_facts_are_not_taken_does_not_keep_another_one_from_being_blocked(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(facts: Any) -> None:
        raise DatabaseError("value too long")

    decided = threading.Event()
    registry.doors_changed = decided.set
    monkeypatch.setattr(registry_module, "store_facts", refuse)
    registry.start()
    assert decided.wait(20)
    until(lambda: registry._thread and registry._thread.rounds.failure)


def test_the_upkeep_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("powerlog.monitoring.maintenance.LOOK_AGAIN_S", 0.0)
    keeper = Upkeep()
    failing = Failing(lambda: True)
    monkeypatch.setattr(keeper, "look", failing)
    keeper.start()
    until(lambda: failing.calls)
    assert alive("upkeep")
    keeper.stop()


def test_the_neighbours_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing(health.own)
    monkeypatch.setattr(health, "own", failing)
    neighbours = Neighbours()
    neighbours.meet(tmp_path / "1", 2)
    until((tmp_path / "1").exists)
    assert alive("neighbours")
    neighbours.leave(tmp_path / "1")
    assert not alive("neighbours")


def test_who_watches_the_parent_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    nothing_to_read = Failing(lambda *_: ([], [], []) if not ended.is_set() else ([0], [], []))
    monkeypatch.setattr(worker_process.select, "select", nothing_to_read)
    monkeypatch.setattr(worker_process.os, "read", lambda *_: b"")
    monkeypatch.setattr(worker_process.os, "kill", lambda *_: None)
    monkeypatch.setattr(worker_process, "END_LIMIT_S", 0.0)
    exits: list[int] = []
    monkeypatch.setattr(worker_process.os, "_exit", exits.append)
    monkeypatch.setattr(worker_process, "tell_apart", lambda name: None)
    monkeypatch.setattr(tcp, "Port", tcp.Port)
    monkeypatch.setattr(worker_process, "neighbours", Neighbours())
    worker_process.prepare(tmp_path / "1", 1)
    until(lambda: nothing_to_read.calls)
    assert alive("parent")
    ended.set()
    until(lambda: exits)
    until(lambda: not alive("parent"))
