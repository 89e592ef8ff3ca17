"""What stands in for the database in the tests of the writer, and rows to write into it."""

import time
from collections.abc import Callable, Sequence

from django.db import OperationalError

from powerlog.core.sampler import Sample
from tests.support.frames import PUMP, T0


def sample(minute: int, apower_w: float = 430.0, device_id: str = PUMP) -> Sample:
    return Sample(
        T0 + 60 * minute, device_id, "switch:2", apower_w, 229.0, 2.4, 100.0 + minute, "measured"
    )


class Database:
    """Stands in for the table: takes rows, or fails as it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[Sample]] = []
        self.fault: Callable[[Sequence[Sample]], None] = lambda rows: None

    def store(self, rows: Sequence[Sample]) -> int:
        self.fault(rows)
        self.batches.append(list(rows))
        return len(rows)

    @property
    def rows(self) -> list[Sample]:
        return [row for batch in self.batches for row in batch]


def away(rows: Sequence[Sample]) -> None:
    raise OperationalError("the server\nclosed the connection")


def until(condition: Callable[[], object]) -> None:
    """Wait for what another thread does; far longer than it takes."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)
