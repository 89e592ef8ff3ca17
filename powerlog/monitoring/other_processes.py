"""Share the Health of all processes on this port, so that each of them can answer `/` for all.

Twice a second each process writes its Health to a file of its own, in a folder that serve has made,
and reads those of the others, in a thread; they are a second old at most. The process that started
the others removes the file of one that has died.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from powerlog.monitoring import health
from powerlog.monitoring.health import Health
from powerlog.steady_thread import SteadyThread

TELL_S = 0.5
SILENT_S = 5.0  # a process that has not told anything for so long does not count: it is stuck
LEAVE_LIMIT_S = 2.0

_decode = msgspec.json.Decoder(Health).decode


class Neighbours:
    """others is the Health of the others, expected the number of processes there should be in all.

    A process without a folder is alone.
    """

    def __init__(self) -> None:
        self.others: list[Health] = []
        self.expected = 1
        self.place = "1"
        self._left = threading.Event()

    def meet(self, own: Path, expected: int) -> None:
        """Write our Health to this file and read theirs, from now on."""
        self.expected, self.place = expected, own.name
        self._thread = SteadyThread("neighbours", lambda: self._meet(own))
        self._thread.start()

    def everybody(self) -> list[Health]:
        """Return the Health of this process and the others, in the order of their ids."""
        others = filter(_counts, self.others)  # also where the thread has not looked for long
        return sorted([health.own(self.place), *others], key=lambda each: each.pid)

    def leave(self, own: Path) -> None:
        """Stop and delete our file. The last process deletes the folder."""
        self._left.set()
        self._thread.join(LEAVE_LIMIT_S)
        with suppress(OSError):
            own.unlink(missing_ok=True)
            own.parent.rmdir()

    def _meet(self, own: Path) -> bool:
        self.exchange(own)
        return not self._left.wait(TELL_S)

    def exchange(self, own: Path) -> None:
        """Write our Health, and read that of the others. Raise OSError."""
        new = own.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(health.own(self.place)))
        new.replace(own)  # so that no process reads half of it
        self.others = list(_told(own))


def _told(own: Path) -> Iterator[Health]:
    for path in own.parent.iterdir():
        # One that has died meanwhile is no error, and one that tells rubbish does not count.
        with suppress(FileNotFoundError, msgspec.MsgspecError):
            if path != own and not path.suffix:
                told = _decode(path.read_bytes())
                if _counts(told):
                    yield told


def _counts(told: Health) -> bool:
    return time.monotonic() - told.at < SILENT_S


neighbours = Neighbours()
