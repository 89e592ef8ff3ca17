"""SQLite files: readable by their owner only, and those in SPOOL_DIR each of one database.

A file in there bears the fingerprint of the database that its records are for, as its user_version,
so that two collectors with two databases may have one folder and never touch each other's files.
One that bears none, from before there were fingerprints, is adopted by whoever opens it first; so
is one that staff have relieved of it, by `sqlite3 FILE 'PRAGMA user_version = 0'`.
"""

import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

SUFFIXES = ("", "-wal", "-shm", "-journal")
LOCAL = ("", "localhost", "127.0.0.1", "::1")
_private: set[str] = set()  # databases that are so already
NONE = 0  # of a file of any database; of a process, that it takes every file


def fingerprint(database: Mapping[str, Any]) -> int:
    """Of one of Django's DATABASES: which one it is, by engine, host, port and name, hashed."""
    options, name = database.get("OPTIONS", {}), str(database["NAME"])
    if "sqlite" in database["ENGINE"]:
        parts = ["sqlite", os.path.realpath(name)]
    else:
        host = options.get("host") or options.get("hostaddr") or database.get("HOST") or ""
        port = options.get("port") or database.get("PORT") or 5432
        host = "localhost" if host in LOCAL else host
        parts = [str(part) for part in ("postgresql", host, port, options.get("service", ""), name)]
    digest = sha256("\n".join(parts).encode()).digest()
    return int.from_bytes(digest[:4]) & 0x7FFFFFFF or 1


def connect(path: Path, database: int) -> sqlite3.Connection:
    """Open it, made if it is missing. Raises sqlite3.Error, OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    make_private(path)
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if database and found != database:
            with suppress(sqlite3.OperationalError):  # a full disk
                connection.execute(f"PRAGMA user_version={database}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def belongs(path: Path, database: int) -> bool:
    """Whether this file, if it is there, is of this database. One that is damaged is nobody's."""
    if not database or not path.exists():
        return True
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            (found,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error:
        return True
    return found in (NONE, database)


def make_private(path: Path) -> None:
    """For its owner only, with all that SQLite keeps beside it."""
    for suffix in SUFFIXES:
        with suppress(OSError):
            Path(f"{path}{suffix}").chmod(0o600)


def keep_private(connection: Any, **kwargs: Any) -> None:
    """For Django's signal connection_created: the same of a database that is an SQLite file."""
    if connection.vendor == "sqlite" and (path := connection.settings_dict["NAME"]) not in _private:
        make_private(Path(path))
        _private.add(path)


def inode(file: Path | int) -> tuple[int, int] | None:
    """What tells a file from another one that has its name now. None: it is not there."""
    try:
        found = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def copy(connection: sqlite3.Connection, path: Path, database: int) -> None:
    """Write all that is in this database into another file. Raises sqlite3.Error, OSError."""
    with closing(connect(path, database)) as target:
        connection.backup(target)


def set_aside(path: Path) -> Path:
    """Its journal with it: `sqlite3 … .recover` may find more with both."""
    aside = path.with_name(f"{path.stem}-damaged-{time.time():.0f}.db")
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    with suppress(FileNotFoundError):
        path.rename(aside)
    return aside


def delete(path: Path) -> None:
    for suffix in SUFFIXES:
        with suppress(OSError):
            Path(f"{path}{suffix}").unlink()
