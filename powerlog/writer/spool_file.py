"""One file of the spool: a SQLite database of what waits.

The promise: the records of one device come out in the order in which they came. Up to FEW records
come out as they came, all of them: the last of them waits for less than a second. In a longer file
origins, and within them devices, take turns, and beyond a bound those that hold most lose rows: see
spool_order.py. So fairness costs nothing in a usual outage, and a flood delays no one else.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from powerlog.core.sampler import Due, Sample
from powerlog.database import sqlite_files
from powerlog.writer.fair_queue import Lot, give_up
from powerlog.writer.spool_order import Lanes, Records, Skip, Taken

SCHEMA = """
CREATE TABLE IF NOT EXISTS spool (
    id INTEGER PRIMARY KEY, spooled_at REAL, device_id TEXT, channel TEXT, kind TEXT, body TEXT
);
CREATE INDEX IF NOT EXISTS spool_channel ON spool (device_id, channel);
"""
FEW = 20_000
LOOK_BACK = 2_000  # records of a channel: a day of minutes, and its runs
MADE_UP_FOR = 2_000  # devices whose records could not be removed before
_encode = msgspec.json.Encoder().encode


class Span(NamedTuple):
    """The records between two ids, and how many they are."""

    first: int
    last: int
    count: int


Place = Span | dict[str, Taken]  # of records in a file: a range, or one for each device


class SpoolFile:
    """One file. depth is how many records wait here, oldest_at when the first was spooled."""

    def __init__(self, path: Path, database: int = sqlite_files.NONE) -> None:
        """Open or create the file. Raise sqlite3.Error, OSError."""
        self.path, self._database = path, database
        self._connection = sqlite_files.connect(path, database)
        self._homes: dict[str, str] = {}  # where devices are from, while there are no lanes
        self._lanes: Lanes | None = None
        # Records that are done but that a full disk cannot delete: up to this id, and by device.
        self._done = 0
        self._gone: dict[str, Taken] = {}
        try:
            self._connection.execute("PRAGMA synchronous=FULL")  # a power cut costs nothing, too
            self._connection.executescript(SCHEMA)
            query = "SELECT count(*), min(id), max(id) FROM spool"
            self.depth, first, last = self._connection.execute(query).fetchone()
            if self.depth > FEW:
                self._take_turns()
        except sqlite3.Error:
            self._connection.close()
            raise
        self._inode = sqlite_files.inode(path)
        self._last: int = last or 0
        self._done = first - 1 if first else self._last
        self.oldest_at = self._spooled_at()

    def append(self, lots: Sequence[Lot]) -> Place:
        """Write these. Return their place."""
        now, first = time.time(), self._last + 1
        due = [each for _, part in lots for each in part]
        records = (
            (number, now, each.device_id, each.channel, _kind(each), _encode(each).decode())
            for number, each in enumerate(due, first)
        )
        devices = _devices(lots)
        if not self._lanes and max(self.depth + len(due), len(self._homes)) > FEW:
            self._take_turns()
        with self._transaction():
            self._connection.executemany("INSERT INTO spool VALUES (?, ?, ?, ?, ?, ?)", records)
            homes = {
                device_id: self._lanes.add(device_id, origin, number) if self._lanes else origin
                for device_id, (origin, number) in devices.items()
            }
        if not self.depth:
            self.oldest_at = now
        self._last += len(due)
        self.depth += len(due)
        if not self._lanes:
            self._homes = homes | self._homes
            return Span(first, self._last, len(due))
        place = {d: Taken(first, self._last, n, homes[d]) for d, (_, n) in devices.items()}
        self._lanes.count((each.origin, each.count) for each in place.values())
        return place

    def head(self, limit: int, skip: Skip = lambda device_id: False) -> tuple[Records, Place]:
        """Return up to `limit` of the next records, without devices for which skip() is true, and
        their place."""
        if self._lanes:
            return self._lanes.head(limit, skip, self._gone)
        found = self._connection.execute(
            "SELECT id, kind, body, device_id FROM spool WHERE id > ? ORDER BY id LIMIT ?",
            (self._done, limit),
        ).fetchall()
        for number, record in enumerate(found):
            if skip(record[3]):
                found = found[:number]
                break
        place = Span(self._done + 1, found[-1][0] if found else self._done, len(found))
        return [record[1:3] for record in found], place

    def remove(self, place: Place) -> None:
        """Delete these; on a full disk, only note in memory that they are done."""
        if isinstance(place, Span) and self._lanes:
            place = self._lanes.in_range(place.first, place.last)
        if isinstance(place, Span):
            self._remove_span(place)
        else:
            self._remove_of_devices(place)
        self.oldest_at = self._spooled_at()

    def drop(self, count: int) -> dict[str, int]:
        """Give up the oldest of the origins that hold most, and in them of the devices that do.
        Return how many by origin. Raise sqlite3.Error."""
        if not self._lanes:
            self._take_turns()
        assert self._lanes
        if self._gone:
            self._remove_of_devices({})
        dropped: dict[str, int] = {}
        for origin, number in give_up(self._lanes.held, count).items():
            left = number
            while left > 0 and (place := self._lanes.oldest_of_heaviest(origin, left)):
                with self._transaction():
                    removed = sum(self._lanes.remove(place).values())
                self._count([(origin, -removed)])
                left -= removed
                if not removed:
                    break
            dropped[origin] = number - left
        self.oldest_at = self._spooled_at()
        return dropped

    def __contains__(self, device_id: str) -> bool:
        """Return whether a record of this device waits here."""
        query = "SELECT 1 FROM spool WHERE device_id = ? AND id > ? LIMIT 1"
        wanted = (device_id, self._done_of(device_id))
        return self._connection.execute(query, wanted).fetchone() is not None

    def of_channel(self, device_id: str, channel: str) -> Iterator[tuple[str, str]]:
        """Return kind and body of the channel's records, the newest first."""
        return self._connection.execute(
            "SELECT kind, body FROM spool WHERE device_id = ? AND channel = ? AND id > ? "
            "ORDER BY id DESC LIMIT ?",
            (device_id, channel, self._done_of(device_id), LOOK_BACK),
        )

    @property
    def gone(self) -> bool:
        """Return whether the file was deleted; the open connection still has its contents."""
        return sqlite_files.inode(self.path) != self._inode

    def rescued(self, path: Path) -> "SpoolFile":
        """Return a copy of this deleted file at this path. Raise sqlite3.Error, OSError."""
        sqlite_files.copy(self._connection, path, self._database)
        return SpoolFile(path, self._database)

    def delete(self) -> None:
        """Delete the file. Its records are already removed, so one that stays is empty."""
        self.close()
        if not self.gone:
            sqlite_files.delete(self.path)

    def set_aside(self) -> Path:
        """Rename the file for staff to look at; return its new path."""
        self.close()
        return sqlite_files.set_aside(self.path)

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def _take_turns(self) -> None:
        """Take turns from here on, until the file is empty and deleted."""
        with self._transaction():
            if self.depth:
                self._connection.execute("DELETE FROM spool WHERE id <= ?", (self._done,))
            self._lanes = Lanes(self._connection, self._homes)
        self._homes = {}

    def _remove_span(self, span: Span) -> None:
        first = span.first
        if first <= self._done + 1:  # nearly always; deletes what could not be removed before, too
            first, self._done = 0, max(self._done, span.last)
        with suppress(sqlite3.OperationalError):
            self._connection.execute(
                "DELETE FROM spool WHERE id BETWEEN ? AND ?", (first, span.last)
            )
        self.depth -= span.count

    def _remove_of_devices(self, place: Mapping[str, Taken]) -> None:
        """Remove these, and each time some of those that could not be removed before."""
        assert self._lanes
        before = dict(islice(self._gone.items(), MADE_UP_FOR))
        before |= {each: self._gone[each] for each in place if each in self._gone}
        together = {**before, **place}
        for device_id in before.keys() & place.keys():
            together[device_id] = place[device_id]._replace(first=before[device_id].first)
        try:
            with self._transaction():
                counts = self._lanes.remove(together)
        except sqlite3.OperationalError:
            counts = {device_id: each.count for device_id, each in place.items()}
            self._keep_in_mind(place)
        else:
            for device_id, each in before.items():
                counts[device_id] -= each.count  # already counted
                del self._gone[device_id]
        self._count([(together[device_id].origin, -n) for device_id, n in counts.items()])

    def _keep_in_mind(self, place: Mapping[str, Taken]) -> None:
        for device_id, each in place.items():
            if before := self._gone.get(device_id):
                each = each._replace(first=before.first, count=before.count + each.count)
            self._gone[device_id] = each

    def _count(self, changes: Sequence[tuple[str, int]]) -> None:
        self.depth += sum(number for _, number in changes)
        if self._lanes:
            self._lanes.count(changes)

    def _done_of(self, device_id: str) -> int:
        return self._gone[device_id].last if device_id in self._gone else self._done

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled back already
                self._connection.execute("ROLLBACK")
            raise

    def _spooled_at(self) -> float | None:
        if not self.depth:
            return None
        query = "SELECT spooled_at FROM spool WHERE id > ? ORDER BY id LIMIT 1"
        found = self._connection.execute(query, (0 if self._lanes else self._done,)).fetchone()
        return found and found[0]


def _devices(lots: Sequence[Lot]) -> dict[str, tuple[str, int]]:
    """Return, by device, the origin of its first record and the number of its records."""
    devices: dict[str, tuple[str, int]] = {}
    for origin, due in lots:
        for each in due:
            home, number = devices.get(each.device_id, (origin, 0))
            devices[each.device_id] = home, number + 1
    return devices


def _kind(due: Due) -> str:
    return "row" if isinstance(due, Sample) else "run"
