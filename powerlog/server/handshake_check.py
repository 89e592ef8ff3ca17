"""Who gets in at /ws: decided before the socket opens, from memory alone.

A page on the internet runs in a browser that sits in the collector's own network, and would speak
to it from there. It cannot hide where it is from: its handshake has an Origin. Devices have none,
or the one of their firmware's makers.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings

from powerlog.client_address import caller, of_socket
from powerlog.devices.access import admission, digest
from powerlog.devices.connections import traffic
from powerlog.log_once import once
from powerlog.own_hosts import is_own, name_and_port
from powerlog.server.connection_limits import Gate

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]

FOREIGN_PAGE = "a page of another site"
WRONG_ADDRESS = "a wrong address"
WRONG_TOKEN = "no token, or a wrong one"
# What is left of the address behind the doors: no token can turn up in a log or a traceback.
NOTHING_DIALLED: Scope = {"path": "/ws", "raw_path": b"/ws", "query_string": b"", "url_route": {}}
SHELLYS_ORIGIN = "https://mongoose-os.com"  # what the WebSocket client in a Shelly sends


class Doors:
    """Around the consumer: lets in whom it may, and counts them by address."""

    gate = Gate()

    def __init__(self, inside: Application) -> None:
        self.inside = inside

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        peer, headers = of_socket(scope)
        address = caller(peer, headers)
        if not may_come_from(headers):
            await refuse(address, FOREIGN_PAGE, send)
            return
        key = digest(presented(scope))
        if not admission.opens(key):
            await refuse(address, WRONG_TOKEN, send)
            return
        # Without a proxy they are counted where they arrive, see listener.py.
        if settings.BEHIND_PROXY and (why := self.gate.enter(address)):
            await refuse(address, why, send)
            return
        del headers  # or it would weigh as long as the socket lasts
        try:
            if budget := scope.get("budget"):
                budget.comes_from(address)
            holder = admission.policy.holders.get(key)
            told = {"client": _who(scope, address), "key": key, "held": holder, "send": send}
            await self.inside(scope | NOTHING_DIALLED | told, receive, send)
        finally:
            if settings.BEHIND_PROXY:
                self.gate.leave(address)


async def elsewhere(scope: Scope, receive: Any, send: Any) -> None:
    """A WebSocket to any other address than /ws. What it dialled may be a mistyped token."""
    await refuse(caller(*of_socket(scope)), WRONG_ADDRESS, send)


async def refuse(address: str, why: str, send: Any) -> None:
    """HTTP 403, before the socket opens."""
    traffic.refused[why] += 1
    once(logger, logging.INFO, f"{address or 'a stranger'} is refused: {why}; devices dial /ws")
    await send({"type": "websocket.close"})


def presented(scope: Scope) -> str:
    """The token in /ws/<token> or /ws?token=…, the only places in which a Shelly can put one."""
    in_path = scope.get("url_route", {}).get("kwargs", {}).get("token")
    in_query = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])
    return in_path or in_query[0]


def _who(scope: Scope, address: str) -> list[Any]:
    peer, port = (scope.get("client") or ("", 0))[:2]
    return [address or peer or "unknown", port if address == peer else 0]


def may_come_from(headers: Mapping[str, str]) -> bool:
    """Whether a handshake with this Origin is that of a device, or of a page that may."""
    origin = headers.get("origin", "").strip().lower()
    if origin in ("", SHELLYS_ORIGIN) or origin in settings.WS_ALLOWED_ORIGINS:
        return True
    return _is_this_site(origin, headers.get("host", "").strip().lower())


def _is_this_site(origin: str, host: str) -> bool:
    """A page of this very collector: the same name and port, and a name that is its own."""
    scheme = origin.partition("://")[0]
    page, site = name_and_port(origin), name_and_port(f"{scheme}://{host}")
    return page is not None and page == site and is_own(page[0])
