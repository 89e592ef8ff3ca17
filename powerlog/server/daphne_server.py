"""Daphne's server with the collector's limits.

They are in the classes of a WebSocket (device_socket.py), of a page request (http_request.py) and
of the factory that accepts both (listener.py). Plain Daphne runs the application without them.
"""

import asyncio
from typing import Any

from daphne.http_protocol import HTTPFactory
from daphne.server import Server, reactor
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
        self, application: Any, endpoints: Any = (), listener: Any = None, **options: Any
    ) -> None:
        """Listen on endpoints, or on a socket. Daphne's `fd:` endpoint garbles IPv6 addresses."""
        super().__init__(
            application, endpoints or [listener], ready_callable=self.get_ready, **options
        )
        self.endpoints, self.listener = endpoints, listener
        CollectorServer.is_made = True

    @property
    def http_factory(self) -> Entrance:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, daphnes: HTTPFactory) -> None:
        self._http_factory = Entrance(self)

    def get_ready(self) -> None:
        """Daphne calls this when its factories are made, before it accepts a connection."""
        speed_patches.apply()
        self.ws_factory.protocol = DeviceSocket
        if self.listener:
            descriptor, family = self.listener.fileno(), self.listener.family
            reactor.adoptStreamPort(descriptor, family, self.http_factory)
            self.listener.close()  # the reactor has a copy

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
