"""Processes of the collector's own for the end-to-end tests: started, waited for, stopped."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30  # far longer than anything takes; a test that waits so long has failed


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def until(condition: Callable[[], Any], limit_s: float = PATIENCE_S) -> Any:
    """The condition's value, once it is true."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
    return value


def environment(database_url: str, folder: Path) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": database_url,
        "SPOOL_DIR": str(folder / "spool"),
        "DJANGO_SETTINGS_MODULE": "collector_site.settings",
        "PYTHONUNBUFFERED": "1",
    }


def manage(*arguments: str, database_url: str) -> subprocess.CompletedProcess[str]:
    """Run a command of manage.py to its end."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment(database_url, Path(folder)),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )


def connect(database_url: str) -> Any:
    """A connection of the driver's own: what is in the database, without Django's help."""
    if database_url.startswith("sqlite"):
        return sqlite3.connect(database_url.removeprefix("sqlite:///"))
    return psycopg.connect(database_url)


class Process:
    """A command of the collector's in a process of its own; its spool lies beside its log."""

    def __init__(self, command: list[str], database_url: str, log: Path) -> None:
        self.log = log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment(database_url, log.parent),
                stdout=stream,
                stderr=subprocess.STDOUT,
                # What a shell runs in the background ignores SIGINT, and so would the server.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        return self.log.read_text()

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """The exit code after this signal."""
        self.process.send_signal(signal_number)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """Kill it, if it has not ended."""
        self.process.kill()
        self.process.wait()


class Server(Process):
    """A collector that listens on a port and writes into a database of its own."""

    def __init__(self, command: list[str], port: int, database_url: str, log: Path) -> None:
        super().__init__(command, database_url, log)
        self.port, self.database_url = port, database_url

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def status(self) -> dict[str, str]:
        """What `/` says, by its names."""
        with urllib.request.urlopen(self.url, timeout=PATIENCE_S) as response:
            lines = response.read().decode().splitlines()
        return dict(line.split(": ", 1) for line in lines)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.output
        try:
            return bool(self.status())
        except (urllib.error.URLError, ConnectionError):
            return False

    def rows(self) -> list[tuple[Any, ...]]:
        """Device, channel, W, V, A and Wh of every row, in the order of time."""
        with closing(self.connect()) as connection:
            return connection.execute(
                "SELECT device_id, channel, apower_w, voltage_v, current_a, energy_total_wh "
                "FROM power_logs ORDER BY timestamp, channel"
            ).fetchall()

    def runs(self) -> list[tuple[Any, ...]]:
        """Channel, energy, peak and how it ended of every run, in the order of their starts."""
        with closing(self.connect()) as connection:
            return connection.execute(
                'SELECT channel, energy_wh, peak_w, "end" FROM runs ORDER BY started_at'
            ).fetchall()

    def devices(self) -> list[tuple[str, str, bool]]:
        """Id, address and whether it is connected, of every device that the registry has told."""
        with closing(self.connect()) as connection:
            return connection.execute(
                "SELECT device_id, address, connected FROM devices ORDER BY device_id"
            ).fetchall()

    def runs_left(self) -> int:
        """How many open runs were told when their connection ended."""
        with closing(self.connect()) as connection:
            query = "SELECT count(*) FROM runs WHERE ended_at IS NULL AND heard_at IS NOT NULL"
            return connection.execute(query).fetchone()[0]

    def connect(self) -> Any:
        return connect(self.database_url)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server from when it answers; killed at the end if it has not stopped by then."""
    try:
        until(server.answers)
        yield server
    finally:
        server.close()


def serve(database_url: str, folder: Path, *options: str) -> Server:
    port = free_port()
    command = ["manage.py", "serve", "--host", "127.0.0.1", "--port", str(port), *options]
    return Server(command, port, database_url, folder / f"serve-{port}.log")


def daphne(
    database_url: str, folder: Path, application: str = "collector_site.asgi:application"
) -> Server:
    """Daphne's command line with our server; the database is set up beforehand."""
    port = free_port()
    command = ["-m", "powerlog.server", "-b", "127.0.0.1", "-p", str(port), application]
    return Server(command, port, database_url, folder / f"daphne-{port}.log")
