"""End the process, also where its event loop hangs and receives no signal any more.

While memory is short, a new thread may never run, and CPython's Thread.start() waits for it for
ever: on the event loop, below a page. So a thread of its own, started in time, ends a process that
is asked to stop and does not, and one whose event loop has stood still for long. It writes what was
accepted first. The supervisor, or systemd, starts the process again.
"""

import logging
import os
import select
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from powerlog.steady_thread import Rounds, SteadyThread

logger = logging.getLogger(__name__)

TICK_S = 1.0
STUCK_TICKS = 60  # of the guard's own: a process that was stopped (SIGSTOP) has not hung
GRACE_S = 4.0  # for the event loop to close its sockets and begin the end by itself
END_LIMIT_S = 12.0  # from there on; what ends in an orderly way takes ten at most


class Guard:
    """save writes what was accepted; call_later and stop are those of the event loop's reactor."""

    def __init__(self, save: Callable[[], object], call_later: Callable[..., object]) -> None:
        self._save, self._call_later = save, call_later
        self._ending = threading.Event()
        self._loop = Rounds("event loop")
        self._ticks = 0  # since the event loop has moved

    def start(self) -> None:
        """From the main thread, once the event loop runs and has its signal handlers."""
        self._told, self._tell = os.pipe()
        for number in (signal.SIGTERM, signal.SIGINT):
            if callable(before := signal.getsignal(number)):
                signal.signal(number, self._handler(before))
        self._loop.begin()
        self._beat()
        SteadyThread("guard", self._look).start()

    def begins(self) -> None:
        """The event loop has come to its end by itself."""
        self._ending.set()

    def _handler(self, before: Callable[..., Any]) -> Callable[[int, FrameType | None], Any]:
        def handle(number: int, frame: FrameType | None) -> Any:
            os.write(self._tell, b"!")
            return before(number, frame)

        return handle

    def _beat(self) -> None:
        self._ticks = 0
        self._loop.beat()
        self._call_later(TICK_S, self._beat)

    def _look(self) -> bool:
        told, _, _ = select.select([self._told], [], [], TICK_S)
        self._ticks += 1
        if told:
            self._end("it has been told to stop, and its event loop does not")
        elif self._ticks > STUCK_TICKS and not self._ending.is_set():
            self._end(f"its event loop has stood still for {STUCK_TICKS * TICK_S:.0f} s")
        return True

    def _end(self, why: str) -> None:
        if self._ending.wait(GRACE_S):
            threading.Event().wait(END_LIMIT_S)
        with suppress(BaseException):
            logger.error("the process ends: %s", why)
            self._save()
        os._exit(1)
