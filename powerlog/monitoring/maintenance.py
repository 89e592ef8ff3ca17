"""What a running collector does now and then, in a thread of its own: it measures the data, for
`/`, and deletes minute rows that are older than KEEP_DAYS.

Off the frame path, and quiet while the database is away, since the writer says so. Of several
processes one at a time deletes. Nothing is remembered from one look to the next: what is too old is
more once a day, after midnight, and at any other time there is nothing to do.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from powerlog.database.retention import old, prune
from powerlog.database.size import measured
from powerlog.database.store import WRITER
from powerlog.steady_thread import SteadyThread, reason
from powerlog.writer.row_writer import row_writer

logger = logging.getLogger(__name__)

LOOK_S = 600.0
LOOK_AGAIN_S = 10.0  # when the database was away, or not set up yet
TICK_S = 1.0
PRUNING = 20_261_124  # names the lock in PostgreSQL: any number, but the same in every process


class Upkeep:
    """The thread. data is the size of the data as text; None before it is known."""

    def __init__(self) -> None:
        self.data: str | None = None
        self._stopping = threading.Event()
        self._thread: SteadyThread | None = None
        self._look_at = 0.0  # on the monotonic clock
        self._told: set[str] = set()

    def start(self) -> None:
        if not self._thread:
            self._thread = SteadyThread("upkeep", self._work)
            self._thread.start()

    def stop(self) -> None:
        """Begin nothing more. What is in progress ends with its transaction, at the latest with
        the process, which loses nothing by it."""
        self._stopping.set()

    def _work(self) -> bool:
        if (now := time.monotonic()) >= self._look_at:
            self._look_at = now + LOOK_AGAIN_S
            if self.look():
                self._look_at = now + LOOK_S
        return not self._stopping.wait(TICK_S)

    def look(self) -> bool:
        """Do what is due; False: it has to be tried again."""
        if row_writer.failing_since is not None:
            return False
        try:
            self.data = measured().text(settings.KEEP_DAYS)
            self._prune()
        except (OperationalError, InterfaceError):
            return False  # the writer says so
        except Exception as exc:  # noqa: BLE001 (one reason for one look must not end all others)
            self._tell_once(exc)
            return False
        finally:
            connections.close_all()  # nothing for minutes: no connection is held for that
        return True

    def _prune(self) -> None:
        if settings.KEEP_DAYS is None or (found := old(settings.KEEP_DAYS)) is None:
            return
        deleted = 0
        with _alone() as alone:
            for rows in prune(found, self._stopping.wait) if alone else ():
                deleted += rows
                if self._thread:
                    self._thread.rounds.beat()  # years of minutes take an hour
                if self._stopping.is_set():
                    break
        if deleted:
            before = timezone.localdate(found.before)
            logger.info("%d minute rows from before %s deleted (KEEP_DAYS)", deleted, before)

    def _tell_once(self, exc: Exception) -> None:
        if (why := reason(exc)) not in self._told:
            self._told.add(why)
            logger.error("old minute rows are not deleted, the data is not measured: %s", why)


@contextmanager
def _alone() -> Iterator[bool]:
    """Yield whether no other process does it. On SQLite both may: a row is deleted only once."""
    connection = connections[WRITER]
    if connection.vendor != "postgresql":
        yield True
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [PRUNING])
        (alone,) = cursor.fetchone()
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [PRUNING])


upkeep = Upkeep()
