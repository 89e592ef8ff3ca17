"""The devices' end: a WebSocket at /ws, one consumer per connection.

It accepts, asks for the status, hands each message to the core and the core's rows to the writer.
No message, however malformed, ends more than its own connection; a bad one not even that.
"""

import asyncio
import logging
import time
from functools import partial
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from powerlog import protocol
from powerlog.sampler import Sampler
from powerlog.traffic import traffic
from powerlog.writer import row_writer

logger = logging.getLogger(__name__)


class ShellyConsumer(AsyncWebsocketConsumer):
    """One device's connection; all that is known of the device's channels lives in it."""

    clock = staticmethod(time.time)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        # Instead of Channels' dispatch, which starts a task per message (120 µs of CPU a frame) and
        # hops to a thread that all sockets share, where one slow page would hold up every frame.
        self.scope, self.base_send, self.channel_layer = scope, send, None
        self.sampler = Sampler(settings.SAMPLING_RULES)
        self.device_id: str | None = None
        self.live, self.bad_frames = True, 0
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.connect":
                    await self.connect()
                elif self.live:
                    await self.take(message)
                    if not traffic.frames % 100:
                        await asyncio.sleep(0)  # a flood on one socket must not starve the others
        finally:
            self.gone()

    async def connect(self) -> None:
        await self.accept("json-rpc" if "json-rpc" in self.scope["subprotocols"] else None)
        for request in protocol.BOOTSTRAP:
            await self.send(text_data=request)

    async def take(self, message: dict[str, Any]) -> None:
        traffic.frames += 1
        now = message.get("at") or self.clock()
        try:
            frame = protocol.parse(message.get("text") or "")  # a binary message is none
        except protocol.FrameError as exc:
            self.reject(exc, message.get("text") or message.get("bytes") or "")
            return
        if self.device_id is None:
            await self.met(frame.device_id)
        try:
            if new := self.sampler.strangers(frame):
                # Rule 8. Later frames wait, in order, in the socket's own queue.
                untold = partial(self.sampler.last_words, frame, now)
                for past in await row_writer.past(frame.device_id, new, untold):
                    self.sampler.restore(past)
        finally:  # a connection that is ended meanwhile has said it all the same
            if due := self.sampler.feed(frame, now):
                row_writer.submit(due)

    def reject(self, why: protocol.FrameError, message: str | bytes) -> None:
        """Count a bad message; the first of a connection is logged, cut to 75 characters."""
        if not self.bad_frames:
            logger.warning("%s: no frame (%s): %.75r", self.name, why, message[:75])
        traffic.rejected[str(why)] += 1
        self.bad_frames += 1

    async def met(self, device_id: str) -> None:
        """The connection's first frame says who it is. Its older connection is a half-open one."""
        self.device_id = device_id
        logger.info("%s connected", self.name)
        if older := traffic.came(device_id, self):
            older.gone()
            await older.close(4000)  # a code of the application's own: superseded

    def gone(self) -> None:
        """The connection has ended, by whichever side, or another one has taken its place."""
        if self.device_id is not None and self.live:
            self.live = False
            traffic.went(self.device_id, self)
            row_writer.submit(self.sampler.leave())
            logger.info("%s gone, %d bad frames", self.name, self.bad_frames)

    @property
    def name(self) -> str:
        host, port = (self.scope.get("client") or ("unknown", 0))[:2]
        return f"{self.device_id or 'a stranger'} ({host}:{port})"
