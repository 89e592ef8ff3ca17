"""Send the requests to connected devices; request_schedule.py decides which and when.

A request follows the answer to the one before at once. For all else there is a round each second:
it compares one number for each connection (0.5 ms for ten thousand), and looks closely at the few
that are due. It asks at most a share of the fleet each second: after a clock that jumped, or a
process that stood still, all are due at once.

A device that waits for staff is asked again when they accept it: one that only ever answers would
wait for ever otherwise.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from powerlog.core.channel_state import AS_ALL
from powerlog.core.frame import Frame
from powerlog.core.request_schedule import LONGEST_WAIT_S
from powerlog.devices.connections import traffic
from powerlog.devices.registry import registry

EVERY_S = 1.0
SHARE = 20  # if the whole fleet is due, it is asked within so many rounds
AT_LEAST = 50


class Asker:
    """For the event loop. A connection is a ShellyConsumer.

    waiting holds the connections of devices that wait for staff; each round drops those that ended.
    """

    def __init__(self) -> None:
        self.waiting: set[Any] = set()
        self._accepted: set[Any] = set()
        self._sending: set[asyncio.Task[None]] = set()

    async def follow(self, connection: Any, frame: Frame, now: float) -> None:
        """Use an answer or a config_changed event, and send what is due now."""
        questions = connection.questions
        if frame.device_id != connection.peer.device_id or connection.peer.refused:
            return
        if frame.answers is not None and questions.answered(frame.answers):
            registry.learn(frame.device_id, frame.about)
        if frame.config_changed and connection.began:
            questions.config_changed(now)
        if request := questions.next(now):
            await connection.send(text_data=request)

    def start(self, call_later: Callable[..., object]) -> None:
        """Go a round now and each second from now on."""
        # First, so that a round that raises is not the last one.
        call_later(EVERY_S, self.start, call_later)
        self.go(time.time())

    def go(self, now: float) -> None:
        """Go one round, at this Unix time."""
        self._accept()
        left = AT_LEAST + len(traffic.devices) // SHARE
        for connection in self._due(now):
            if not connection.peer.refused and (request := self._request(connection, now)):
                task = asyncio.ensure_future(connection.send(text_data=request))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
                left -= 1
                if not left:
                    return

    def _due(self, now: float) -> Iterator[Any]:
        for connection in chain(list(traffic.devices.values()), self._accepted):
            look_at = connection.questions.look_at
            if not look_at - LONGEST_WAIT_S <= now < look_at:  # before it: the clock was set back
                yield connection

    def _request(self, connection: Any, now: float) -> str | None:
        questions, own, device_id = connection.questions, registry.own, connection.peer.device_id
        if not own:
            return questions.look(now)
        channels = questions.meters
        off = [each for each in channels if not own.get((device_id, each), AS_ALL).logged]
        return questions.look(now, off)

    def _accept(self) -> None:
        over = {each for each in self.waiting | self._accepted if each.began or not each.live}
        accepted = {each for each in self.waiting - over if each.peer.may_speak()}
        for connection in accepted:
            connection.questions.want_all()
        self.waiting -= over | accepted
        self._accepted = (self._accepted | accepted) - over


asker = Asker()
