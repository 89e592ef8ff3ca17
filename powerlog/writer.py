"""Samples become rows in the database: in batches, in a thread of its own, off the frame path.

The promise: submit() never waits, whatever the database does. A row is written within a second
of its reading; the batch grows with the load. A row that is there already stays as it is. While
the database is away the rows wait in memory, oldest first, and go in when it is back. The wait is
bounded: beyond MAX_WAITING_ROWS the oldest are given up, counted and logged as an error. A row that
the database refuses costs itself, not its neighbours. At the end of the process what was accepted
is written, or counted and logged as lost when that takes longer than STOP_LIMIT_S.
"""

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.db import DataError, IntegrityError, connections

from powerlog.models import PowerLog
from powerlog.sampler import Sample

logger = logging.getLogger(__name__)

# About 25 MB: the minutes of a thousand devices with three busy channels for half an hour.
MAX_WAITING_ROWS = 100_000
BATCH_ROWS = 2_000
LINGER_S = 0.5
RETRY_S = 1.0
STOP_LIMIT_S = 8.0
# What the database says of the row itself; anything else says that it cannot take rows now.
REFUSALS = (DataError, IntegrityError, ValueError, OverflowError)


def store(samples: Sequence[Sample]) -> None:
    """Write the rows; one whose minute is there already is passed over. Raises Django's errors."""
    rows = (
        PowerLog(
            timestamp=datetime.fromtimestamp(sample.ts, UTC),
            device_id=sample.device_id,
            channel=sample.channel,
            apower_w=sample.apower_w,
            voltage_v=sample.voltage_v,
            current_a=sample.current_a,
            energy_total_wh=sample.energy_total_wh,
            source=sample.source,
        )
        for sample in samples
    )
    try:
        PowerLog.objects.using("writer").bulk_create(rows, ignore_conflicts=True)
    except Exception:
        # Whatever went wrong, the next attempt begins with a connection that is known to be good.
        connections["writer"].close()
        raise


class RowWriter:
    """A queue, and the one thread that empties it into `store`.

    written, refused and lost count rows since the start of the process. failing_since is the Unix
    time at which the database stopped taking rows, None while it takes them; asking_since that at
    which the statement in progress began; last_write_at that of the last batch that went in, None
    before the first.
    """

    def __init__(
        self,
        store: Callable[[Sequence[Sample]], None],
        *,
        max_waiting: int = MAX_WAITING_ROWS,
        linger_s: float = LINGER_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._store = store
        self._max_waiting = max_waiting
        self._linger_s = linger_s
        self._retry_s = retry_s
        self._queue: deque[Sample] = deque()
        self._in_hand = 0  # rows that the thread has taken off the queue and not yet written
        self._changed = threading.Condition()
        self._stopping = threading.Event()
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

    def submit(self, samples: Sequence[Sample]) -> None:
        """Accept these rows. Never waits, never raises. The thread starts with the first row."""
        with self._changed:
            self._queue.extend(samples)
            while len(self._queue) > self._max_waiting:
                self._give_up_oldest()
            if self._thread is None:
                self._start()
            self._changed.notify()

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """Write what was accepted, for at most this long; what is left then is logged as lost."""
        if self._thread is None:
            return
        self._deadline = time.monotonic() + limit_s
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(limit_s)
        atexit.unregister(self.stop)
        if left := self.waiting:
            logger.error("stopped with %d rows lost: the database did not take them", left)
        else:
            logger.info("stopped, %d rows written", self.written)

    def _start(self) -> None:
        # A daemon, or a database that hangs would keep the process alive; atexit drains it.
        self._thread = threading.Thread(target=self._run, name="row-writer", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def _give_up_oldest(self) -> None:
        if not self.lost:
            logger.error("more than %d rows wait: the oldest are given up", self._max_waiting)
        self._queue.popleft()
        self.lost += 1

    def _run(self) -> None:
        while batch := self._next_batch():
            self._write(batch)
        connections.close_all()

    def _next_batch(self) -> list[Sample]:
        """The next rows in the order of their minutes; none when all is written at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping.is_set())
        if len(self._queue) < BATCH_ROWS:
            self._stopping.wait(self._linger_s)  # what comes meanwhile shares the statement
        with self._changed:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_ROWS))]
            self._in_hand = len(batch)
        return sorted(batch, key=lambda sample: sample.ts)

    def _write(self, batch: list[Sample]) -> None:
        """Write the batch, however long it takes; halving finds a refused row and leaves it out."""
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
                self._succeeded(len(part))
            self.asking_since = None

    def _refuse(self, sample: Sample, exc: Exception) -> None:
        self.refused += 1
        self._in_hand -= 1
        logger.error("the database refuses a row, which is lost: %r: %s", sample, _line(exc))

    def _failed(self, exc: Exception) -> None:
        if self.failing_since is None:
            self.failing_since = time.time()
            logger.error("the database takes no rows, they wait in memory: %s", _line(exc))
        # At the end of the process `stopping` is set already and would not wait at all.
        time.sleep(0.1) if self._stopping.is_set() else self._stopping.wait(self._retry_s)

    def _succeeded(self, rows: int) -> None:
        self.written += rows
        self._in_hand -= rows
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


def _line(exc: Exception) -> str:
    return f"{type(exc).__name__}: {' '.join(str(exc).split())}"


row_writer = RowWriter(store)
