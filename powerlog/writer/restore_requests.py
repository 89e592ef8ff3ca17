"""Rule 8 of the sampler, the questions: what is known of the channels of a device that is back.

A question is asked of the database when all that had been accepted when it came is in there or in
the spool; what the spool knows is newer and goes on top. While the database does not answer, it is
what this machine knows.
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
    """A question. accepted is what it waits for. If the process ends without an answer, what
    `otherwise` makes of what is known at once is written."""

    meters: Sequence[ChannelKey]
    accepted: int
    at: float
    answer: Future[list[Snapshot]]
    otherwise: Callable[[list[Snapshot]], Sequence[Due]]

    def known(self, past: Callable[[ChannelKey], Snapshot | None]) -> list[Snapshot]:
        """What is known of each channel."""
        return [known for meter in self.meters if (known := past(meter))]


class Recalls:
    """Asked on the event loop, answered by other threads."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._pending: dict[Future[list[Snapshot]], Recall] = {}
        self._lock = threading.Lock()
        # Those whose answer has not yet arrived with the device; many, when a fleet is back.
        self._asking: dict[Future[list[Snapshot]], Recall] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    async def ask(
        self,
        meters: Sequence[ChannelKey],
        otherwise: Callable[[list[Snapshot]], Sequence[Due]],
        limit_s: float,
    ) -> list[Snapshot]:
        """What is known; nothing after limit_s: without the past rather than not at all."""
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
        """Those that the database can be asked now; or all that are at least so old. They stay
        until somebody answers: the database may hang when it is asked."""
        done, before = self._backlog.done, time.monotonic() - (age_s or 0.0)
        with self._lock:
            return [
                each
                for each in self._pending.values()
                if (each.accepted <= done if age_s is None else each.at <= before)
            ]

    def answer(self, recall: Callable[[Sequence[ChannelKey]], Sequence[Snapshot]]) -> None:
        """Answer the devices of which nothing waits any more, all with one question. Raises what
        recall does."""
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
        """Answer those that are at least so old with what this machine knows. A blink of the
        database is waited for: what it knows is more."""
        for asked in self.ready(age_s):
            self.reply(asked, lambda meter: self._backlog.last(*meter))

    def reply(self, asked: Recall, past: Callable[[ChannelKey], Snapshot | None]) -> None:
        """Answer with what is known of each channel, unless somebody was faster."""
        if self._claims(asked) and asked.answer.set_running_or_notify_cancel():
            asked.answer.set_result(asked.known(past))

    def _claims(self, asked: Recall) -> bool:
        """Whether nobody did before: each question has one answer."""
        with self._lock:
            return self._pending.pop(asked.answer, None) is not None

    def unanswered(self, past: Callable[[ChannelKey], Snapshot | None]) -> list[Due]:
        """At the end: what is due of the devices that still wait, with what is known at once."""
        return [
            due for asked in self._asking.values() for due in asked.otherwise(asked.known(past))
        ]
