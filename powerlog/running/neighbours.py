"""How the other processes on this port are, so that each of them can answer `/` for all.

Each puts its Health twice a second into a file of its own, in a folder that serve has made for
them, and reads those of the others, in a thread; what it knows of them is a second old at most. The
file of a process that has died is removed by who started it.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from powerlog.running import health
from powerlog.running.health import Health

logger = logging.getLogger(__name__)

TELL_S = 0.5
SILENT_S = 5.0  # a process that has not told anything for so long does not count: it is stuck

_decode = msgspec.json.Decoder(Health).decode


class Neighbours:
    """others are how they are, expected is how many processes there should be in all.

    A process that nobody has made a folder for is alone.
    """

    def __init__(self) -> None:
        self.others: list[Health] = []
        self.expected = 1
        self.place = "1"
        self._left = threading.Event()
        self._fails = False

    def meet(self, own: Path, expected: int) -> None:
        """Tell them how we are, in this file, and listen to them, from now on."""
        self.expected, self.place = expected, own.name
        self._thread = threading.Thread(target=self._meet, args=[own], daemon=True)
        self._thread.start()

    def everybody(self) -> list[Health]:
        """How this process is, and the others, in the order of their ids."""
        return sorted([health.own(self.place), *self.others], key=lambda each: each.pid)

    def leave(self, own: Path) -> None:
        """Tell no more. Who leaves last takes the folder along."""
        self._left.set()
        self._thread.join()
        with suppress(OSError):
            own.unlink(missing_ok=True)
            own.parent.rmdir()

    def _meet(self, own: Path) -> None:
        while not self._left.is_set():
            self.exchange(own)
            self._left.wait(TELL_S)

    def exchange(self, own: Path) -> None:
        new = own.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(health.own(self.place)))
            new.replace(own)  # so that nobody reads half of it
            self.others = list(_told(own))
            self._fails = False
        except OSError as exc:
            if not self._fails:
                logger.error("the other processes do not hear of this one: %s", exc)
            self._fails = True


def _told(own: Path) -> Iterator[Health]:
    for path in own.parent.iterdir():
        # One that has died meanwhile is no error.
        with suppress(FileNotFoundError):
            if path != own and not path.suffix:
                told = _decode(path.read_bytes())
                if time.monotonic() - told.at < SILENT_S:
                    yield told


neighbours = Neighbours()
