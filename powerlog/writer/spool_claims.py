"""Claim the files in SPOOL_DIR for this process, by locks and by the database that they belong to.

A lock ends with its process, in whatever way that ends.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from powerlog.database.sqlite_files import belongs, inode

logger = logging.getLogger(__name__)


class Claims:
    """The files of one process in this folder. Not safe for several threads at once.

    database is the fingerprint of the database that they belong to.
    """

    def __init__(self, folder: Path, database: int) -> None:
        self._folder, self._database = folder, database
        self._locks: dict[Path, int] = {}
        self._foreign: set[str] = set()  # that have been logged

    def left_behind(self) -> list[Path]:
        """Claim and return the files of dead processes, the oldest first. Raise OSError."""
        found = sorted(self._folder.glob("spool-*.sqlite3"), key=_age)
        return [path for path in found if self._gets(path)]

    def own(self) -> Path:
        """Return the file of this process, which may not exist yet. Raise OSError."""
        return next(path for path in self._paths() if path in self._locks or self._gets(path))

    def another(self) -> Path:
        """Claim and return one more file. Raise OSError."""
        return next(path for path in self._paths() if path not in self._locks and self._gets(path))

    def lost(self) -> bool:
        """Return whether the folder or its contents were deleted: others may then claim them."""
        return any(inode(lock) != inode(_lock_of(path)) for path, lock in self._locks.items())

    def release(self) -> None:
        for lock in self._locks.values():
            os.close(lock)
        self._locks = {}

    def _paths(self) -> Iterator[Path]:
        return (self._folder / f"spool-{number}.sqlite3" for number in count(1))

    def _gets(self, path: Path) -> bool:
        return self._may_have(path) and self._claim(path)

    def _may_have(self, path: Path) -> bool:
        """Return whether the file, with its channel snapshots, belongs to our database."""
        foreign = [each for each in (path, last_of(path)) if not belongs(each, self._database)]
        new = [each.name for each in foreign if each.name not in self._foreign]
        if new:
            self._foreign.update(new)
            logger.warning(
                "%s is used by a collector with another database as well, %s left alone: give each "
                "collector a SPOOL_DIR of its own",
                self._folder,
                f"{new[0]} is" if len(new) == 1 else f"{' and '.join(new)} are",
            )
        return not foreign

    def _claim(self, path: Path) -> bool:
        """Lock the file; return whether it is now ours alone."""
        lock = os.open(_lock_of(path), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.fchmod(lock, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(lock)
            if isinstance(exc, BlockingIOError):
                return False
            raise
        self._locks[path] = lock
        return True


def last_of(path: Path) -> Path:
    """Return the path of the channel snapshots of the process that has this spool file."""
    return path.with_name(path.name.replace("spool", "last"))


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # emptied by its owner meanwhile
        return 0.0
