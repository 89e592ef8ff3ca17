"""Samples and runs go into the database: in batches, in a thread of its own, off the frame path.

The promise: submit() never waits, whatever the database does. A row is written within a second
of its reading; the batch grows with the load. A row that is there already stays as it is. While
the database is away the rows wait in memory, oldest first, and go in when it is back. The wait is
bounded: beyond MAX_WAITING_ROWS the oldest are given up, counted and logged as an error. A row that
the database refuses costs itself, not its neighbours. At the end of the process what was accepted
is written, or counted and logged as lost when that takes longer than STOP_LIMIT_S.
"""

import asyncio
import atexit
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from django.db import DataError, IntegrityError, connections

from powerlog.sampler import Due, Past, Sample
from powerlog.store import recall, store

logger = logging.getLogger(__name__)

# About 25 MB: the minutes of a thousand devices with three busy channels for half an hour.
MAX_WAITING_ROWS = 100_000
BATCH_ROWS = 2_000
LINGER_S = 0.5
RETRY_S = 1.0
STOP_LIMIT_S = 8.0
RECALL_LIMIT_S = 3.0
SLOW_S = 10.0  # a statement that takes longer counts as a database that is away
# What the database says of the row itself; anything else says that it cannot take rows now.
REFUSALS = (DataError, IntegrityError, ValueError, OverflowError)


class Recall(NamedTuple):
    """A question to the database: what it knows of these channels of a device.

    It is asked when as many rows are finished with as had been accepted when it came.
    """

    device_id: str
    channels: Sequence[str]
    accepted: int
    answer: Future[list[Past]]
    otherwise: Callable[[], Sequence[Due]]


class RowWriter:
    """A queue, and the one thread that empties it into `store`.

    written, refused and lost count rows since the start of the process. failing_since is the Unix
    time at which the database stopped taking rows, None while it takes them; asking_since that at
    which the statement in progress began; last_write_at that of the last batch that went in, None
    before the first.
    """

    def __init__(
        self,
        store: Callable[[Sequence[Due]], None],
        recall: Callable[[Sequence[tuple[str, str]]], list[Past]] = lambda meters: [],
        *,
        max_waiting: int = MAX_WAITING_ROWS,
        linger_s: float = LINGER_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._store = store
        self._recall = recall
        self._max_waiting = max_waiting
        self._linger_s = linger_s
        self._retry_s = retry_s
        self._queue: deque[Due] = deque()
        self._recalls: list[Recall] = []
        # Those whose answer has not yet arrived with the device; many, when a fleet is back.
        self._asking: dict[Future[list[Past]], Recall] = {}
        self._accepted = 0
        self._in_hand = 0  # rows that the thread has taken off the queue and not yet written
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._overflowing = False
        self._deadline = float("inf")
        self._thread: threading.Thread | None = None
        self.written = self.refused = self.lost = 0
        self.failing_since: float | None = None
        self.asking_since: float | None = None
        self.last_write_at: float | None = None

    @property
    def waiting(self) -> int:
        """Rows accepted and not yet written."""
        return len(self._queue) + self._in_hand

    def submit(self, due: Sequence[Due]) -> None:
        """Accept these rows and runs. Never waits, never raises."""
        if not due:
            return
        if self.asking_since and time.time() - self.asking_since > SLOW_S:
            self._gone(TimeoutError(f"no answer for {SLOW_S:.0f} s"))
        with self._changed:
            self._queue.extend(due)
            self._accepted += len(due)
            while len(self._queue) > self._max_waiting:
                self._give_up_oldest()
            self._awake()

    async def past(
        self, device_id: str, channels: Sequence[str], otherwise: Callable[[], Sequence[Due]]
    ) -> list[Past]:
        """What the database knows of these channels, once all that was accepted by now is in it.

        Empty where it cannot say, or not within RECALL_LIMIT_S: without the past rather than not
        at all. If the process ends before the answer is there, what `otherwise` gives is written.
        """
        if self.failing_since is not None:
            return []
        question = Recall(device_id, channels, self._accepted, Future(), otherwise)
        with self._changed:
            self._recalls.append(question)
            self._asking[question.answer] = question
            self._awake()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(question.answer), RECALL_LIMIT_S)
        except TimeoutError:
            return []
        finally:
            del self._asking[question.answer]

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """Write what was accepted, for at most this long; what is left then is logged as lost."""
        if self._thread is None or self._stopping.is_set():
            return
        for question in self._asking.values():
            self.submit(question.otherwise())
        self._deadline = time.monotonic() + limit_s
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(limit_s)
        if left := self.waiting:
            self.lost += left
            logger.error("stopped with %d rows lost: the database did not take them", left)
        else:
            logger.info("stopped, %d rows written", self.written)

    def _awake(self) -> None:
        """Tell the thread; the first one to need it starts it."""
        if self._thread is None:
            # A daemon, or a database that hangs would keep the process alive; stop() drains it.
            self._thread = threading.Thread(target=self._run, name="row-writer", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _give_up_oldest(self) -> None:
        if not self._overflowing:
            self._overflowing = True
            logger.error("more than %d rows wait: the oldest are given up", self._max_waiting)
        self._queue.popleft()
        self.lost += 1

    def _run(self) -> None:
        while self._queue or not self._stopping.is_set():
            if (batch := self._next_batch()) and not self._write(batch):
                return  # what is left stays counted as waiting
            self._answer()
        connections.close_all()

    def _next_batch(self) -> list[Due]:
        """The next rows in the order of their minutes, and runs in the order they were told."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._hurried())
            if len(self._queue) < BATCH_ROWS:
                # What comes meanwhile shares the statement.
                self._changed.wait_for(self._hurried, self._linger_s)
        if self._recalls:
            self._stopping.wait(self._linger_s / 20)  # a fleet that is back asks all at once
        with self._changed:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_ROWS))]
            self._in_hand = len(batch)
        rows = [each for each in batch if isinstance(each, Sample)]
        runs = [each for each in batch if not isinstance(each, Sample)]
        return [*sorted(rows, key=lambda row: row.ts), *runs]

    def _hurried(self) -> bool:
        """A device waits for its past, or the process for its end."""
        return bool(self._recalls) or self._stopping.is_set()

    def _answer(self) -> None:
        """Answer the recalls whose device has nothing waiting any more, all with one question."""
        with self._changed:
            finished = self._accepted - self.waiting
            ready = [each for each in self._recalls if each.accepted <= finished]
            self._recalls = [each for each in self._recalls if each.accepted > finished]
        ready = [each for each in ready if each.answer.set_running_or_notify_cancel()]
        meters = [(each.device_id, channel) for each in ready for channel in each.channels]
        past: dict[str, list[Past]] = defaultdict(list)
        try:
            for known in self._recall(meters) if meters else ():
                past[known.row.device_id].append(known)
        except Exception as exc:  # noqa: BLE001 (the devices go on, without their past)
            self._gone(exc)
        for each in ready:
            mine = past[each.device_id]
            each.answer.set_result([known for known in mine if known.row.channel in each.channels])

    def _write(self, batch: list[Due]) -> bool:
        """Write the batch, however long it takes; halving finds a refused row and leaves it out.

        False if the deadline of stop() has passed before it was done.
        """
        parts = [batch]
        while parts and time.monotonic() < self._deadline:
            part = parts.pop()
            self.asking_since = time.time()
            try:
                self._store(part)
            except REFUSALS as exc:
                half = len(part) // 2
                if half:
                    parts += [part[half:], part[:half]]
                else:
                    self._refuse(part[0], exc)
            except Exception as exc:  # noqa: BLE001 (whatever it is, the rows must not be lost)
                parts.append(part)
                self._failed(exc)
            else:
                self._succeeded(part)
            self.asking_since = None
        return not parts

    def _refuse(self, due: Due, exc: Exception) -> None:
        self.refused += 1
        self._in_hand -= 1
        logger.error("the database refuses a row, which is lost: %r: %s", due, _line(exc))

    def _gone(self, exc: Exception) -> None:
        if self.failing_since is None:
            self.failing_since = time.time()
            logger.error("the database takes no rows, they wait in memory: %s", _line(exc))

    def _failed(self, exc: Exception) -> None:
        self._gone(exc)
        # At the end of the process `stopping` is set already and would not wait at all.
        time.sleep(0.1) if self._stopping.is_set() else self._stopping.wait(self._retry_s)

    def _succeeded(self, part: list[Due]) -> None:
        self.written += sum(isinstance(each, Sample) for each in part)
        self._in_hand -= len(part)
        self.last_write_at = time.time()
        if self.failing_since is not None:
            away_s = self.last_write_at - self.failing_since
            self.failing_since = None
            logger.warning(
                "the database takes rows again after %.0f s, %d are waiting, %d were given up",
                away_s,
                self.waiting,
                self.lost,
            )
        if self._overflowing and len(self._queue) < self._max_waiting:
            self._overflowing = False
            logger.error("%d rows have been given up so far", self.lost)


def _line(exc: Exception) -> str:
    return f"{type(exc).__name__}: {' '.join(str(exc).split())}"


row_writer = RowWriter(store, recall)
atexit.register(row_writer.stop)  # with Daphne it is stopped earlier, see collector_site/asgi.py
