"""How every channel stood last, on the disk: the past (rule 8) for when the database does not tell.

A collector that starts before its database, after a power cut say, meets its devices without it.
What it does not know then of their last minutes and open runs is lost for ever, so it is kept here
as well: the last row and the last told run of each channel, seconds after they are accepted. No
more than a help: where the disk does not take it, all else goes on.
"""

import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from powerlog.core.runs import Run
from powerlog.sampler import Due, Past, Sample

logger = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS last (
    device_id TEXT, channel TEXT, kind TEXT, told_at REAL, body TEXT,
    PRIMARY KEY (device_id, channel, kind)
) WITHOUT ROWID
"""
KEPT_S = 7 * 24 * 3600  # no gap is filled that is longer
_encode = msgspec.json.Encoder().encode
_row, _run = msgspec.json.Decoder(Sample).decode, msgspec.json.Decoder(Run).decode


class LastKnown:
    """A file of this process, and those of others in the folder. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._readers: dict[Path, sqlite3.Connection] = {}
        self._complained = False

    def note(self, told: Iterable[Due]) -> bool:
        """Of each channel the last row, and the last run. Whether the disk has taken it."""
        now = time.time()
        records = [
            (
                each.device_id,
                each.channel,
                "row" if isinstance(each, Sample) else "run",
                now,
                _encode(each).decode(),
            )
            for each in told
        ]
        try:
            connection = self._opened()
            with connection:
                connection.executemany("REPLACE INTO last VALUES (?, ?, ?, ?, ?)", records)
        except (sqlite3.Error, OSError) as exc:
            self._complain(exc)
            return False
        return True

    def past(
        self, device_id: str, channel: str, row: Due | None = None, run: Due | None = None
    ) -> Past | None:
        """The channel's last row, by whichever process, and its run if it was open then.

        row and run are what is known and not yet noted.
        """
        rows: list[Sample] = []
        runs: list[Run] = []
        for _, kind, body in sorted(self._found(device_id, channel)):
            try:
                if kind == "row":
                    rows.append(_row(body))
                else:
                    runs.append(_run(body))
            except msgspec.MsgspecError as exc:
                self._complain(exc)
        rows += [row] if isinstance(row, Sample) else []
        runs += [run] if isinstance(run, Run) else []
        if not rows:
            return None
        # Of a run that several processes told, what was told last.
        last_run = max(reversed(runs), key=lambda run: run.started_at, default=None)
        row = max(rows, key=lambda row: row.ts)
        if last_run and last_run.ended_at is not None:
            return Past(row, ended_at=last_run.ended_at)
        return Past(row, last_run)

    def close(self) -> None:
        for connection in filter(None, (self._connection, *self._readers.values())):
            connection.close()
        self._connection, self._readers = None, {}

    def _found(self, device_id: str, channel: str) -> Iterator[tuple[float, str, str]]:
        """When it was told, kind and body of what the files hold of this channel."""
        query = (
            "SELECT told_at, kind, body FROM last "
            "WHERE device_id = ? AND channel = ? AND told_at > ?"
        )
        wanted = (device_id, channel, time.time() - KEPT_S)
        try:
            paths = list(self._path.parent.glob("last-*.sqlite3"))
        except OSError as exc:  # too many open files, say
            return self._complain(exc)
        for path in paths:
            try:
                if path not in self._readers:
                    uri = f"{path.absolute().as_uri()}?mode=ro"
                    self._readers[path] = sqlite3.connect(uri, uri=True, check_same_thread=False)
                yield from self._readers[path].execute(query, wanted).fetchall()
            except (sqlite3.Error, OSError) as exc:
                self._complain(exc)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._path, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            # Nothing is forced to the disk: it is the end of the process that has to be survived.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(SCHEMA)
            connection.execute("DELETE FROM last WHERE told_at < ?", (time.time() - KEPT_S,))
            connection.commit()
            self._connection = connection
        return self._connection

    def _complain(self, exc: Exception) -> None:
        """Once: a full disk has its error by the spool, and this may heal. What is open stays so:
        a file that is opened on a full disk cannot even be read."""
        if not self._complained:
            self._complained = True
            logger.warning("%s cannot be used: %s", self._path, exc)
