"""Daphne's server with the collector's limits.

Daphne makes its factories in run(). CollectorServer puts the collector's classes into them: for a
WebSocket (device_socket.py), for a page request (http_request.py) and for the place where
connections arrive (listener.py). Plain Daphne runs the application without these limits.
"""

import asyncio
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

from daphne.http_protocol import HTTPFactory
from daphne.server import Server, reactor
from daphne.ws_protocol import WebSocketFactory
from twisted.internet.defer import Deferred

from powerlog.server import speed_patches
from powerlog.server.device_socket import DeviceSocket
from powerlog.server.http_request import PageRequest
from powerlog.server.listener import Entrance, without_token
from powerlog.server.shutdown import say_farewell


class CollectorServer(Server):
    """Daphne's server; `manage.py serve` and `python -m powerlog.server` run it."""

    is_made = False  # in this process

    def __init__(
        self,
        application: Any,
        endpoints: Sequence[str] = (),
        listener: socket.socket | None = None,
        **options: Any,
    ) -> None:
        """Listen on these endpoints, or on a socket. Daphne's `fd:` endpoint garbles IPv6."""
        super().__init__(application, endpoints or [listener], **options)
        CollectorServer.is_made = True
        if listener:
            self.endpoints, self.ready_callable = [], partial(self.adopt, listener)

    def adopt(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        reactor.adoptStreamPort(listener.fileno(), listener.family, self.http_factory)
        listener.close()  # the reactor has a copy

    def run(self) -> None:
        speed_patches.apply()
        super().run()

    @property
    def http_factory(self) -> Entrance:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, daphnes: HTTPFactory) -> None:
        self._http_factory = Entrance(self)

    @property
    def ws_factory(self) -> WebSocketFactory:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: WebSocketFactory) -> None:
        factory.protocol = DeviceSocket
        self._ws_factory = factory

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Pass a WebSocket's budget to its application."""
        if isinstance(protocol, DeviceSocket):
            scope["budget"] = protocol.budget
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Send the message, then wait until the reader of a page takes it."""
        await super().handle_reply(protocol, message)
        if isinstance(protocol, PageRequest):
            await protocol.wait_for_reader()

    def kill_all_applications(self) -> Deferred:
        """Close sockets with 1001 before their applications end."""
        return Deferred.fromFuture(asyncio.ensure_future(say_farewell(self)))

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Write to the access log, if there is one, without tokens."""
        if self.action_logger:
            path = without_token(protocol, str(details.get("path", "")))
            self.action_logger(protocol, action, details | {"path": path})
