"""The devices' end: a WebSocket at /ws, one consumer per connection. It accepts, asks, and hands
each message to the core and its rows to the writer. No message ends more than its connection.
"""

import asyncio
import time
from functools import partial
from random import random
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from powerlog.core import protocol
from powerlog.core.contact import SILENT_S
from powerlog.core.request_schedule import Questions
from powerlog.core.sampler import Sampler
from powerlog.devices.connections import traffic
from powerlog.devices.presence import arrive, depart
from powerlog.devices.registry import registry
from powerlog.devices.requests import asker
from powerlog.devices.session import SUPERSEDED, Peer
from powerlog.writer.row_writer import row_writer


class ShellyConsumer(AsyncWebsocketConsumer):
    """One device's connection; all that is known of the device's channels lives in it."""

    clock = staticmethod(time.time)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        # Instead of Channels' dispatch, which starts a task per message (120 µs of CPU a frame) and
        # hops to a thread that all sockets share, where one slow page would hold up every frame.
        self.scope, self.base_send, self.channel_layer = scope, send, None
        self.sampler = Sampler(settings.SAMPLING_RULES)
        self.peer, self.questions = Peer(scope), Questions(self.clock(), random())
        self.live, self.began, self.recalled = True, False, False
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
        self.scope["subprotocols"].clear()  # thousands may be offered, and the scope stays
        self.peer.expect()
        for request in protocol.BOOTSTRAP:
            await self.send(text_data=request)

    async def take(self, message: dict[str, Any]) -> None:
        traffic.frames += 1
        now = message.get("at") or self.clock()
        try:
            frame = protocol.parse(message.get("text") or "")  # a binary message is none
        except protocol.FrameError as exc:
            return self.peer.reject(exc, message.get("text") or message.get("bytes", ""))
        peer = self.peer
        if now - peer.heard_at > SILENT_S and self.began:
            registry.was_silent(peer.device_id, peer.heard_at, now)
        peer.heard_at = now
        passes = peer.passes(frame)
        if passes and not self.began:
            await self.begin()
        if frame.answers is not None or frame.config_changed:
            await asker.follow(self, frame, now)
        if not passes:
            return await self.close(peer.refused) if peer.refused else asker.waiting.add(self)
        if frame.full or frame.texts or not frame.readings:
            traffic.heard(frame)
            peer.note_texts(frame.texts)
            registry.powers(frame)
        self.sampler.own = registry.own
        new = self.sampler.strangers(frame)
        self.questions.heard(frame, now, new)
        try:
            # The first status asks for the past also where it has no channel that is logged: its
            # device may have come back without one whose run is open.
            if new or (not self.recalled and (frame.readings or frame.full)):
                self.recalled = True
                registry.meters(frame.device_id, new)
                registry.powers(frame)
                # Rule 8. Later frames wait, in order, in the socket's own queue.
                untold = partial(self.sampler.last_words, frame, now)
                for past in await row_writer.past(frame.device_id, new, untold):
                    self.sampler.restore(past)
        finally:  # a connection that is ended meanwhile has said it all the same
            if due := self.sampler.feed(frame, now):
                row_writer.submit(due, self.peer.address)

    async def begin(self) -> None:
        self.began = True
        if older := arrive(self):
            await older.close(SUPERSEDED)
        if self.peer.waited:  # and nobody has listened to its status
            self.questions.want_all()

    def gone(self) -> None:
        """The connection has ended, by whichever side, or another one has taken its place."""
        if self.live:
            self.live = False
            depart(self)
            row_writer.submit(self.sampler.leave(), self.peer.address)
