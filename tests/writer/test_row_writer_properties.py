"""Writer and spool, whatever happens in whatever order: nothing saved is lost, nothing comes twice,
and what comes of one device stays in order.

The two threads are played step by step, so that what fails can be repeated.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from django.db import DataError, OperationalError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from powerlog.core.sampler import Sample
from powerlog.writer import spool_file
from powerlog.writer.row_writer import RowWriter
from powerlog.writer.spool import Spool
from powerlog.writer.spool_file import SpoolFile
from powerlog.writer.spool_order import Lanes
from tests.support.doubles import sample

POISON = 7  # every seventh row is one that the database refuses


class SteppedWriter(RowWriter):
    """Its threads do nothing of themselves."""

    def start(self) -> None:
        if not self._threads:
            self._threads.append(None)  # type: ignore[arg-type]
            self.backlog.open()

    def write(self) -> None:
        self._at_once = 5  # so that there are turns
        if self._busy():
            self._write_next()

    def keep(self) -> None:
        self._look_after()


class Outages(RuleBasedStateMachine):
    """minutes counts rows from 0 on; the table holds those that the database has taken."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="collector-tests-"))
        self.patch, self.disk = pytest.MonkeyPatch(), pytest.MonkeyPatch()
        self.patch.setattr("powerlog.writer.row_writer.logger.disabled", True)
        self.patch.setattr("powerlog.writer.queue.logger.disabled", True)
        self.table: dict[int, int] = {}
        self.devices: dict[int, int] = {}
        self.minutes = self.lost_in_crashes = self.boots = 0
        self.refused: set[int] = set()
        self.during: list[Callable[[], None]] = []  # what happens while a statement runs
        self.away = self.disk_full = False

    @initialize(few=st.sampled_from([0, 4, spool_file.FEW]))
    def begin(self, few: int) -> None:
        """The spool takes turns always, sometimes, or never."""
        self.patch.setattr(spool_file, "FEW", few)
        self.boot()

    def boot(self) -> None:
        self.boots += 1
        self.writer = SteppedWriter(
            self.store,
            self.recall,
            Spool(self.folder / f"{self.boots}", max_rows=10_000),
            max_waiting=10_000,
            linger_s=0,
            hold_s=0,
            retry_s=0,
        )
        self.writer.start()

    def store(self, due: Sequence[Sample]) -> int:
        while self.during:
            self.during.pop()()
        if self.away:
            raise OperationalError("it is away")
        minutes = [int(row.apower_w) for row in due]
        if any(minute % POISON == 0 for minute in minutes):
            if len(minutes) == 1:
                self.refused.add(minutes[0])
            raise DataError("poison")
        for minute in minutes:
            self.table[minute] = self.table.get(minute, 0) + 1
        return len(minutes)

    def recall(self, meters: Sequence[tuple[str, str]]) -> list:
        if self.away:
            raise OperationalError("it is away")
        return []

    @rule(count=st.integers(1, 12), origin=st.integers(0, 3))
    def submit(self, count: int, origin: int) -> None:
        """From one of four addresses, of which three have some devices in common."""
        first = 0 if origin else 100
        self.writer.submit(
            [
                sample(0, float(self.minutes + each), f"device-{first + each % 7}")
                for each in range(count)
            ],
            f"203.0.113.{origin}",
        )
        for each in range(count):
            self.devices[self.minutes + each] = first + each % 7
        self.minutes += count

    @rule()
    def write(self) -> None:
        self.writer.write()

    @rule()
    def keep(self) -> None:
        self.writer.keep()

    @rule(
        count=st.integers(1, 3),
        origin=st.integers(0, 3),
        fails=st.booleans(),
        saves=st.integers(0, 2),
    )
    def write_slowly(self, count: int, origin: int, fails: bool, saves: int) -> None:
        """A statement that takes so long that others go on meanwhile, and may fail in the end."""
        was_away = self.away
        if fails:
            self.during.append(lambda: setattr(self, "away", True))
        self.during += [self.writer.backlog.save] * saves
        self.during.append(lambda: self.submit(count, origin))
        self.writer.write()
        self.during.clear()
        self.away = was_away

    @rule()
    def go(self) -> None:
        self.away = True

    @rule()
    def come_back(self) -> None:
        self.away = False

    @rule()
    def fill_or_clear_the_disk(self) -> None:
        self.disk_full = not self.disk_full
        self.disk.undo()
        if self.disk_full:
            self.disk.setattr(SpoolFile, "append", full)
            self.disk.setattr(Lanes, "remove", full)

    @rule()
    def crash(self) -> None:
        """Killed: the next process finds the files as they are at this moment."""
        before = self.folder / f"{self.boots}"
        shutil.copytree(before, self.folder / f"{self.boots + 1}")
        self.lost_in_crashes += self.writer.backlog.waiting
        self.writer.backlog.close()
        self.boot()

    @rule()
    def restart(self) -> None:
        """Told to end: with a database or a disk that takes it, all is kept."""
        for _ in range(200):
            if not self.writer.backlog.waiting:
                break
            self.writer.write()
            self.writer.keep()
        self.crash()

    @precondition(lambda self: self.boots)
    @invariant()
    def what_was_accepted_is_somewhere(self) -> None:
        backlog = self.writer.backlog
        assert backlog.lost == 0
        somewhere = len(self.table) + len(self.refused) + backlog.waiting + backlog.spooled
        assert somewhere + self.lost_in_crashes >= self.minutes

    def teardown(self) -> None:
        if self.boots:
            self.away = False
            if self.disk_full:
                self.fill_or_clear_the_disk()
            while self.writer.backlog.waiting or self.writer.backlog.spooled:
                self.writer.write()
            self.writer.backlog.close()
            found = len(self.table) + len(self.refused)
            assert found + self.lost_in_crashes >= self.minutes
            assert found <= self.minutes
            for device in set(self.devices.values()):
                went_in = [minute for minute in self.table if self.devices[minute] == device]
                assert went_in == sorted(went_in), "it went in in order"
            assert all(minute % POISON for minute in self.table)
        self.disk.undo()
        self.patch.undo()
        shutil.rmtree(self.folder)


def full(*_: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


TestOutages = Outages.TestCase
TestOutages.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
