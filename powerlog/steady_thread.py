"""Threads that live as long as the process does, and go on whatever one of their rounds raises.

The promise: a round that raises, be it MemoryError, ends nothing. It is logged in one line, once
until a round works again, and the next round follows after a pause. When each thread has last
finished a round is known from memory alone: `/` and /metrics report it.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

logger = logging.getLogger(__name__)

RETRY_S = 1.0
LATE_S = 60.0  # longer than a statement that hangs is waited for; after that staff should look
SAME_AGAIN_S = 60.0  # a thread that fails and works by turns logs so often at most

_running: set["Rounds"] = set()


class Rounds:
    """When something that goes round for as long as the process lives has last done so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.finished_at = time.monotonic()
        self.failure: str | None = None  # of the round before, if that raised

    def begin(self) -> None:
        self.beat()
        _running.add(self)

    def beat(self) -> None:
        """A round is finished, or one that takes long has got on."""
        self.finished_at = time.monotonic()

    def end(self) -> None:
        _running.discard(self)


class SteadyThread(threading.Thread):
    """Call `once` again and again, until it returns False; then `at_end`, once.

    A round that raises counts as not finished, and is not the last. quiet are exceptions that
    another thread logs already. A daemon: a database that hangs must not keep the process alive.
    """

    def __init__(
        self,
        name: str,
        once: Callable[[], bool],
        *,
        at_end: Callable[[], object] = lambda: None,
        quiet: tuple[type[BaseException], ...] = (),
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._once, self._at_end, self._quiet = once, at_end, quiet
        self.rounds = Rounds(name)
        self._logged: dict[str, float] = {}

    def start(self) -> None:
        """Begin. A machine that has no thread to spare is logged, and shown by stuck()."""
        self.rounds.begin()
        try:
            super().start()
        except RuntimeError as exc:
            self._note(exc)

    def run(self) -> None:
        while self._goes_on():
            pass
        try:
            self._at_end()
        except BaseException as exc:  # noqa: BLE001 (the thread ends anyway)
            self._note(exc)
        self.rounds.end()

    def _goes_on(self) -> bool:
        try:
            again = self._once()
            self.rounds.failure = None
            self.rounds.beat()
        except BaseException as exc:  # noqa: BLE001 (MemoryError and SystemExit end no thread)
            self._note(exc)
            time.sleep(RETRY_S)
            return True
        return again

    def _note(self, exc: BaseException) -> None:
        with suppress(BaseException):  # without memory a log line may fail as well
            why, first = reason(exc), self.rounds.failure is None
            self.rounds.failure = why
            last = self._logged.get(why)
            again = last is None or time.monotonic() - last >= SAME_AGAIN_S
            if first and again and not isinstance(exc, self._quiet):
                self._logged = {why: time.monotonic()}
                logger.error("the thread %s has failed, it is tried again: %s", self.name, why)


def reason(exc: BaseException) -> str:
    """Its type and its text in one line."""
    return f"{type(exc).__name__}: {' '.join(str(exc).split())}".removesuffix(": ")


def ages() -> dict[str, float]:
    """Return the seconds since each running thread last finished a round."""
    now, found = time.monotonic(), dict[str, float]()
    for each in list(_running):
        found[each.name] = max(found.get(each.name, 0.0), now - each.finished_at)
    return found


def stuck() -> dict[str, str]:
    """Return, for each thread that has finished no round for LATE_S, how long and why."""
    now = time.monotonic()
    late = [each for each in list(_running) if now - each.finished_at > LATE_S]
    return {
        each.name: f"no round for {now - each.finished_at:.0f} s"
        + (f" ({each.failure})" if each.failure else "")
        for each in late
    }
