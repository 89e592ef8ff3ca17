"""The snapshot of every channel, on the disk: for a restore (rule 8) without the database.

A collector may start before its database, for example after a power cut, while its devices connect.
Their last minutes and open runs would be lost for ever, so they are kept here as well: the last row
and the last reported run of each channel, seconds after they are accepted. If the disk fails, the
collector goes on without this file. Beyond MAX_RECORDS the records written longest ago are deleted.
"""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Sample, Snapshot
from powerlog.database import sqlite_files

logger = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS last (
    device_id TEXT, channel TEXT, kind TEXT, told_at REAL, body TEXT,
    PRIMARY KEY (device_id, channel, kind)
) WITHOUT ROWID
"""
FORGET = """
DELETE FROM last WHERE told_at <=
    (SELECT told_at FROM last ORDER BY told_at DESC LIMIT 1 OFFSET ?)
"""
KEPT_S = 7 * 24 * 3600  # no gap is filled that is longer
MAX_RECORDS = 200_000  # about 60 MB: the rows and runs of thirty thousand devices, three channels
MAX_HEARD = 100_000  # that wait in memory
_encode = msgspec.json.Encoder().encode
_row, _run = msgspec.json.Decoder(Sample).decode, msgspec.json.Decoder(RunState).decode


class LastKnown:
    """The file of this process, and those of other processes with the same database and folder.

    path returns the path of the file; None: there is none yet. Safe for several threads.
    """

    def __init__(self, path: Callable[[], Path | None], database: int = sqlite_files.NONE) -> None:
        self._path, self._database = path, database
        self._heard: deque[Sequence[Due]] = deque(maxlen=MAX_HEARD)
        self._unsaved: dict[tuple[str, str, str], Due] = {}
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._readers: dict[Path, sqlite3.Connection | None] = {}
        self._records = 0  # at most so many are in the file
        self._complained = False
        self._turn = threading.Lock()  # held for as long as the disk takes

    def hear(self, due: Sequence[Due]) -> None:
        """Note what was accepted, to be written by note(). Waits for nothing."""
        self._heard.append(due)

    def note(self) -> bool:
        """Write the last row and the last run of each channel. Return whether the disk took it."""
        with self._turn:
            self._sort()
            if not self._unsaved or (path := self._path()) is None:
                return not self._unsaved
            try:
                self._write(path)
            except (sqlite3.Error, OSError) as exc:
                self._complain(exc)
                return False
            self._unsaved = {}
            return True

    def past(self, device_id: str, channel: str) -> Snapshot | None:
        """Return the channel's last row, from any process, and its run if it was open then."""
        with self._turn:
            self._sort()
            known = [self._unsaved.get((device_id, channel, kind)) for kind in ("row", "run")]
            found = sorted(self._found(device_id, channel))
        due = [self._decoded(kind, body) for _, kind, body in found] + known
        rows = [each for each in due if isinstance(each, Sample)]
        runs = [each for each in due if isinstance(each, RunState)]
        if not rows:
            return None
        # If several processes reported a run, the last report counts.
        last_run = max(reversed(runs), key=lambda run: run.started_at, default=None)
        row = max(rows, key=lambda row: row.ts)
        if last_run and last_run.ended_at is not None:
            return Snapshot(row, ended_at=last_run.ended_at)
        return Snapshot(row, last_run)

    def close(self) -> None:
        for connection in filter(None, (self._connection, *self._readers.values())):
            connection.close()
        self._connection, self._readers = None, {}

    def _sort(self) -> None:
        while self._heard:
            for each in self._heard.popleft():
                self._unsaved[each.device_id, each.channel, _kind(each)] = each
        if (beyond := len(self._unsaved) - MAX_RECORDS) > 0:  # the disk takes nothing
            self._unsaved = dict(islice(self._unsaved.items(), beyond, None))

    def _write(self, path: Path) -> None:
        now = time.time()
        records = [(*key, now, _encode(each).decode()) for key, each in self._unsaved.items()]
        connection = self._opened(path)
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            connection.executemany("REPLACE INTO last VALUES (?, ?, ?, ?, ?)", records)
            self._records += len(records)
            if self._records > MAX_RECORDS:
                self._records = connection.execute("SELECT count(*) FROM last").fetchone()[0]
            if self._records > MAX_RECORDS:
                self._records = MAX_RECORDS * 9 // 10
                connection.execute(FORGET, (self._records,))

    def _decoded(self, kind: str, body: str) -> Due | None:
        try:
            return _row(body) if kind == "row" else _run(body)
        except msgspec.MsgspecError as exc:
            self._complain(exc)
            return None

    def _found(self, device_id: str, channel: str) -> Iterator[tuple[float, str, str]]:
        """Yield the time of writing, kind and body of each record of this channel in the files."""
        query = (
            "SELECT told_at, kind, body FROM last "
            "WHERE device_id = ? AND channel = ? AND told_at > ?"
        )
        wanted = (device_id, channel, time.time() - KEPT_S)
        if (own := self._path()) is None:
            return
        try:
            paths = list(own.parent.glob("last-*.sqlite3"))
        except OSError as exc:  # for example too many open files
            return self._complain(exc)
        for path in paths:
            try:
                if reader := self._reader(path):
                    yield from reader.execute(query, wanted).fetchall()
            except (sqlite3.Error, OSError) as exc:
                self._complain(exc)

    def _reader(self, path: Path) -> sqlite3.Connection | None:
        """Return a read-only connection; None: the file belongs to another database."""
        if path not in self._readers:
            ours, uri = sqlite_files.belongs(path, self._database), f"{path.absolute().as_uri()}"
            self._readers[path] = (
                sqlite3.connect(f"{uri}?mode=ro", uri=True, check_same_thread=False)
                if ours
                else None
            )
        return self._readers[path]

    def _opened(self, path: Path) -> sqlite3.Connection:
        if self._connection and sqlite_files.inode(path) != self._inode:
            # The file was deleted. This process still has its contents through the connection.
            sqlite_files.copy(self._connection, path, self._database)
            self.close()
        if self._connection is None:
            connection = sqlite_files.connect(path, self._database)
            # No fsync: the file has to survive the end of the process, not that of the machine.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(SCHEMA)
            connection.execute("DELETE FROM last WHERE told_at < ?", (time.time() - KEPT_S,))
            self._records = connection.execute("SELECT count(*) FROM last").fetchone()[0]
            self._connection, self._inode = connection, sqlite_files.inode(path)
        return self._connection

    def _complain(self, exc: Exception) -> None:
        """Log it once: the spool reports a full disk, and this may heal. Open files stay open: a
        file that is opened on a full disk cannot even be read."""
        if not self._complained:
            self._complained = True
            logger.warning("%s cannot be used: %s", self._path(), exc)


def _kind(due: Due) -> str:
    return "row" if isinstance(due, Sample) else "run"
