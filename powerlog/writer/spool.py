"""Keep what the database does not take in SQLite files on the disk.

The promise: what append() has accepted outlives the process and, once the disk has it, a crash of
the machine. The records of one device come out in the order in which they went in, and origins take
turns: see spool_file.py. A process writes into one file, `spool-1.sqlite3` or the first whose lock
is free. It also empties the files that dead processes left behind. An empty spool has no file.
`sqlite3 data/spool-1.sqlite3 'SELECT * FROM spool'` shows what waits. Files of a collector with
another database are left alone, and a deleted folder is made again.
"""

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Sample, Snapshot
from powerlog.database.sqlite_files import NONE, delete, set_aside
from powerlog.writer.fair_queue import Lot
from powerlog.writer.spool_claims import Claims, last_of
from powerlog.writer.spool_file import Place, SpoolFile

logger = logging.getLogger(__name__)

# A record of an older version may lack new fields; one that cannot be read is set aside, not lost.
DECODERS = {"row": msgspec.json.Decoder(Sample), "run": msgspec.json.Decoder(RunState)}
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
AT_LEAST = 50  # give up at least 1/50 of the bound at once: each time takes a while


class SpoolError(Exception):
    """The spool takes nothing now. The message gives the reason."""


class Head(NamedTuple):
    """The records that come out next, and their places: in which files, which records."""

    due: list[Due]
    places: Sequence[tuple[SpoolFile, Place]] = ()


class Spool:
    """A folder of spool files. Not safe for several threads, except depth and oldest_at.

    max_rows bounds what this process puts in: beyond it, the origins with most here lose their
    oldest. database is the fingerprint of the database that the files belong to.
    """

    def __init__(self, folder: Path, max_rows: int, database: int = NONE) -> None:
        self.folder, self.max_rows, self.database = folder, max_rows, database
        self._claims = Claims(folder, database)
        self._own: SpoolFile | None = None
        self._left: list[SpoolFile] = []  # by processes that have died
        self._path: Path | None = None
        self.unreadable = 0  # records lost to a damaged disk, or to another version

    @property
    def depth(self) -> int:
        """Return how many rows and runs wait here."""
        return sum(file.depth for file in self._files())

    @property
    def oldest_at(self) -> float | None:
        """Return when the oldest of them was spooled, Unix seconds."""
        return min((file.oldest_at for file in self._files() if file.oldest_at), default=None)

    def open(self) -> None:
        """Claim a file of our own, and those left behind. Raise SpoolError."""
        self.close()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in self._claims.left_behind():
                self._adopt(path)
            self._path = self._claims.own()
        except OSError as exc:
            raise SpoolError(f"{exc.strerror}: {exc.filename or self.folder}") from None
        # Records of our own predecessor come before all new ones.
        self._own = next((file for file in self._left if file.path == self._path), None)
        self._left = [file for file in self._left if file is not self._own]

    def look_after(self) -> None:
        """Make a deleted folder again, with all that waits in it. Raise SpoolError; what waits is
        not lost as long as the process lives."""
        waiting, rescued = self._files(), list[SpoolFile]()
        if self._path is None or not (self._claims.lost() or any(each.gone for each in waiting)):
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._claims.release()
            self._path = self._claims.own()
            for file in waiting:
                path = self._path if file is self._own else self._claims.another()
                rescued.append(file.rescued(path))
        except (sqlite3.Error, OSError) as exc:
            raise SpoolError(f"{exc}: {self.folder}") from None
        self._left = [file for file in rescued if file.path != self._path]
        self._own = next((file for file in rescued if file.path == self._path), None)
        for file in waiting:
            file.close()
        logger.warning(
            "%s was deleted while the collector runs: it is made again, with the %d rows that "
            "waited there",
            self.folder,
            self.depth,
        )

    def append(self, lots: Sequence[Lot]) -> Head:
        """Write these to the disk. Return their place in the spool. Raise SpoolError."""
        if self._path is None:
            self.open()
        if not lots:
            return Head([])
        self.look_after()
        fresh = self._own is None and self._path is not None and not self._path.exists()
        try:
            if self._own is None:
                self._own = self._opened(self._path) if self._path else None
            if self._own is None:
                raise SpoolError(f"{self._path} cannot be opened")
            return Head([], [(self._own, self._own.append(lots))])
        except (sqlite3.Error, OSError, SpoolError) as exc:
            self._failed(self._own, exc)
            if fresh and self._path:
                self._forget_empty(self._path)
            raise SpoolError(f"{exc}: {self._path}") from None

    def shorten(self) -> dict[str, int]:
        """Give up what is beyond max_rows. Return how many by origin. Set a damaged file aside."""
        if self._own is None or (beyond := self._own.depth - self.max_rows) <= 0:
            return {}
        try:
            return self._own.drop(max(beyond, self.max_rows // AT_LEAST))
        except sqlite3.Error as exc:
            self._failed(self._own, exc)
            return {}

    def head(self, limit: int) -> Head:
        """Return what comes out next. Each file has a share, so that the file of a dead process
        does not delay new records; but a device with records in that file waits for them."""
        due: list[Due] = []
        places: list[tuple[SpoolFile, Place]] = []
        files, room = self._files(), limit
        for number, file in enumerate(files):
            older = files[:number]

            def waits(device_id: str, older: Sequence[SpoolFile] = older) -> bool:
                return any(device_id in each for each in older)

            try:
                records, place = file.head(max(1, room // (len(files) - number)), waits)
            except sqlite3.Error as exc:
                self._failed(file, exc)
                continue
            if records:
                room -= len(records)
                places.append((file, place))
                due += [each for kind, body in records if (each := self._decoded(kind, body))]
        return Head(due, places)

    def remove(self, head: Head) -> None:
        """Remove these from their files."""
        for file, place in head.places:
            if file in self._files():  # else it was set aside meanwhile
                self._remove(file, place)

    def past(self, device_id: str, channel: str, before: Snapshot | None) -> Snapshot | None:
        """Return the snapshot `before`, brought up to date by the records that wait here."""
        waiting = self._of_channel(device_id, channel)
        rows = [each for each in waiting if isinstance(each, Sample)]
        runs = [each for each in waiting if isinstance(each, RunState)]
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
            return Snapshot(max(rows, key=lambda row: row.ts), ended_at=ended_at)
        peak_w = max([run.peak_w, *(row.apower_w for row in rows if row.ts > run.started_at)])
        return Snapshot(
            max(rows, key=lambda row: row.ts), msgspec.structs.replace(run, peak_w=peak_w)
        )

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
        """Return the path of this process's channel snapshots; None: it has no file of its own."""
        return self._path and last_of(self._path)

    def close(self) -> None:
        """Close the files and release their locks for other processes."""
        for file in self._files():
            file.close()
        self._claims.release()
        self._own, self._left, self._path = None, [], None

    def _files(self) -> list[SpoolFile]:
        return [*self._left, self._own] if self._own else list(self._left)

    def _remove(self, file: SpoolFile, place: Place) -> None:
        try:
            file.remove(place)
        except sqlite3.Error as exc:
            self._failed(file, exc)
            return
        if not file.depth:
            self._forget(file)
            file.delete()

    def _adopt(self, path: Path) -> None:
        try:
            if file := self._opened(path):
                self._left.append(file)
        except SpoolError as exc:
            logger.error("left alone until the next start: %s", exc)

    def _opened(self, path: Path) -> SpoolFile | None:
        try:
            return SpoolFile(path, self.database)
        except (sqlite3.Error, OSError) as exc:
            if not _is_damage(exc):
                raise SpoolError(f"{exc}: {path}") from None
            logger.error("%s is damaged (%s), kept as %s", path, exc, set_aside(path))
            return None

    def _failed(self, file: SpoolFile | None, exc: Exception) -> None:
        """Set a damaged file aside and count it in `unreadable`; the next append starts another."""
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
        """Delete our empty file: a full disk has room for a file, but not for its contents."""
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
