"""What was accepted and is not yet in the database: in memory, in hand, and in the spool behind.

The promise: it comes out in the order in which it came in, and what has come out comes out again
if it was not written. add() waits for no disk. What has been saved survives the process. Beyond
max_waiting in memory, and max_rows in the spool, the oldest are given up, counted and logged.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from powerlog.core.runs import Run
from powerlog.sampler import Due, Past, Sample
from powerlog.storage.last import LastKnown
from powerlog.storage.spool import Head, Spool, SpoolError

logger = logging.getLogger(__name__)

MARK_S = 0.1


class Backlog:
    """For several threads at once, of which one takes, and one saves.

    accepted counts all that ever came, done all that is in the database or in the spool, or given
    up: the rest waits in memory alone. Both rows and runs count.
    """

    def __init__(self, spool: Spool | None, max_waiting: int) -> None:
        self.spool, self._max_waiting = spool, max_waiting
        self._queue: deque[Due] = deque()
        self._hand: list[Due] = []  # taken, and not yet finished
        self._head: Head | None = None  # the place in the spool of what is in hand, if it has one
        # (accepted, since): what came after the first `accepted` came at `since` or later.
        self._marks: deque[tuple[int, float]] = deque([(0, 0.0)])
        self.accepted = self.done = self._given_up = 0
        self._last: LastKnown | None = None
        self._noted: dict[tuple[str, str, type], Due] = {}  # not yet in there
        self._overflows = self.spool_fails = False
        self._changed = threading.Condition()
        self._disk = threading.Lock()  # held for as long as the disk takes, and before _changed
        self._noting = threading.Lock()  # the same, for _last

    @property
    def waiting(self) -> int:
        """In memory alone."""
        return self.accepted - self.done

    @property
    def untaken(self) -> int:
        return len(self._queue)

    @property
    def in_hand(self) -> int:
        """Taken; between two batches, what a round that failed has left there."""
        return len(self._hand)

    @property
    def spooled(self) -> int:
        return self.spool.depth if self.spool else 0

    @property
    def lost(self) -> int:
        return self._given_up + (self.spool.unreadable if self.spool else 0)

    @property
    def age_s(self) -> float:
        """For how long the oldest has been in memory alone; too long rather than too short."""
        with self._changed:
            while len(self._marks) > 1 and self._marks[1][0] <= self.done:
                self._marks.popleft()
            return time.monotonic() - self._marks[0][1] if self.waiting else 0.0

    def open(self) -> None:
        """Find what was left in the spool. A disk that refuses is logged; it is tried again."""
        if self.spool is None:
            return
        try:
            self.spool.open()
        except SpoolError as exc:
            self._spool_failed(exc)
        if path := self.spool.last_path:
            self._last = LastKnown(path)
        if self.spooled:
            logger.warning("%d rows and runs were left in %s", self.spooled, self.spool.folder)

    def add(self, due: Sequence[Due]) -> None:
        now = time.monotonic()
        with self._changed:
            if now - self._marks[-1][1] >= MARK_S:
                self._marks.append((self.accepted, now))
            first = not self._queue
            self._queue.extend(due)
            self.accepted += len(due)
            if self._last:
                for each in due:
                    self._noted[each.device_id, each.channel, type(each)] = each
            beyond = max(0, len(self._queue) - self._max_waiting)
            for _ in range(beyond):
                self._queue.popleft()
            self.done += beyond
            self._give_up(beyond, "memory")
            if first:  # who lingers for more is not to be woken by each
                self._changed.notify_all()

    def wait_for(self, condition: Callable[[], object], limit_s: float | None = None) -> bool:
        """Wait until it is true, and return whether it is. It is looked at whenever something
        comes, goes, or awake() is called; it must not wait itself."""
        with self._changed:
            return bool(self._changed.wait_for(condition, limit_s))

    def awake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def take(self, limit: int) -> Sequence[Due]:
        """The oldest of all, to be finished or put back. What is neither when the next are taken
        was in hand when something unforeseen happened: it comes out again."""
        with self._disk:
            with self._changed:
                self._return(self._hand)
            head = self.spool.head(limit) if self.spool and self.spooled else None
            with self._changed:
                if head and head.file:
                    self._hand, self._head = head.due, head
                else:
                    number = min(len(self._queue), limit)
                    self._hand = [self._queue.popleft() for _ in range(number)]
                    self._head = None
                return self._hand

    def finish(self) -> None:
        """What is in hand is in the database."""
        with self._disk:
            if self._head and self.spool:
                self.spool.remove(self._head)
            with self._changed:
                self._overflows = False
                self._empty_hand()

    def put_back(self, left: Sequence[Due]) -> None:
        """Of what is in hand these, the last of it, are not in the database."""
        with self._disk, self._changed:
            self._return(left)

    def save(self) -> None:
        """All that is in memory alone goes to the disk, what is in hand first."""
        if self.spool is None:
            return
        with self._disk:
            try:
                if self._hand and not self._head:
                    head = self.spool.append(self._hand)
                    with self._changed:
                        self.done += len(self._hand)
                        self._head = head
                self._save_untaken(self.spool)
            except SpoolError as exc:
                self._spool_failed(exc)
                return
            self._give_up(self.spool.shorten(), "the spool")
        if self.spool_fails:
            self.spool_fails = False
            logger.warning("the spool takes rows again")
        self.awake()

    def note(self) -> None:
        """Keep on the disk how the channels stand, for last()."""
        with self._noting:
            with self._changed:
                noted, self._noted = self._noted, {}
            if not (noted and self._last):
                return
            taken = False
            try:
                taken = self._last.note(noted.values())
            finally:
                if not taken:
                    with self._changed:
                        self._noted = noted | self._noted

    def last(self, device_id: str, channel: str) -> Past | None:
        """How the channel stood last, as far as this machine knows it without the database."""
        if not self._last:
            return None
        with self._noting:
            told = (self._noted.get((device_id, channel, kind)) for kind in (Sample, Run))
            known = self._last.past(device_id, channel, *told)
        return known or self.past(device_id, channel, None)

    def past(self, device_id: str, channel: str, before: Past | None) -> Past | None:
        """What the spool knows of this channel, on top of what was known before."""
        if not self.spool or not self.spooled:
            return before
        with self._disk:
            return self.spool.past(device_id, channel, before)

    def close(self) -> None:
        """The end: what is in memory alone is lost."""
        self._given_up += self.waiting
        self.note()
        if self._last:
            self._last.close()
        if self.spool and self._disk.acquire(timeout=1.0):
            self.spool.close()
            self._disk.release()

    def _return(self, left: Sequence[Due]) -> None:
        if not self._head:  # else it is in the spool still
            self._queue.extendleft(reversed(left))
            self.done -= len(left)
        self._empty_hand()

    def _empty_hand(self) -> None:
        if not self._head:
            self.done += len(self._hand)
        self._hand, self._head = [], None
        self._changed.notify_all()

    def _save_untaken(self, spool: Spool) -> None:
        with self._changed:
            due = list(self._queue)
            self._queue.clear()
        try:
            spool.append(due)
        except BaseException:
            with self._changed:
                self._queue.extendleft(reversed(due))
            raise
        with self._changed:
            self.done += len(due)

    def _give_up(self, count: int, where: str) -> None:
        self._given_up += count
        if count and not self._overflows:
            self._overflows = True
            logger.error("more rows wait than fit into %s: the oldest are given up", where)

    def _spool_failed(self, exc: SpoolError) -> None:
        if not self.spool_fails:
            self.spool_fails = True
            logger.error("the spool takes nothing, rows wait in memory alone: %s", exc)
