"""Requests to restore the channels of a device that has connected again (rule 8 of the sampler).

A request goes to the database once all that was accepted before it is in the database or the spool.
The spool's records are newer and are applied on top. While the database does not answer, the answer
is what this machine has on its disk.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from powerlog.core.frame import ChannelKey
from powerlog.core.sampler import Due, Snapshot
from powerlog.writer.queue import Backlog


class Recall(NamedTuple):
    """A request. It waits until `accepted` rows are done. If the process ends without an answer,
    `otherwise` is called with the snapshots known at once, and its rows and runs are written."""

    meters: Sequence[ChannelKey]
    accepted: int
    at: float
    answer: Future[list[Snapshot]]
    otherwise: Callable[[list[Snapshot]], Sequence[Due]]

    def known(self, past: Callable[[ChannelKey], Snapshot | None]) -> list[Snapshot]:
        """Return the snapshot of each channel that has one."""
        return [known for meter in self.meters if (known := past(meter))]


class Recalls:
    """The open requests: made on the event loop, answered by other threads."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._pending: dict[Future[list[Snapshot]], Recall] = {}
        self._lock = threading.Lock()
        # Requests whose answer has not yet reached the device; many, when a fleet is back.
        self._asking: dict[Future[list[Snapshot]], Recall] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    async def ask(
        self,
        meters: Sequence[ChannelKey],
        otherwise: Callable[[list[Snapshot]], Sequence[Due]],
        limit_s: float,
    ) -> list[Snapshot]:
        """Return the snapshots; none after limit_s, so that the device can go on without them."""
        answer: Future[list[Snapshot]] = Future()
        asked = Recall(meters, self._backlog.accepted, time.monotonic(), answer, otherwise)
        self._asking[answer] = asked
        with self._lock:
            self._pending[answer] = asked
        self._backlog.awake()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answer), limit_s)
        except TimeoutError:
            return []
        finally:
            del self._asking[answer]
            self._claims(asked)

    def ready(self, age_s: float | None = None) -> list[Recall]:
        """Return the requests that can go to the database now, or all that are at least age_s old.
        They stay until they are answered: the database may hang when it is asked."""
        done, before = self._backlog.done, time.monotonic() - (age_s or 0.0)
        with self._lock:
            return [
                each
                for each in self._pending.values()
                if (each.accepted <= done if age_s is None else each.at <= before)
            ]

    def answer(self, recall: Callable[[Sequence[ChannelKey]], Sequence[Snapshot]]) -> None:
        """Answer the requests of devices with no waiting rows, all by one query. Raises what recall
        raises."""
        ready = self.ready()
        meters = [meter for asked in ready for meter in asked.meters]
        found = recall(meters) if meters else ()
        known = {(past.row.device_id, past.row.channel): past for past in found}
        channels: dict[str, dict[ChannelKey, None]] = {}
        for meter in known:
            channels.setdefault(meter[0], {})[meter] = None
        for asked in ready:  # what waits in the spool is newer
            of_device = channels.get(asked.meters[0][0], {})
            asked = asked._replace(meters=list(dict.fromkeys([*asked.meters, *of_device])))
            self.reply(asked, lambda meter: self._backlog.past(*meter, known.get(meter)))

    def answer_without_database(self, age_s: float) -> None:
        """Answer those that are at least age_s old from this machine's disk. A short outage is
        waited for, because the database has more."""
        for asked in self.ready(age_s):
            self.reply(asked, lambda meter: self._backlog.last(*meter))

    def reply(self, asked: Recall, past: Callable[[ChannelKey], Snapshot | None]) -> None:
        """Answer with the snapshot of each channel, unless another thread was faster."""
        if self._claims(asked) and asked.answer.set_running_or_notify_cancel():
            asked.answer.set_result(asked.known(past))

    def _claims(self, asked: Recall) -> bool:
        """Claim a request; return False if another thread has: each has one answer."""
        with self._lock:
            return self._pending.pop(asked.answer, None) is not None

    def unanswered(self, past: Callable[[ChannelKey], Snapshot | None]) -> list[Due]:
        """On shutdown, return what is due for devices that still wait, by what is known at once."""
        return [
            due for asked in self._asking.values() for due in asked.otherwise(asked.known(past))
        ]
