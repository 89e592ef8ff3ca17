"""A database and a disk are broken for real: within the `with`, and whole after it."""

import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Event
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

from tests.support.postgres import Postgres
from tests.support.servers import Server

CUT_EVERY_S = 0.1
SMALL_BYTES = 64 * 1024

# Of a PostgreSQL, and the URL of one database in it.
Fault = Callable[[Postgres, str], AbstractContextManager[None]]


def new_database(postgres: Postgres) -> str:
    """The URL of a copy of `postgres`, from where it is broken while `postgres` stays whole."""
    name = f"broken_{uuid4().hex}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE postgres").format(Identifier(name)))
        connection.execute("CHECKPOINT")  # so that a crash has little to recover from
    return postgres.url.removesuffix("postgres") + name


@contextmanager
def stopped(postgres: Postgres, url: str) -> Iterator[None]:
    """As after a crash: no goodbye to anybody, and nobody listens."""
    postgres.stop("immediate")
    try:
        yield
    finally:
        postgres.start()


@contextmanager
def frozen(postgres: Postgres, url: str) -> Iterator[None]:
    """As a machine that hangs: the kernel still takes connections, nobody answers on them."""
    postgres.freeze()
    try:
        yield
    finally:
        postgres.thaw()


@contextmanager
def cut_off(postgres: Postgres, url: str) -> Iterator[None]:
    """Whoever connects is thrown out again, ten times a second."""
    enough = Event()

    def cut() -> None:
        while not enough.wait(CUT_EVERY_S):
            cut_connections(postgres, url)

    with ThreadPoolExecutor(1) as cutter:
        cutting = cutter.submit(cut)
        try:
            yield
        finally:
            enough.set()
            cutting.result()


@contextmanager
def locked(postgres: Postgres, url: str) -> Iterator[None]:
    """As while somebody alters the tables: whoever reads or writes them waits."""
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE power_logs, runs IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


@contextmanager
def read_only(postgres: Postgres, url: str) -> Iterator[None]:
    """As a replica after a failover: it answers, and takes nothing."""
    _set_read_only(postgres, url, "on")
    cut_connections(postgres, url)
    try:
        yield
    finally:
        _set_read_only(postgres, url, "off")


def cut_connections(postgres: Postgres, url: str) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [_name(url)],
        )


def _set_read_only(postgres: Postgres, url: str, value: str) -> None:
    command = SQL("ALTER DATABASE {} SET default_transaction_read_only = " + value)
    with psycopg.connect(postgres.url, autocommit=True) as other:
        other.execute(command.format(Identifier(_name(url))))


def _name(url: str) -> str:
    return psycopg.conninfo.conninfo_to_dict(url)["dbname"]


@contextmanager
def write_locked(path: Path) -> Iterator[None]:
    """Somebody else writes into this SQLite database, and takes his time."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def small_disk(folder: Path, size: int = SMALL_BYTES) -> Iterator[None]:
    """A file system of its own at this folder, of so many bytes. Raises OSError where the test may
    not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        raise PermissionError(f"no file system can be mounted at {folder}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def limit_files(server: Server, size: int = SMALL_BYTES) -> None:
    """No file of this process grows beyond so many bytes: a full disk without being root."""
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


@contextmanager
def few_open_files(server: Server) -> Iterator[Callable[[], None]]:
    """This process can open hardly anything. Whenever it is called, one file more and no second: a
    connection to PostgreSQL takes a socket, and then something to wait for it with."""
    pid, kind = server.process.pid, resource.RLIMIT_NOFILE
    soft, hard = resource.prlimit(pid, kind)

    def one_more() -> None:
        taken = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
        first_free = next(number for number in count() if number not in taken)
        resource.prlimit(pid, kind, (first_free + 1, hard))

    try:
        yield one_more
    finally:
        resource.prlimit(pid, kind, (soft, hard))


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Somebody else takes all that is left of the space."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        ballast.unlink()
