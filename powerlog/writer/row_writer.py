"""Write samples and runs to the database in batches, in a thread of its own, off the frame path.

The promise: submit() never waits, whatever the database and the disk do. A row is written within a
second of its reading, the batch grows with the load, and a row that is there already stays as it
is. If the database has not taken a row after HOLD_S, because it is away, slow or hangs, the row is
in the spool on the disk within two seconds of its reading. From there it goes into the database, in
order for each device, before anything newer. What the disk does not take waits in memory, up to
MAX_WAITING_ROWS. Beyond that, and beyond the bound of the spool, the addresses with most waiting
lose their oldest, counted and logged as an error: a flood neither delays nor costs the rows of
others. A row that the database refuses costs itself, not its neighbours, and a fault of its tables
costs none: see writer/delivery.py. At the end of the process all that was accepted is in the
database or in the spool, or counted and logged as lost.

Two threads: the drainer asks the database, and waits for it as long as it takes. The keeper never
asks it, and saves what waits in memory to the disk.
"""

import atexit
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import connections

from powerlog.client_address import origin
from powerlog.core.frame import ChannelKey
from powerlog.core.sampler import Due, Sample, Snapshot
from powerlog.database.restore import recall
from powerlog.database.sql import WRITER
from powerlog.database.sqlite_files import fingerprint
from powerlog.database.store import fault, prove, store
from powerlog.steady_thread import SteadyThread, reason
from powerlog.writer.delivery import Away, Delivery, Proof
from powerlog.writer.histogram import Histogram
from powerlog.writer.queue import Backlog
from powerlog.writer.restore_requests import Recalls
from powerlog.writer.spool import Spool

logger = logging.getLogger(__name__)

# About 25 MB: the minutes of a thousand devices with three busy channels for half an hour.
MAX_WAITING_ROWS = 100_000
BATCH_ROWS = 2_000
MORE_ROWS = 40  # by which a batch grows again, after one that was too big
LINGER_S = 0.5
HOLD_S = 1.25  # how long a row may be in memory alone
IDLE_S = 1.0  # a round of the drainer when there is nothing to write
TICK_S = 0.25
RETRY_S = 1.0
STOP_LIMIT_S = 8.0
RECALL_LIMIT_S = 3.0
SLOW_S = 10.0  # a statement that takes longer counts as a database that is away
REFUSED = "refused by the database"
# Restored where there is nothing to write, to see whether the database answers.
NO_CHANNEL = ChannelKey("", "")


class RowWriter:
    """The backlog, and the threads that empty it into `store`.

    written counts new rows since the start of the process, accepted what was submitted, by its
    source, rejected what no table can hold, by the reason; writes is how long the database took
    for a batch. failing_since is the Unix time at which the database stopped taking rows,
    None while it takes them; asking_since is when the statement in progress began; last_write_at
    when the last batch went in, None before the first.
    """

    def __init__(
        self,
        store: Callable[[Sequence[Due]], int],
        recall: Callable[[Sequence[tuple[str, str]]], list[Snapshot]] = lambda meters: [],
        spool: Spool | None = None,
        prove: Proof = lambda due: None,
        *,
        max_waiting: int = MAX_WAITING_ROWS,
        linger_s: float = LINGER_S,
        hold_s: float = HOLD_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._store, self._recall = store, recall
        self._delivery = Delivery(self._ask, prove)
        self._at_once, self._too_slow = BATCH_ROWS, False
        self._linger_s, self._hold_s, self._retry_s = linger_s, hold_s, retry_s
        self.backlog = Backlog(spool, max_waiting)
        self._recalls = Recalls(self.backlog)
        self._threads: list[SteadyThread] = []
        self._began = False  # the database has been asked once
        self._stopping, self._ended = threading.Event(), threading.Event()
        self.written = 0
        self.rejected: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.writes = Histogram()
        self.failing_since: float | None = None
        self.asking_since: float | None = None
        self.last_write_at: float | None = None

    def start(self) -> None:
        """Write what the spool holds, and from now on what is submitted; submit() does it, too."""
        if self._threads:
            return
        # Both before the first starts: this is called by every submit().
        self._threads = [
            SteadyThread("row-writer", self._write_next, at_end=connections.close_all),
            SteadyThread("row-keeper", self._keep),
        ]
        self.backlog.open()
        for thread in self._threads:
            thread.start()

    def submit(self, due: Sequence[Due], address: str = "") -> None:
        """Accept these rows and runs, which came from this address. Never waits, never raises."""
        if sound := [each for each in due if not self._rejects(each)]:
            for each in sound:
                if isinstance(each, Sample):
                    self.accepted[each.source] += 1
            self.start()
            self.backlog.add(sound, origin(address))

    async def past(
        self,
        device_id: str,
        channels: Sequence[str],
        otherwise: Callable[[list[Snapshot]], Sequence[Due]],
    ) -> list[Snapshot]:
        """Return the snapshots of these channels, with all that was accepted by now.

        While the database is away, return what this machine has, after RECALL_LIMIT_S. If the
        process ends before there is an answer, `otherwise` is called with what this machine has,
        and its rows and runs are written.
        """
        self.start()
        # Without a channel it restores the open runs of the device alone.
        meters = [(device_id, channel) for channel in channels or [""]]
        return await self._recalls.ask(meters, otherwise, RECALL_LIMIT_S + HOLD_S)

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """Write or spool what was accepted, for at most this long; what is left then is lost."""
        if not self._threads or self._stopping.is_set():
            return
        self.submit(self._recalls.unanswered(lambda meter: self.backlog.last(*meter)))
        self._stopping.set()
        self.backlog.awake()
        self.backlog.wait_for(lambda: not self.backlog.waiting, limit_s)
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * TICK_S)  # a statement that hangs may go on hanging
        spooled, lost = self.backlog.spooled, self.backlog.waiting
        self.backlog.close()
        if lost:
            logger.error("stopped with %d rows lost: neither database nor disk took them", lost)
        else:
            logger.info("stopped, %d rows written, %d in the spool", self.written, spooled)

    def _rejects(self, due: Due) -> bool:
        """Return whether no table can hold it, and count it: it must not reach its neighbours."""
        if why := fault(due):
            self.rejected[why] += 1
            logger.error("lost, no table can hold it (%s): %r", why, due)
        return bool(why)

    # The drainer: the only thread that asks the database, and waits for it as long as it takes.

    def _write_next(self) -> bool:
        """Write a batch, if there is anything to write; return False after the last one."""
        if not self.backlog.wait_for(self._busy, IDLE_S):
            return True
        batch = self._next_batch()
        if batch is None:
            return False
        try:
            if self._write(batch):
                self.backlog.finish()
            self._answer()
        finally:
            self.asking_since = None
        return True

    def _answer(self) -> None:
        """Answer restore requests, also if the database is full or read-only: it can be read."""
        try:
            self._recalls.answer(self._recall)
        except Exception as exc:  # noqa: BLE001 (asked again, or answered by the keeper)
            self._gone(exc)

    def _next_batch(self) -> list[Due] | None:
        """Return rows in the order of their minutes, then runs in the order of their reports.

        Empty if nothing waits and the database is away, or has not been asked yet. None: that was
        all.
        """
        if self._began and self.backlog.untaken < self._at_once and not self.backlog.spooled:
            # What arrives meanwhile shares the statement.
            self.backlog.wait_for(self._hurried, self._linger_s)
        if self._recalls:
            self._stopping.wait(self._linger_s / 20)  # a fleet that is back asks all at once
        if self._ended.is_set() or (self._stopping.is_set() and not self.backlog.waiting):
            return None
        due = self.backlog.take(self._at_once)
        if not due and self.backlog.spooled:
            self._stopping.wait(self._retry_s)  # the disk does not give it back now
        rows = [each for each in due if isinstance(each, Sample)]
        runs = [each for each in due if not isinstance(each, Sample)]
        return [*sorted(rows, key=lambda row: row.ts), *runs]

    def _busy(self) -> bool:
        unknown = self.failing_since is not None or not self._began
        waits = self.backlog.untaken or self.backlog.spooled or self.backlog.in_hand
        return bool(unknown or waits or self._hurried())

    def _hurried(self) -> bool:
        """Return whether a device waits for its restore, or the process for its end."""
        return bool(self._recalls) or self._stopping.is_set()

    def _write(self, batch: list[Due]) -> bool:
        """Write the batch, without the rows that are refused.

        False if the database does not take it now: it is put back, to be taken again.
        """
        self._began = True
        try:
            for part, outcome in self._delivery.deliver(batch):
                if isinstance(outcome, int):
                    self._taken(part, outcome)
                else:
                    self._refuse(part, outcome)
        except Away as away:
            self.backlog.put_back(away.left)
            if not self._takes_fewer(away):
                self._gone(away.why)
                # At the end of the process `stopping` is already set and would not wait at all.
                time.sleep(0.1) if self._stopping.is_set() else self._stopping.wait(self._retry_s)
            return False
        self._at_once, self._too_slow = min(BATCH_ROWS, self._at_once + MORE_ROWS), False
        return True

    def _ask(self, part: Sequence[Due]) -> int:
        self.asking_since = time.time()
        return self._store(part) if part else len(self._recall([NO_CHANNEL]))

    def _takes_fewer(self, away: Away) -> bool:
        """Return whether to try again at once with fewer rows. After two statements in a row that
        are too slow the database counts as away, and is still tried with ever fewer rows."""
        if not away.timed_out:
            return False
        self._at_once = away.part // 2
        again, self._too_slow = self._too_slow, True
        return not again

    def _taken(self, part: list[Due], new: int) -> None:
        """Note that the database has taken these; `new` of them are rows that it did not have."""
        self.written += new
        if part:
            self.last_write_at = time.time()
            self.writes.note(self.last_write_at - (self.asking_since or self.last_write_at))
        if self.failing_since is not None:
            away_s, self.failing_since = time.time() - self.failing_since, None
            logger.warning(
                "the database takes rows again after %.0f s: %d wait in the spool, %d in memory, "
                "%d were given up",
                away_s,
                self.backlog.spooled,
                self.backlog.waiting,
                self.backlog.lost,
            )

    def _refuse(self, part: list[Due], exc: Exception) -> None:
        self.rejected[REFUSED] += len(part)
        logger.error("the database refuses a row, which is lost: %r: %s", part, reason(exc))

    def _gone(self, exc: Exception) -> None:
        if self.failing_since is None:
            self.failing_since = time.time()
            where = self.backlog.spool.folder if self.backlog.spool else "memory"
            logger.error("the database takes no rows, they wait in %s: %s", where, reason(exc))

    # The keeper: never asks the database, so that nothing is in memory alone for long.

    def _keep(self) -> bool:
        if self._ended.wait(TICK_S):
            return False
        self._look_after()
        return True

    def _look_after(self) -> None:
        """Save what waits, the most important first: an error delays only the rest."""
        asking = self.asking_since
        if asking and time.time() - asking > SLOW_S:
            self._gone(TimeoutError(f"no answer for {SLOW_S:.0f} s"))
        age_s = self.backlog.age_s
        # Rows that have to wait behind the spool go into it at once.
        behind = self.failing_since is not None or self.backlog.spooled
        if age_s > self._hold_s or (age_s and behind):
            self.backlog.save()
        self.backlog.look_after()
        self._recalls.answer_without_database(RECALL_LIMIT_S)


_spool = Spool(settings.SPOOL_DIR, settings.SPOOL_MAX_ROWS, fingerprint(settings.DATABASES[WRITER]))
row_writer = RowWriter(store, recall, _spool, prove)
atexit.register(row_writer.stop)  # with Daphne it is stopped earlier, see collector_site/asgi.py
