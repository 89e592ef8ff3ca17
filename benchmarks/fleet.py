"""`python -m benchmarks.fleet`: thousands of devices at one collector, and its restart.

It counts what comes of it exactly: each device has three rows due a minute, and three runs that
go on over the restart. Any socket that ends while nobody stops the collector counts as lost.
"""

import multiprocessing
import socket
import time
import urllib.error
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import psycopg

from tests.support.postgres import Postgres
from tests.support.servers import Server, running

from .devices import BUSY, DELTAS, SWITCHES, Told, run_devices
from .usage import Usage, new_database, place, raise_file_limit, run, say, table
from .wire import DEVICES_PER_ADDRESS, HOST

CONNECT_PER_S = 500
LOOK_S = 0.1
PATIENCE_S = 180.0
BURST_PATIENCE_S = 45.0
RESTART_AT_S = 20  # of a minute, between two bursts


class Minute(NamedTuple):
    """Seconds after :00; None: it never happened."""

    sent_s: float
    handled_s: float | None
    committed_s: float | None
    slowest_page_s: float


class Restart(NamedTuple):
    """Seconds after SIGTERM."""

    ended_s: float
    answers_s: float | None
    connected_s: float | None
    restored_s: float | None


class Fleet:
    """The devices, in processes of their own."""

    def __init__(self, devices: int) -> None:
        self.devices = devices
        self._told: list[MutableSequence[float]] = []

    @contextmanager
    def talking(self, port: int, per_s: float) -> Iterator[None]:
        spawn = multiprocessing.get_context("spawn")
        # A process for each address, which is also what one core can speak for.
        parts = range(0, self.devices, DEVICES_PER_ADDRESS)
        processes = []
        for first in parts:
            numbers = range(first, min(first + DEVICES_PER_ADDRESS, self.devices))
            told = spawn.Array("d", len(Told), lock=False)
            self._told.append(told)
            asked = (port, numbers, per_s / len(parts), told)
            processes.append(spawn.Process(target=run_devices, args=asked, daemon=True))
        try:
            for process in processes:
                process.start()
            yield
        finally:
            for process in processes:
                process.kill()
                process.join()

    def total(self, what: Told) -> int:
        return int(sum(told[what] for told in self._told))

    def burst_since(self, minute: float) -> tuple[float, int] | None:
        """When the burst of this minute had been sent, and how many frames by then in all."""
        ended = [told[Told.BURST_ENDED_AT] for told in self._told]
        return (max(ended), self.total(Told.SENT_BY_THEN)) if min(ended) >= minute else None


class Trial:
    """A collector with its database, and the fleet that it serves."""

    def __init__(self, fleet: Fleet, postgres: Postgres, folder: Path, processes: int) -> None:
        self.fleet, self._folder, self._processes = fleet, folder, processes
        self._url = new_database(postgres, "fleet")
        self.port = port_nobody_dials_from()
        self.server = self.start()
        self.postgres = Usage(postgres.pid)
        self._unheard = 0  # sent to a collector that has ended

    def start(self) -> Server:
        command = ["manage.py", "serve", "--host", HOST, "--port", str(self.port)]
        if self._processes:
            command += ["--processes", str(self._processes)]
        log = self._folder / f"serve-{time.time():.3f}.log"
        return Server(command, self.port, self._url, log)

    def frames(self) -> int:
        """Handled by now, by what `/` says; -1: it does not answer."""
        try:
            return int(self.server.status()["frames"])
        except (urllib.error.URLError, HTTPException, OSError, KeyError):
            return -1

    def ask(self, query: str, *values: object) -> tuple[int, ...]:
        with closing(psycopg.connect(self._url)) as connection:
            return connection.execute(query, values).fetchone() or ()

    def rows_of(self, minute: float) -> int:
        query = "SELECT count(*) FROM power_logs WHERE timestamp = to_timestamp(%s)"
        return self.ask(query, minute)[0]

    def all_connected(self) -> bool:
        return self.fleet.total(Told.CONNECTED) == self.fleet.devices

    def all_heard(self) -> bool:
        return self.frames() >= self.fleet.total(Told.SENT) - self._unheard

    def minute(self) -> Minute:
        """The next one."""
        minute = time.time() // 60 * 60 + 60
        sleep_until(minute)
        wait(lambda: self.fleet.burst_since(minute), BURST_PATIENCE_S, since=minute, every_s=0.01)
        sent_at, sent = self.fleet.burst_since(minute) or (time.time(), 0)
        slowest_s = 0.0

        def handled() -> bool:
            nonlocal slowest_s
            began = time.monotonic()
            frames = self.frames()
            slowest_s = max(slowest_s, time.monotonic() - began)
            return frames >= sent - self._unheard

        handled_s = wait(handled, BURST_PATIENCE_S, since=minute)
        due = self.fleet.devices * BUSY
        committed_s = wait(lambda: self.rows_of(minute) == due, BURST_PATIENCE_S, since=minute)
        return Minute(sent_at - minute, handled_s, committed_s, slowest_s)

    def restart(self) -> Restart:
        began = time.time()
        self.server.stop()
        ended_s = time.time() - began
        self.server = self.start()
        # They wait a second before they dial again, so that nothing is sent meanwhile.
        wait(lambda: not self.fleet.total(Told.CONNECTED), 1.0, since=began, every_s=0.01)
        self._unheard = self.fleet.total(Told.SENT)
        answers_s = wait(lambda: self.frames() >= 0, PATIENCE_S, since=began)
        connected_s = wait(self.all_connected, PATIENCE_S, since=began)
        # Whatever a device says is handled only after its state is back.
        restored_s = wait(self.all_heard, PATIENCE_S, since=began)
        return Restart(ended_s, answers_s, connected_s, restored_s)

    def whole_minutes(self, first: float, last: float) -> int:
        """Minutes and channels, of those from first to last, in which no row is missing."""
        query = """SELECT count(*) FROM (
            SELECT 1 FROM power_logs WHERE timestamp BETWEEN to_timestamp(%s) AND to_timestamp(%s)
            GROUP BY timestamp, channel HAVING count(*) = %s) AS whole"""
        return self.ask(query, first, last, self.fleet.devices)[0]


def wait(
    condition: Callable[[], object], limit_s: float, *, since: float, every_s: float = LOOK_S
) -> float | None:
    """Seconds since that moment until it is true; None where it takes longer than the limit."""
    while not condition():
        if time.time() - since > limit_s:
            return None
        time.sleep(every_s)
    return time.time() - since


def sleep_until(ts: float) -> None:
    time.sleep(max(0.0, ts - time.time()))


def port_nobody_dials_from() -> int:
    """A free port below those that the kernel gives to outgoing connections."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in range(lowest - 1, 1024, -1):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)):
                return port
    raise SystemExit("error: no port is free")


def seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def worst(values: Sequence[float | None]) -> str:
    return seconds(None if None in values else max(each for each in values if each is not None))


def measure(trial: Trial, minutes: int, per_s: float) -> Iterator[tuple[str, str]]:
    """What came of it, line by line."""
    fleet, usage = trial.fleet, Usage(trial.server.process.pid)
    empty_kb, began = usage.rss_kb(), time.time()
    with fleet.talking(trial.port, per_s):
        connected_s = wait(trial.all_connected, fleet.devices / per_s + PATIENCE_S, since=began)
        wait(trial.all_heard, PATIENCE_S, since=time.time())
        time.sleep(3)
        full_kb = usage.rss_kb()
        say(f"{fleet.total(Told.CONNECTED)} connected after {seconds(connected_s)}")
        yield "devices connected", f"{fleet.total(Told.CONNECTED)} of {fleet.devices}"
        yield "connected within", seconds(connected_s)
        yield "memory", f"{empty_kb / 1024:.0f} MB empty, {full_kb / 1024:.0f} MB with all"
        yield "memory a connection", f"{(full_kb - empty_kb) / fleet.devices:.1f} KB"
        first = (time.time() + 1) // 60 * 60 + 60
        sleep_until(first - 1)
        yield from measure_minutes(trial, usage, minutes)
        sleep_until(time.time() // 60 * 60 + 60 + RESTART_AT_S)
        restart = trial.restart()
        say(f"restarted: {restart}")
        yield "restart: ended after SIGTERM", seconds(restart.ended_s)
        yield "… answers again", seconds(restart.answers_s)
        yield "… all connected", seconds(restart.connected_s)
        yield "… all states back", seconds(restart.restored_s)
        say(f"the minute after: {trial.minute()}")
        yield from results(trial, first, time.time() // 60 * 60)


def measure_minutes(trial: Trial, usage: Usage, minutes: int) -> Iterator[tuple[str, str]]:
    fleet = trial.fleet
    began, cpu_s, postgres_s = time.time(), usage.cpu_s(), trial.postgres.cpu_s()
    sent = fleet.total(Told.SENT)
    seen: list[Minute] = []
    for count in range(minutes):
        seen.append(trial.minute())
        say(f"minute {count + 1}: {seen[-1]}")
    sleep_until(time.time() // 60 * 60 + 59)
    took_s = time.time() - began
    cpu = (usage.cpu_s() - cpu_s) / took_s
    postgres = (trial.postgres.cpu_s() - postgres_s) / took_s
    burst = fleet.devices * SWITCHES
    yield "frames a second, on average", f"{(fleet.total(Told.SENT) - sent) / took_s:.0f}"
    yield "CPU of the collector", f"{cpu:.0%} of a core"
    yield "CPU of PostgreSQL", f"{postgres:.0%} of a core"
    yield f"burst of {burst} frames: sent by", worst([each.sent_s for each in seen])
    yield "… handled by", worst([each.handled_s for each in seen])
    yield "… all rows committed by", worst([each.committed_s for each in seen])
    yield "… longest wait for `/`", worst([each.slowest_page_s for each in seen])
    yield "memory after that", f"{usage.rss_kb() / 1024:.0f} MB"
    yield "sockets lost", f"{fleet.total(Told.LOST)}"
    yield "handshakes failed", f"{fleet.total(Told.FAILED)}"


def results(trial: Trial, first: float, last: float) -> Iterator[tuple[str, str]]:
    minutes, devices = round((last - first) / 60) + 1, trial.fleet.devices
    query = """SELECT count(*) FROM power_logs
        WHERE timestamp BETWEEN to_timestamp(%s) AND to_timestamp(%s)"""
    rows = trial.ask(query, first, last)[0]
    whole = trial.whole_minutes(first, last)
    runs = trial.ask("SELECT count(*) FROM runs")[0]
    yield f"rows of {minutes} minutes, restart included", f"{rows} of {minutes * BUSY * devices}"
    yield "… minutes and channels without a hole", f"{whole} of {minutes * BUSY}"
    yield "runs", f"{runs} of {BUSY * devices}"


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--minutes", type=int, default=3, help="measured before the restart (3)")
    parser.add_argument("--processes", type=int, default=0, help="of `serve`, passed on")
    parser.add_argument("--rate", type=float, default=CONNECT_PER_S, help="dials a second (500)")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    say(f"{raise_file_limit()} files may be open; a device has {SWITCHES + DELTAS} frames a minute")
    with place() as (postgres, folder):
        trial = Trial(Fleet(asked.devices), postgres, folder, asked.processes)
        try:
            with running(trial.server):
                table(("", ""), list(measure(trial, asked.minutes, asked.rate)))
        finally:
            trial.server.close()


if __name__ == "__main__":
    run(main)
