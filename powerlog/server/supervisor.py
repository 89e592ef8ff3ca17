"""Several collectors on one port: started, started anew when they die, and stopped together.

The promise: as long as this process runs there are so many workers, or there soon will be; when it
ends, however it ends, so do they. Each is a new interpreter: a fork of this one would share threads
and locks with it. Each has a process group of its own, so that Ctrl-C in a terminal reaches this
process alone, which tells them, once.
"""

import logging
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from powerlog.steady_thread import reason

logger = logging.getLogger(__name__)

TICK_S = 0.1
PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0  # before a worker is started anew
STEADY_S = 10.0  # one that has lived so long did not die at once
STOP_LIMIT_S = 9.3  # longer than a worker takes, whatever hangs, and in all below ten
MEMORY = Path("/dev/shm")


class Worker:
    """A place for one process, and the process that has it now."""

    def __init__(self, command: Sequence[str], place: Path) -> None:
        self.place = place
        self._command = [*command, "--worker", str(place)]
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._due_at = 0.0
        self._pause_s = PAUSE_S

    def look_after(self) -> None:
        """Start the process if it is time to; notice that it has died."""
        if self._process is None:
            if time.monotonic() >= self._due_at:
                self._start()
        elif self._process.poll() is not None:
            self._died(self._process)

    def tell_to_stop(self) -> None:
        if self._process:
            self._process.terminate()

    def wait_until(self, deadline: float) -> None:
        """Wait for its end until then (monotonic), and no longer."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.error("process %s does not stop, it is killed", self._name)
            self._process.kill()
        self._process.communicate()  # and close our end of its standard input

    def _start(self) -> None:
        self._started_at = time.monotonic()
        try:
            # Of its standard input this process holds the other end; see end_with_parent().
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, process_group=0)
        except Exception as exc:  # noqa: BLE001 (whatever it is, the others are looked after)
            # No memory, or too many processes or open files.
            self._again_later(
                f"cannot be started ({getattr(exc, 'strerror', None) or reason(exc)})"
            )

    def _died(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(OSError):
            process.communicate()  # close our end of its standard input
            self.place.unlink(missing_ok=True)  # what it said of itself does not hold any more
        how = _how(process.returncode)
        if time.monotonic() - self._started_at >= STEADY_S:
            self._pause_s = PAUSE_S
        self._again_later(f"has ended ({how})")

    def _again_later(self, what: str) -> None:
        logger.error("process %s %s, it is started anew in %.0f s", self._name, what, self._pause_s)
        self._process = None
        self._due_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    @property
    def _name(self) -> str:
        pid = f" ({self._process.pid})" if self._process else ""
        return f"{self.place.name}{pid}"


def run_all(command: Sequence[str], processes: int) -> None:
    """So many times this command, until SIGTERM or SIGINT. To each is added `--worker PLACE`."""
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:  # as a shell has it for the background
            signal.signal(number, lambda number, frame: told.append(number))
    # In memory where there is such a folder: a full or slow disk must not make `/` wrong.
    parent = MEMORY if MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="collector-", dir=parent))
    workers = [Worker(command, folder / str(number)) for number in range(1, processes + 1)]
    try:
        while not told:
            for worker in workers:
                worker.look_after()
            time.sleep(TICK_S)
    finally:
        stop(workers)
        shutil.rmtree(folder, ignore_errors=True)


def stop(workers: Sequence[Worker]) -> None:
    """All at once, each with its own time to write or spool what it has accepted."""
    deadline = time.monotonic() + STOP_LIMIT_S
    for worker in workers:
        worker.tell_to_stop()
    for worker in workers:
        worker.wait_until(deadline)


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}, {signal.strsignal(-code)}"
