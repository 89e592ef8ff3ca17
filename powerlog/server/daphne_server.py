"""The limits on every connection, whichever way Daphne was started.

Daphne's own options reach only a server that is made with them. The classes of this folder take the
place of Daphne's in every server of this process: of a WebSocket (device_socket.py), of a request
for a page (http_request.py), and of where they arrive (listener.py).
"""

from collections.abc import Callable
from typing import Any

import autobahn.websocket.protocol
import daphne.http_protocol
import daphne.server
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory
from twisted.internet import asyncioreactor
from twisted.python import log
from twisted.web.http import HTTPChannel

from powerlog.server.device_socket import DeviceSocket
from powerlog.server.handshake import bad_request
from powerlog.server.http_request import PageRequest
from powerlog.server.listener import Entrance, log_without_secrets
from powerlog.server.shutdown import farewell

handle_reply = Server.handle_reply
create_application = Server.create_application


def straight(selectable: Any, call: Callable[..., None], *arguments: Any) -> None:
    """As Twisted's callWithLogger(): a read or write that raises is its log's business."""
    try:
        call(*arguments)
    except Exception:  # noqa: BLE001 (a socket that is gone already, say)
        log.err(system=selectable.logPrefix())


async def reply(server: Server, protocol: Any, message: dict[str, Any]) -> None:
    """Daphne's own, and then the time that the reader takes."""
    await handle_reply(server, protocol, message)
    if isinstance(protocol, PageRequest):
        await protocol.wait_for_reader()


def application_with_budget(server: Server, protocol: Any, scope: dict[str, Any]) -> Any:
    """Daphne's own, but that the application of a WebSocket knows what that draws from."""
    if isinstance(protocol, DeviceSocket):
        scope["budget"] = protocol.budget
    return create_application(server, protocol, scope)


def apply() -> None:
    """Let every server of this process make its connections of these classes."""
    WebSocketFactory.protocol = DeviceSocket
    # At each handshake Autobahn formats all its options for a line of debugging that nobody reads:
    # a quarter of what an arrival costs.
    autobahn.websocket.protocol.pformat = repr
    # For each read and write Twisted notes down whose log lines may follow. There are none: what a
    # socket has to say it says itself.
    asyncioreactor.callWithLogger = straight  # type: ignore[attr-defined]
    daphne.http_protocol.WebRequest = PageRequest
    HTTPChannel._respondToBadRequestAndDisconnect = bad_request  # type: ignore[method-assign]
    Server.handle_reply = reply
    Server.create_application = application_with_budget
    Server.kill_all_applications = farewell
    daphne.server.HTTPFactory = Entrance
    Server.log_action = log_without_secrets
