"""Which files in SPOOL_DIR are this process's: by locks, and by the database that they are for.

A lock ends with the process that holds it, however that ends.
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
    """The files of one process in this folder. Not for several threads at once.

    database is the fingerprint of the one that they are for.
    """

    def __init__(self, folder: Path, database: int) -> None:
        self._folder, self._database = folder, database
        self._locks: dict[Path, int] = {}
        self._foreign: set[str] = set()  # that have been logged

    def left_behind(self) -> list[Path]:
        """Files of processes that have died, the oldest first: ours from now on. Raises OSError."""
        found = sorted(self._folder.glob("spool-*.sqlite3"), key=_age)
        return [path for path in found if self._gets(path)]

    def own(self) -> Path:
        """The file of this process, which need not be there. Raises OSError."""
        return next(path for path in self._paths() if path in self._locks or self._gets(path))

    def another(self) -> Path:
        """One more. Raises OSError."""
        return next(path for path in self._paths() if path not in self._locks and self._gets(path))

    def lost(self) -> bool:
        """Whether somebody has deleted the folder, or what is in it: others may claim it all."""
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
        """Whether it is of our database, with what is known of its channels."""
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
        """Whether this file is now ours alone."""
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
    """Where the process that has this file of the spool keeps how its channels stood."""
    return path.with_name(path.name.replace("spool", "last"))


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # emptied by its owner meanwhile
        return 0.0
