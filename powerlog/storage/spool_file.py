"""One file of the spool: a SQLite database with one table, of what waits and in which order."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from powerlog.sampler import Due, Sample

SCHEMA = """
CREATE TABLE IF NOT EXISTS spool (
    id INTEGER PRIMARY KEY, spooled_at REAL, device_id TEXT, channel TEXT, kind TEXT, body TEXT
);
CREATE INDEX IF NOT EXISTS spool_channel ON spool (device_id, channel);
"""
LOOK_BACK = 2_000  # records of a channel: a day of minutes, and its runs
_encode = msgspec.json.Encoder().encode


class SpoolFile:
    """One SQLite file. Its records are numbered without a gap; those up to `done` are removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")  # a power cut costs nothing, too
            self._connection.executescript(SCHEMA)
            first, last = self._connection.execute("SELECT min(id), max(id) FROM spool").fetchone()
        except sqlite3.Error:
            self._connection.close()
            raise
        self.last: int = last or 0
        self.done = first - 1 if first else self.last
        self.oldest_at = self._spooled_at()

    @property
    def depth(self) -> int:
        return self.last - self.done

    def append(self, due: Sequence[Due]) -> None:
        now = time.time()
        records = (
            (number, now, each.device_id, each.channel, _kind(each), _encode(each).decode())
            for number, each in enumerate(due, self.last + 1)
        )
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany("INSERT INTO spool VALUES (?, ?, ?, ?, ?, ?)", records)
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):  # a full disk has rolled back already
                self._connection.execute("ROLLBACK")
            raise
        if not self.depth:
            self.oldest_at = now
        self.last += len(due)

    def head(self, limit: int) -> list[tuple[int, str, str]]:
        """Number, kind and body of the oldest records."""
        return self._connection.execute(
            "SELECT id, kind, body FROM spool WHERE id > ? ORDER BY id LIMIT ?", (self.done, limit)
        ).fetchall()

    def remove(self, up_to: int) -> None:
        """Forget the records up to this number, on a full disk in memory only."""
        self.done = max(self.done, up_to)
        with suppress(sqlite3.OperationalError):
            self._connection.execute("DELETE FROM spool WHERE id <= ?", (self.done,))
        self.oldest_at = self._spooled_at()

    def of_channel(self, device_id: str, channel: str) -> Iterator[tuple[str, str]]:
        """Kind and body of the channel's records, the newest first."""
        return self._connection.execute(
            "SELECT kind, body FROM spool WHERE device_id = ? AND channel = ? AND id > ? "
            "ORDER BY id DESC LIMIT ?",
            (device_id, channel, self.done, LOOK_BACK),
        )

    def delete(self) -> None:
        """Its records are removed already: a file that cannot be deleted is an empty one."""
        self.close()
        delete(self.path)

    def set_aside(self) -> Path:
        """Out of the way, for somebody to look at."""
        self.close()
        return set_aside(self.path)

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def _spooled_at(self) -> float | None:
        found = self._connection.execute(
            "SELECT spooled_at FROM spool WHERE id > ? ORDER BY id LIMIT 1", (self.done,)
        ).fetchone()
        return found and found[0]


def _kind(due: Due) -> str:
    return "row" if isinstance(due, Sample) else "run"


def set_aside(path: Path) -> Path:
    """Its journal with it: `sqlite3 … .recover` may find more with both."""
    aside = path.with_name(f"{path.stem}-damaged-{time.time():.0f}.db")
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    return path.rename(aside)


def delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            Path(f"{path}{suffix}").unlink()
