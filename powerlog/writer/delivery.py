"""Deliver a batch to the database, and decide whether a row or the database causes an error.

The promise: a row that the database refuses costs itself and no neighbour, and nothing is thrown
away because of a fault of the database or its tables.

THE RULE. An error of the database or of this machine is never a row's fault: the database is away,
locked, full, read-only or too slow (OperationalError, InterfaceError, InternalError), or no memory
or file is left (MemoryError, OSError). All rows wait, and are tried again.

Anything else may be a row's fault (DataError, IntegrityError, ProgrammingError, ValueError …).
Halving finds the row. Before it is thrown away, the tables must prove that they take one: the last
row and run that they took are written once more, at the time of the refused one, or now where that
was more than a day ago, and rolled back. If the tables refuse these as well, it is a fault of the
tables (a month without its partition, a NOT NULL column too many, a column that is missing). It is
handled like a database that is away, and the next batch begins with the same proof. So no device
can make the database count as away, whatever it sends: a row that was taken before decides.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
from django.db import InterfaceError, InternalError, OperationalError
from psycopg.errors import QueryCanceled

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Sample

OF_THE_DATABASE = (OperationalError, InterfaceError, InternalError, MemoryError, OSError)
DAY_S = 24 * 3600
SPAN_S = 900  # no partition begins within such a span, in any time zone
PROOF = "proof"  # the channel of the proof: no device has one of this name
# The proof until the database has taken a first row and run.
ROW = Sample(0, "shellypro4pm-000000000000", PROOF, 100.0, 230.0, 0.5, 1000.0, "measured")
RUN = RunState(ROW.device_id, PROOF, 0.0, 100.0, 1000.0)

Store = Callable[[Sequence[Due]], int]
Proof = Callable[[Sequence[Due]], object]


class Away(Exception):
    """The database cannot take rows now. left are those not written; part is how many were tried
    last."""

    def __init__(self, why: Exception, parts: Sequence[list[Due]]) -> None:
        super().__init__(str(why))
        self.why = why
        self.left = [each for part in reversed(parts) for each in part]
        self.part = len(parts[-1])

    @property
    def timed_out(self) -> bool:
        """Return whether the database may take fewer rows at once."""
        return self.part > 1 and isinstance(self.why.__cause__, QueryCanceled)


class Delivery:
    """Writes batches by `store`; `prove` writes, rolls back, and raises the tables' errors."""

    def __init__(self, store: Store, prove: Proof) -> None:
        self._store, self._prove = store, prove
        self._row, self._run = ROW, RUN
        self._unproven: float | None = None  # of this moment the tables took nothing

    def deliver(self, batch: list[Due]) -> Iterator[tuple[list[Due], int | Exception]]:
        """Yield each part that was taken, with the number of its new rows, and each row that was
        refused, with the reason. Raises Away."""
        parts, proven = [batch], set[int]()
        if self._unproven is not None:
            self._blame(self._unproven, parts, proven)
        while parts:
            try:
                new = self._store(parts[-1])
            except OF_THE_DATABASE as exc:
                raise Away(exc, parts) from exc
            except Exception as exc:
                if len(parts[-1]) > 1:
                    part = parts.pop()
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]
                    continue
                if not parts[-1]:
                    raise Away(exc, parts) from exc
                self._blame(_moment(parts[-1][0]), parts, proven)
                yield parts.pop(), exc
            else:
                self._remember(parts[-1])
                yield parts.pop(), new

    def _blame(self, at: float, parts: Sequence[list[Due]], proven: set[int]) -> None:
        """Raise Away unless the tables take a row of this moment. proven are the spans for which
        they do."""
        now = time.time()
        at = at if abs(now - at) < DAY_S else now
        if (span := int(at // SPAN_S)) in proven:
            return
        try:
            self._prove(self._good(at))
        except Exception as exc:
            self._unproven = at
            raise Away(exc, parts) from exc
        self._unproven = None
        proven.add(span)

    def _good(self, at: float) -> Sequence[Due]:
        """Return a row and a run that the tables should take: the last ones, with this time."""
        row = msgspec.structs.replace(self._row, ts=int(at // 60) * 60, channel=PROOF)
        run = RunState(self._run.device_id, PROOF, at, self._run.peak_w, self._run.counter_wh)
        run.ended_at, run.end = at + 1.0, "stopped"
        return row, run

    def _remember(self, part: Sequence[Due]) -> None:
        for each in (*part[:1], *part[-1:]):
            if isinstance(each, Sample):
                self._row = each
            else:
                self._run = each


def _moment(due: Due) -> float:
    return due.ts if isinstance(due, Sample) else due.started_at
