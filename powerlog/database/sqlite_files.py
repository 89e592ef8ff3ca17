"""SQLite files: readable by their owner only; each file in SPOOL_DIR belongs to one database.

Its user_version is the fingerprint of the database that its records are for, so that two collectors
with two databases may share one folder and never touch each other's files. A file without one, from
before there were fingerprints, belongs to the first process that opens it. Staff can remove the
fingerprint with `sqlite3 FILE 'PRAGMA user_version = 0'`.
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
_private: set[str] = set()  # databases that are already private
NONE = 0  # a file for any database; a process that takes every file


def fingerprint(database: Mapping[str, Any]) -> int:
    """Return a hash of engine, host, port and name, which identifies one of Django's DATABASES."""
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
    """Open the file; create it if it is missing. Raise sqlite3.Error, OSError."""
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
    """Return whether this file, if it exists, belongs to this database; False if damaged."""
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
    """Make the file, and those that SQLite keeps beside it, readable by the owner only."""
    for suffix in SUFFIXES:
        with suppress(OSError):
            Path(f"{path}{suffix}").chmod(0o600)


def keep_private(connection: Any, **kwargs: Any) -> None:
    """Make Django's SQLite database private; a receiver of the signal connection_created."""
    if connection.vendor == "sqlite" and (path := connection.settings_dict["NAME"]) not in _private:
        make_private(Path(path))
        _private.add(path)


def inode(file: Path | int) -> tuple[int, int] | None:
    """Return what tells a file from another one of the same name; None: it does not exist."""
    try:
        found = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def copy(connection: sqlite3.Connection, path: Path, database: int) -> None:
    """Copy this database into another file. Raise sqlite3.Error, OSError."""
    with closing(connect(path, database)) as target:
        connection.backup(target)


def set_aside(path: Path) -> Path:
    """Rename the file and its journal, and return the new path: `sqlite3 … .recover` may find
    more with both."""
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
