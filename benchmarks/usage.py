"""What a server costs, and where it runs: processes, a PostgreSQL and a folder, all thrown away."""

import asyncio
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import psutil
import psycopg

from tests.support.postgres import Postgres

QUIET_S = 0.8
QUIET_SHARE = 0.1  # of a core: what a server with nothing to do stays below
LOOK_S = 0.2


class Usage:
    """The CPU time and the memory of a process with all its children."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)

    def cpu_s(self) -> float:
        """User and system, of children that have ended as well."""
        return sum(sum(process.cpu_times()[:4]) for process in self._tree())

    def rss_kb(self) -> float:
        return sum(process.memory_info().rss for process in self._tree()) / 1024

    def _tree(self) -> Iterator[psutil.Process]:
        for process in (self._root, *self._root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess), process.oneshot():
                process.cpu_times(), process.memory_info()
                yield process


async def idle(usage: Usage) -> float:
    """Wait until the process has nothing left to do. Since when, in Unix seconds."""
    last, since = usage.cpu_s(), time.time()
    while time.time() - since < QUIET_S:
        await asyncio.sleep(LOOK_S)
        now = usage.cpu_s()
        if now - last > LOOK_S * QUIET_SHARE:
            since = time.time()
        last = now
    return since


@contextmanager
def place() -> Iterator[tuple[Postgres, Path]]:
    """A PostgreSQL with its own defaults, fsync on, and a folder. SIGTERM leaves nothing, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    postgres = Postgres(durable=True)
    try:
        postgres.start()
        with tempfile.TemporaryDirectory(prefix="collector-benchmark-") as folder:
            yield postgres, Path(folder)
    finally:
        postgres.close()


def new_database(postgres: Postgres, name: str) -> str:
    """Its URL."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return postgres.url.rpartition("/")[0] + f"/{name}"


def raise_file_limit() -> int:
    """As far as it may; children inherit it. How many files may be open now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (200_000, hard):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            return wanted
    return soft


def say(line: str) -> None:
    """Progress, for whoever waits."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """The result, as it can go into docs/performance.md."""
    lines = [head, ["---"] * len(head), *rows]
    sys.stdout.writelines(f"| {' | '.join(line)} |\n" for line in lines)


def run(command: Callable[[], None]) -> NoReturn:
    """Until its end or Ctrl-C."""
    try:
        command()
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)
