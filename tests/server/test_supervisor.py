"""Several collectors on one port: real processes, and what the parent does about them."""

import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import psycopg
import pytest
from websockets.sync.client import ClientConnection, connect

from powerlog.server import supervisor
from powerlog.server.supervisor import Worker
from tests.end_to_end.test_collector import minute
from tests.support.frames import PUMP, delta, full, meter
from tests.support.servers import Server, running, serve, until

# Says that it is there, and does not stop.
STUBBORN = ["sh", "-c", """trap "" TERM; : > "$1"; while :; do sleep 0.05; done"""]


@contextmanager
def two(database_url: str, folder: Path) -> Iterator[Server]:
    """A collector of two processes, from when both of them answer; none is left behind."""
    with running(serve(database_url, folder, "--processes", "2")) as server:
        until(lambda: server.status()["processes"] == "2 of 2")
        workers = psutil.Process(server.process.pid).children()
        yield server
        assert "Traceback" not in server.output
    try:
        psutil.wait_procs(workers, timeout=12)
        assert not any(each.is_running() for each in workers)
    finally:
        for each in workers:
            if each.is_running():
                each.kill()


def worker(server: Server, number: str) -> psutil.Process:
    """The process that has this place."""
    return next(
        each
        for each in psutil.Process(server.process.pid).children()
        if each.cmdline()[-1].endswith(f"/{number}")
    )


def says(device: ClientConnection, server: Server, frame: str, device_id: str) -> str:
    """Say this, the connection's first message; the number of the process that has read it."""
    line = re.compile(rf"^\[(\d)\] .* {device_id} \(\S+ connected$", re.MULTILINE)
    before = len(line.findall(server.output))
    device.send(frame)
    until(lambda: len(line.findall(server.output)) > before)
    return line.findall(server.output)[-1]


def crowd(server: Server, sockets: ExitStack) -> dict[str, tuple[str, ClientConnection]]:
    """Devices dial until each process has two or more of them: by their names, where they are."""
    devices: dict[str, tuple[str, ClientConnection]] = {}
    while min(Counter([*"12", *(place for place, _ in devices.values())]).values()) < 3:
        name = f"pump-{len(devices)}"
        device = sockets.enter_context(connect(server.socket, open_timeout=20))
        status = full(None, name, switch_0=meter(9.0), switch_1=meter(0.0), switch_2=meter(0.0))
        place = says(device, server, status, name)
        devices[name] = place, device
    return devices


def test_processes_share_a_port_of_ipv6(ready_postgres: Callable[[], str], tmp_path: Path) -> None:
    two_of_ipv6 = serve(ready_postgres(), tmp_path, "--host", "::", "--processes", "2")
    with running(two_of_ipv6) as server:
        until(lambda: server.status()["processes"] == "2 of 2")
        with connect(f"ws://[::1]:{server.port}/ws") as device:
            device.send(full(None, PUMP, switch_0=meter(9.0)))
            until(lambda: server.devices() == [(PUMP, "::1", True)])


def test_devices_are_spread_over_the_processes_and_any_of_them_speaks_for_all(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    with two(ready_postgres(), tmp_path) as server, ExitStack() as sockets:
        devices = crowd(server, sockets)
        has = Counter(place for place, _ in devices.values())
        number = str(len(devices))
        expected = {"devices connected": number, "frames": number, "rows written": number}
        expected |= {"rows waiting": "0", "processes": "2 of 2"}
        for place in "12":
            name = f"process {worker(server, place).pid}"
            expected[name] = f"{has[place]} devices, 0 rows waiting, spool empty"
        # Six times: whichever of them answers.
        until(lambda: all(expected.items() <= server.status().items() for _ in range(6)))
        assert len(server.rows()) == int(number)
        folder = Path(worker(server, "1").cmdline()[-1]).parent
        assert folder.is_dir()
        assert server.output.count("ws://") == 1
        assert server.stop() == 0
        assert not folder.exists()
        assert len(re.findall(r"^\[[12]\] .* stopped, ", server.output, re.MULTILINE)) == 2
        assert "ERROR" not in server.output


def test_rule_8_a_device_goes_on_at_another_process_that_has_a_half_open_one(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    with two(ready_postgres(), tmp_path) as server, ExitStack() as sockets:
        start = minute() - 20

        def dials(frame: str) -> tuple[str, ClientConnection]:
            device = sockets.enter_context(connect(server.socket, open_timeout=20))
            return says(device, server, frame, PUMP), device

        first, half_open = dials(full(start, switch_2=meter(430.0, 100.0)))
        until(lambda: len(server.runs()) == 1)
        there, device = first, half_open
        while there == first:  # superseded there, as ever
            half_open = device
            there, device = dials(full(start + 60, switch_2=meter(440.0, 107.0)))
        until(lambda: len(server.rows()) == 2)
        until(lambda: server.status()["devices connected"] == "2")  # the same one, for a minute
        half_open.close()  # and only now it tells how the run stood when it heard of it last
        until(lambda: server.runs_left() == 1)
        device.send(delta(start + 65, switch_2={"apower": 0, "output": False}))
        until(lambda: server.runs()[0][3])
        ((_, energy_wh, peak_w, end),) = server.runs()
        assert (peak_w, end) == (440.0, "stopped")
        assert energy_wh == pytest.approx(7.0 + 440 * 5 / 3600, abs=0.001)
        assert [row[2] for row in server.rows()] == [430.0, 440.0]
        assert server.stop(signal.SIGINT) == 0


def test_a_killed_process_is_started_anew_and_finds_what_it_had_spooled(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    url = ready_postgres()
    with two(url, tmp_path) as server, ExitStack() as sockets:
        devices = crowd(server, sockets)
        until(lambda: len(server.rows()) == len(devices))
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE power_logs IN ACCESS EXCLUSIVE MODE")
            for name, (_, device) in devices.items():
                device.send(delta(None, name, switch_1=meter(60.0)))
            until(lambda: all("spool empty" not in line for line in each(server)))
            until(lambda: server.status()["rows waiting"] == "0")
            killed = worker(server, "1")
            killed.kill()
            killed.wait(5)
            until(lambda: f"process {killed.pid}" not in server.status(), 2)
            until(lambda: server.status()["processes"] == "2 of 2")
            until(lambda: all("spool empty" not in line for line in each(server)))
        for name in devices:
            again = sockets.enter_context(connect(server.socket, open_timeout=20))
            again.send(delta(None, name, switch_2=meter(90.0)))
        keys = {(name, f"switch:{channel}") for name in devices for channel in range(3)}
        until(lambda: {row[:2] for row in server.rows()} == keys)
        until(lambda: server.status()["spool"] == "empty")
        (line,) = re.findall(r"ERROR (process .*)", server.output)
        assert line == (
            f"process 1 ({killed.pid}) has ended (signal 9, Killed), it is started anew in 1 s"
        )


def each(server: Server) -> list[str]:
    return [line for name, line in server.status().items() if name.startswith("process ")]


def test_when_the_parent_is_killed_the_processes_write_what_they_have_and_end(
    ready_sqlite: Callable[[Path], str], tmp_path: Path
) -> None:
    with two(ready_sqlite(tmp_path), tmp_path) as server:
        assert "PostgreSQL by several" in server.output
        with connect(server.socket, open_timeout=20) as device:
            says(device, server, delta(None, switch_2=meter(430.0)), PUMP)
            server.stop(signal.SIGKILL)
            until(lambda: len(re.findall("stopped, ", server.output)) == 2)
        assert [row[2] for row in server.rows()] == [430.0]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The parent's time, which stands still."""
    clock = SimpleNamespace(now=1000.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(supervisor, "time", clock)
    return clock


def test_one_that_dies_at_once_is_started_anew_ever_later(
    tmp_path: Path, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    place = Worker(["sh", "-c", "exit 3"], tmp_path / "1")

    def pause(lived_s: float) -> str:
        told = len(caplog.messages)
        place.look_after()
        clock.now += lived_s
        until(lambda: (place.look_after(), len(caplog.messages) > told)[1])
        clock.now += 10
        return caplog.messages[-1].rpartition(") has ended (exit code 3), it is ")[2]

    lives = (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 60.0)
    assert [pause(lived_s) for lived_s in lives] == [
        f"started anew in {pause_s} s" for pause_s in (1, 2, 4, 8, 10, 10, 1)
    ]


def test_one_that_cannot_be_started_is_tried_again(
    tmp_path: Path, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    place = Worker(["/no/such/program"], tmp_path / "1")
    for _ in range(2):
        place.look_after()
        place.look_after()
        clock.now += 1
    place.wait_until(clock.now)
    first, second = caplog.messages
    reason = "process 1 cannot be started (No such file or directory), it is started anew in"
    assert (first, second) == (f"{reason} 1 s", f"{reason} 2 s")


@pytest.mark.parametrize("kind", [MemoryError(), RuntimeError("can't start new thread")])
def test_whatever_keeps_one_from_starting_does_not_end_the_others(
    tmp_path: Path,
    clock: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: Exception,
) -> None:
    def none_left(*arguments: Any, **options: Any) -> None:
        raise kind

    place = Worker(["sleep", "60"], tmp_path / "1")
    with monkeypatch.context() as patch:
        patch.setattr(supervisor.subprocess, "Popen", none_left)
        place.look_after()
    assert type(kind).__name__ in caplog.text
    clock.now += 1
    place.look_after()
    place.tell_to_stop()
    place.wait_until(clock.now + 20)


def test_one_that_does_not_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "STOP_LIMIT_S", 0.3)
    places = [Worker(STUBBORN, tmp_path / number) for number in "123"]
    for place in places:
        place.look_after()
    until(lambda: all(place.place.exists() for place in places))
    begun = time.monotonic()
    supervisor.stop(places)
    assert time.monotonic() - begun < 3
    assert len(caplog.messages) == 3
    assert re.fullmatch(r"process 1 \(\d+\) does not stop, it is killed", caplog.messages[0])
