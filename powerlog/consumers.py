"""The devices' end: a WebSocket at /ws, one consumer per connection.

It accepts, asks for the status, hands each message to the core and the core's rows to the writer.
No message, however malformed, ends more than its own connection; a bad one not even that. The log
has a line when a device connects and one when it is gone, and one at its first bad message.
"""

import logging
import time
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from powerlog import protocol
from powerlog.sampler import Sampler
from powerlog.traffic import traffic
from powerlog.writer import row_writer

logger = logging.getLogger(__name__)
SUBPROTOCOL = "json-rpc"


class ShellyConsumer(AsyncWebsocketConsumer):
    """One device's connection; all that is known of the device's channels lives in it."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        # Instead of Channels' dispatch, which starts a task per message (160 µs of CPU a frame in
        # a burst on 200 sockets, 40 with this loop) and hops to a thread that all sockets share,
        # where one slow database call would hold up every frame of every device.
        self.scope, self.base_send, self.channel_layer = scope, send, None
        self.sampler = Sampler(settings.SAMPLING_RULES)
        self.device_id: str | None = None
        self.bad_frames = 0
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.receive":
                    await self.receive(message.get("text"), message.get("bytes"))
                else:
                    await self.connect()
        finally:
            self.gone()

    async def connect(self) -> None:
        offered = SUBPROTOCOL in self.scope["subprotocols"]
        await self.accept(subprotocol=SUBPROTOCOL if offered else None)
        for request in protocol.BOOTSTRAP:
            await self.send(text_data=request)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        traffic.frames += 1
        try:
            if text_data is None:
                raise protocol.FrameError("binary, not text")
            frame = protocol.parse(text_data)
        except protocol.FrameError as exc:
            self.reject(exc, bytes_data if text_data is None else text_data)
            return
        if self.device_id is None:
            self.met(frame.device_id)
        if samples := self.sampler.feed(frame, time.time()):
            row_writer.submit(samples)

    def reject(self, why: protocol.FrameError, message: str | bytes | None) -> None:
        """Count a bad message; the first of a connection is logged, cut to 75 characters."""
        traffic.bad_frames += 1
        self.bad_frames += 1
        if self.bad_frames == 1:
            start = (message or "")[:75]
            logger.warning("%s sends what is no frame (%s): %.75r", self.name, why, start)

    def met(self, device_id: str) -> None:
        """The connection's first frame says who it is."""
        self.device_id = device_id
        traffic.came(device_id)
        logger.info("%s connected", self.name)

    def gone(self) -> None:
        """The connection has ended, by whichever side."""
        if self.device_id is not None:
            traffic.went(self.device_id)
            logger.info("%s gone, %d bad frames", self.name, self.bad_frames)

    @property
    def name(self) -> str:
        """Who this is, for the log."""
        host, port = (self.scope.get("client") or ("unknown", 0))[:2]
        return f"{self.device_id or 'a stranger'} ({host}:{port})"


async def refuse(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A WebSocket to any other address: HTTP 403 before it opens."""
    logger.warning("a WebSocket to %.75r is refused: devices dial /ws", scope["path"][:75])
    await send({"type": "websocket.close"})
