"""Limit the body of a page request, and the time that its answer waits for its reader."""

import asyncio
from typing import Any

from powerlog.server.handshake import Upgrade

MAX_BODY = 1024 * 1024  # bytes that a page is sent
READER_LIMIT_S = 120.0  # a reader of pages that takes nothing for so long is gone


class PageRequest(Upgrade):
    """A request with a limit on its body.

    The answer is sent no faster than it is read. An incomplete answer ends in a reset.
    """

    refused = False
    drained: asyncio.Event | None = None  # once the transport has told us to wait

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        # None is "in chunks, and who knows how many": no browser sends that.
        if length is None or length > MAX_BODY:
            self.refused = True
            self.channel.write(b"HTTP/1.1 413 Content Too Large\r\n\r\n")
            self.channel.loseConnection()

    def process(self) -> Any:
        if self.refused:
            return None
        # Daphne believes whoever says that the site is somewhere else, and then finds no page.
        self.requestHeaders.removeHeader(b"Daphne-Root-Path")
        processed = super().process()
        if application := self.server.connections.get(self, {}).get("application_instance"):
            application.add_done_callback(self.answered)
        return processed

    def handle_reply(self, message: dict[str, Any]) -> None:
        more = message.get("more_body", False)
        if more and not self.producer and self.channel:
            self.registerProducer(self, True)  # so that the transport says when its buffer is full
        elif not more and self.producer:
            self.unregisterProducer()
        super().handle_reply(message)

    def pauseProducing(self) -> None:
        self.drained = asyncio.Event()

    def resumeProducing(self) -> None:
        if self.drained:
            self.drained.set()

    stopProducing = resumeProducing  # the connection is lost: nothing is to be waited for

    def connectionLost(self, reason: Any) -> None:
        self.resumeProducing()
        super().connectionLost(reason)

    async def wait_for_reader(self) -> None:
        if self.drained is None:
            return
        try:
            # No wait_for(): it loses a cancellation that comes together with the event.
            async with asyncio.timeout(READER_LIMIT_S):
                await self.drained.wait()
        except TimeoutError:
            self.cut_off()

    def answered(self, application: asyncio.Future[None]) -> None:
        if self._response_started and not self.finished:
            self.cut_off()  # or the half of an answer would look like all of it

    def cut_off(self) -> None:
        if self.channel and self.channel.transport:
            self.channel.transport.abortConnection()
