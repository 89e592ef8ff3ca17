"""What the database does not take waits here: SQLite files on the disk.

The promise: what append() has accepted outlives the process and, once the disk has it, the machine;
it comes out in the order in which it went in. A process writes into one file, `spool-1.sqlite3` or
the first whose lock is free, and empties besides it those that others left behind when they died.
An empty spool has no file. `sqlite3 data/spool-1.sqlite3 'SELECT * FROM spool'` shows what waits.
"""

import fcntl
import logging
import sqlite3
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from powerlog.core.runs import Run
from powerlog.sampler import Due, Past, Sample
from powerlog.storage.spool_file import SpoolFile, delete, set_aside

logger = logging.getLogger(__name__)

# An old collector's record may lack what is new; what it cannot be read as is set aside, not lost.
DECODERS = {"row": msgspec.json.Decoder(Sample), "run": msgspec.json.Decoder(Run)}
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class SpoolError(Exception):
    """The spool takes nothing now. The message says why."""


class Head(NamedTuple):
    """The oldest of what waits, and where it ends in its file."""

    due: list[Due]
    file: SpoolFile | None = None
    up_to: int = 0


class Spool:
    """A folder of such files. Not for several threads at once; depth and oldest_at are.

    max_rows bounds what this process puts in: beyond it the oldest go.
    """

    def __init__(self, folder: Path, max_rows: int) -> None:
        self.folder, self.max_rows = folder, max_rows
        self._own: SpoolFile | None = None
        self._left: list[SpoolFile] = []  # by processes that have died
        self._path: Path | None = None
        self._locks: dict[Path, IO[str]] = {}
        self.unreadable = 0  # records lost to a damaged disk, or to another version

    @property
    def depth(self) -> int:
        """Rows and runs that wait here."""
        return sum(file.depth for file in self._files())

    @property
    def oldest_at(self) -> float | None:
        """When the oldest of them came here, Unix time."""
        return min((file.oldest_at for file in self._files() if file.oldest_at), default=None)

    def open(self) -> None:
        """Claim a file of our own, and those left behind. Raises SpoolError."""
        self.close()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in sorted(self.folder.glob("spool-*.sqlite3"), key=_age):
                if self._claim(path):
                    self._adopt(path)
            paths = (self.folder / f"spool-{number}.sqlite3" for number in count(1))
            self._path = next(path for path in paths if path in self._locks or self._claim(path))
        except OSError as exc:
            raise SpoolError(f"{exc.strerror}: {exc.filename or self.folder}") from None
        # What our own predecessor left is before all that will come.
        self._own = next((file for file in self._left if file.path == self._path), None)
        self._left = [file for file in self._left if file is not self._own]

    def append(self, due: Sequence[Due]) -> Head:
        """Accept these, on the disk. Their place in the spool, without them; raises SpoolError."""
        if self._path is None:
            self.open()
        if not due:
            return Head([])
        fresh = self._own is None and self._path is not None and not self._path.exists()
        try:
            if self._own is None:
                self._own = self._opened(self._path) if self._path else None
            if self._own is None:
                raise SpoolError(f"{self._path} cannot be opened")
            self._own.append(due)
        except (sqlite3.Error, OSError, SpoolError) as exc:
            self._failed(self._own, exc)
            if fresh and self._path:
                self._forget_empty(self._path)
            raise SpoolError(f"{exc}: {self._path}") from None
        return Head([], self._own, self._own.last)

    def shorten(self) -> int:
        """Give up the oldest beyond max_rows. How many they were."""
        if self._own is None or (beyond := self._own.depth - self.max_rows) <= 0:
            return 0
        self._own.remove(self._own.done + beyond)
        return beyond

    def head(self, limit: int) -> Head:
        """The oldest of what waits, what was left behind first."""
        for file in self._files():
            try:
                records = file.head(limit)
            except sqlite3.Error as exc:
                self._failed(file, exc)
                continue
            if records:
                due = [each for _, kind, body in records if (each := self._decoded(kind, body))]
                return Head(due, file, records[-1][0])
        return Head([])

    def remove(self, head: Head) -> None:
        """These are done with."""
        if head.file not in self._files():
            return  # set aside meanwhile
        try:
            head.file.remove(head.up_to)
        except sqlite3.Error as exc:
            self._failed(head.file, exc)
            return
        if not head.file.depth:
            self._forget(head.file)
            head.file.delete()

    def past(self, device_id: str, channel: str, before: Past | None) -> Past | None:
        """The channel's past, with what the database knows of it, and what waits here on top."""
        waiting = self._of_channel(device_id, channel)
        rows = [each for each in waiting if isinstance(each, Sample)]
        runs = [each for each in waiting if isinstance(each, Run)]
        if before:
            rows.insert(0, before.row)
            if before.run:
                runs.insert(0, before.run)
        if not rows:
            return None
        run = max(reversed(runs), key=lambda run: run.started_at, default=None)
        if run is None or run.ended_at is not None:
            ends = [run.ended_at if run else None, before.ended_at if before else None]
            ended_at = max((end for end in ends if end is not None), default=None)
            return Past(max(rows, key=lambda row: row.ts), ended_at=ended_at)
        peak_w = max([run.peak_w, *(row.apower_w for row in rows if row.ts > run.started_at)])
        return Past(max(rows, key=lambda row: row.ts), msgspec.structs.replace(run, peak_w=peak_w))

    def _of_channel(self, device_id: str, channel: str) -> list[Due]:
        found: list[Due] = []
        for file in self._files():
            try:
                records = list(file.of_channel(device_id, channel))
            except sqlite3.Error as exc:
                self._failed(file, exc)
                continue
            found += filter(None, (self._decoded(*record) for record in reversed(records)))
        return found

    @property
    def last_path(self) -> Path | None:
        """Where this process keeps how its channels stood; None: it has no file of its own."""
        return self._path and self._path.with_name(self._path.name.replace("spool", "last"))

    def close(self) -> None:
        """Let another process have the files."""
        for file in self._files():
            file.close()
        for lock in self._locks.values():
            lock.close()
        self._own, self._left, self._path, self._locks = None, [], None, {}

    def _files(self) -> list[SpoolFile]:
        return [*self._left, self._own] if self._own else list(self._left)

    def _claim(self, path: Path) -> bool:
        """Whether this file is now ours alone. The lock ends with the process, however it ends."""
        lock = path.with_suffix(".lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._locks[path] = lock
        return True

    def _adopt(self, path: Path) -> None:
        try:
            if file := self._opened(path):
                self._left.append(file)
        except SpoolError as exc:
            logger.error("left alone until the next start: %s", exc)

    def _opened(self, path: Path) -> SpoolFile | None:
        try:
            return SpoolFile(path)
        except sqlite3.Error as exc:
            if not _is_damage(exc):
                raise SpoolError(f"{exc}: {path}") from None
            logger.error("%s is damaged (%s), kept as %s", path, exc, set_aside(path))
            return None

    def _failed(self, file: SpoolFile | None, exc: Exception) -> None:
        """A damaged file is set aside, counted in `unreadable`, and the next append begins anew."""
        if file and _is_damage(exc):
            self.unreadable += file.depth
            self._forget(file)
            logger.error(
                "%d rows lost: %s is damaged (%s), kept as %s",
                file.depth,
                file.path,
                exc,
                file.set_aside(),
            )

    def _forget_empty(self, path: Path) -> None:
        """A disk that is full has room for a file, but not for what belongs into it."""
        if self._own:
            self._own.close()
            self._own = None
        delete(path)

    def _forget(self, file: SpoolFile) -> None:
        if file is self._own:
            self._own = None
        else:
            self._left.remove(file)

    def _decoded(self, kind: str, body: str) -> Due | None:
        try:
            return DECODERS[kind].decode(body)
        except (KeyError, TypeError, msgspec.MsgspecError) as exc:
            self.unreadable += 1
            logger.error("lost, a record of the spool that is none: %r: %s", body, exc)
            return None


def _is_damage(exc: Exception) -> bool:
    return (getattr(exc, "sqlite_errorcode", None) or 0) & 0xFF in DAMAGED


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # emptied by its owner meanwhile
        return 0.0
