"""Accepted rows and runs that are not yet in the database: in memory, in hand, and in the spool.

The promise: those of one device come out in the order in which they came, and come out again if
they were not written. Origins take turns, see fair_queue.py. add() waits for no disk. What has been
saved survives the process. Beyond max_waiting in memory, and max_rows in the spool, the origins
with most waiting lose their oldest; what is lost is counted and logged.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from powerlog.core.sampler import Due, Snapshot
from powerlog.writer.channel_snapshots import LastKnown
from powerlog.writer.fair_queue import FairQueue, Lot
from powerlog.writer.spool import Head, Spool, SpoolError

logger = logging.getLogger(__name__)

MARK_S = 0.1
AT_LEAST = 100  # give up at least 1/100 of the bound at once: each time takes a while
MAX_LOSERS = 10_000  # origins that have lost something; beyond this they are not counted


class Backlog:
    """The queue. Safe for several threads: one takes, one saves.

    accepted counts all that ever came; done counts all that is in the database or the spool, or
    given up. The rest waits in memory alone. Both rows and runs count.
    """

    def __init__(self, spool: Spool | None, max_waiting: int) -> None:
        self.spool, self._max_waiting = spool, max_waiting
        self._queue = FairQueue()
        self._hand: list[Lot] = []  # taken, and not yet finished
        self._losers: set[str] = set()
        self._head: Head | None = None  # the place in the spool of what is in hand, if it has one
        # (accepted, since): all after the first `accepted` arrived at `since` or later.
        self._marks: deque[tuple[int, float]] = deque([(0, 0.0)])
        self.accepted = self.done = self._given_up = 0
        self._last = LastKnown(lambda: spool.last_path, spool.database) if spool else None
        self._overflows = self.spool_fails = False
        self._changed = threading.Condition()
        self._disk = threading.Lock()  # held for as long as the disk takes, and before _changed

    @property
    def waiting(self) -> int:
        """Return how many wait in memory alone."""
        return self.accepted - self.done

    @property
    def untaken(self) -> int:
        return len(self._queue)

    @property
    def in_hand(self) -> int:
        """Return how many are taken; between two batches, those that a failed round has left."""
        return _number(self._hand)

    @property
    def spooled(self) -> int:
        return self.spool.depth if self.spool else 0

    @property
    def lost(self) -> int:
        return self._given_up + (self.spool.unreadable if self.spool else 0)

    @property
    def losers(self) -> int:
        """Return how many origins have had to give something up."""
        return len(self._losers)

    @property
    def age_s(self) -> float:
        """Return how long the oldest has been in memory alone; rather too long than too short."""
        with self._changed:
            while len(self._marks) > 1 and self._marks[1][0] <= self.done:
                self._marks.popleft()
            return time.monotonic() - self._marks[0][1] if self.waiting else 0.0

    def open(self) -> None:
        """Find what was left in the spool. A disk that fails is logged, and tried again."""
        if self.spool is None:
            return
        try:
            self.spool.open()
        except SpoolError as exc:
            self._spool_failed(exc)
        if self.spooled:
            logger.warning("%d rows and runs were left in %s", self.spooled, self.spool.folder)

    def add(self, due: Sequence[Due], origin: str) -> None:
        now = time.monotonic()
        with self._changed:
            if now - self._marks[-1][1] >= MARK_S:
                self._marks.append((self.accepted, now))
            first = not self._queue
            self._queue.add(origin, due)
            self.accepted += len(due)
            if self._last:
                self._last.hear(due)
            if (beyond := len(self._queue) - self._max_waiting) > 0:
                dropped = self._queue.drop(max(beyond, self._max_waiting // AT_LEAST))
                self.done += sum(dropped.values())
                self._give_up(dropped, "memory")
            if first:  # a thread that lingers for more must not wake for each
                self._changed.notify_all()

    def wait_for(self, condition: Callable[[], object], limit_s: float | None = None) -> bool:
        """Wait until the condition is true, and return whether it is. It is checked whenever
        something comes, goes, or awake() is called; it must not wait itself."""
        with self._changed:
            return bool(self._changed.wait_for(condition, limit_s))

    def awake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def take(self, limit: int) -> Sequence[Due]:
        """Return what comes next, to be finished or put back. After an unexpected error it may be
        neither: then the next call returns it again."""
        with self._disk:
            with self._changed:
                self._return(self._hand)
            head = self.spool.head(limit) if self.spool and self.spooled else None
            with self._changed:
                if head and head.places:
                    self._hand, self._head = [("", head.due)], head
                else:
                    self._hand, self._head = self._queue.take(limit), None
                return [each for _, due in self._hand for each in due]

    def finish(self) -> None:
        """Forget what is in hand: it is in the database."""
        with self._disk:
            if self._head and self.spool:
                self.spool.remove(self._head)
            with self._changed:
                self._overflows = self._overflows and self._crowded()
                self._empty_hand()

    def put_back(self, left: Sequence[Due]) -> None:
        """Put back those in hand that are not in the database."""
        of_these = set(map(id, left))
        with self._disk, self._changed:
            lots = [(origin, [d for d in due if id(d) in of_these]) for origin, due in self._hand]
            self._return([lot for lot in lots if lot[1]])

    def save(self) -> None:
        """Write all that is in memory alone to the disk, what is in hand first."""
        if self.spool is None:
            return
        with self._disk:
            try:
                if self._hand and not self._head:
                    head = self.spool.append(self._hand)
                    with self._changed:
                        self.done += _number(self._hand)
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

    def look_after(self) -> None:
        """Make the folder again if it was deleted, and write the snapshots of the channels, for
        last()."""
        if self.spool:
            try:
                with self._disk:
                    self.spool.look_after()
            except SpoolError as exc:
                self._spool_failed(exc)
        if self._last:
            self._last.note()

    def last(self, device_id: str, channel: str) -> Snapshot | None:
        """Return the channel's snapshot, as far as this machine has it without the database."""
        known = self._last.past(device_id, channel) if self._last else None
        return known or self.past(device_id, channel, None)

    def past(self, device_id: str, channel: str, before: Snapshot | None) -> Snapshot | None:
        """Return the snapshot `before`, brought up to date by the spool's records."""
        if not self.spool or not self.spooled:
            return before
        with self._disk:
            return self.spool.past(device_id, channel, before)

    def close(self) -> None:
        """Close the spool. What is in memory alone is lost."""
        self._given_up += self.waiting
        if self._last:
            self._last.note()
            self._last.close()
        if self.spool and self._disk.acquire(timeout=1.0):
            self.spool.close()
            self._disk.release()

    def _return(self, left: Sequence[Lot]) -> None:
        if not self._head and left:  # else it is in the spool still
            self._queue.put_back(left)
            self.done -= _number(left)
        self._empty_hand()

    def _empty_hand(self) -> None:
        if not self._head:
            self.done += _number(self._hand)
        self._hand, self._head = [], None
        self._changed.notify_all()

    def _save_untaken(self, spool: Spool) -> None:
        with self._changed:
            lots = self._queue.take_all()
        try:
            spool.append(lots)
        except BaseException:
            with self._changed:
                self._queue.put_back(lots)
            raise
        with self._changed:
            self.done += _number(lots)

    def _crowded(self) -> bool:
        """Return whether more than half of a bound is used."""
        spool = self.spool.max_rows if self.spool else 0
        return 2 * len(self._queue) > self._max_waiting or 2 * self.spooled > spool > 0

    def _give_up(self, dropped: Mapping[str, int], where: str) -> None:
        self._given_up += sum(dropped.values())
        if len(self._losers) < MAX_LOSERS:
            self._losers |= dropped.keys()
        if dropped and not self._overflows:
            self._overflows = True
            most = max(dropped, key=lambda origin: dropped[origin]) or "an unknown address"
            logger.error(
                "more rows wait than fit into %s: the oldest are given up of those who have most "
                "there, of %s first",
                where,
                most,
            )

    def _spool_failed(self, exc: SpoolError) -> None:
        if not self.spool_fails:
            self.spool_fails = True
            logger.error("the spool takes nothing, rows wait in memory alone: %s", exc)


def _number(lots: Sequence[Lot]) -> int:
    return sum(len(due) for _, due in lots)
