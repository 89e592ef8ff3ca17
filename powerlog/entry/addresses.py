"""Who is at the other end of a connection, and how many each of them has.

The address is what the kernel says. Where BEHIND_PROXY is on it is what our own proxy says: the
last entry of X-Forwarded-For, which the proxy wrote itself; all before it is the caller's claim.
"" is "not known": such a caller is nobody's neighbour.
"""

import ipaddress
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest

# Whoever asks with one of these comes through a proxy, and the peer is not who asks.
FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded")


def caller(peer: str, headers: Mapping[str, str]) -> str:
    """The address of who asks. headers have names in lower case."""
    if not settings.BEHIND_PROXY or not _forwarded(headers):
        return peer
    told = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return told if _parsed(told) else ""


def is_local(peer: str, headers: Mapping[str, str]) -> bool:
    """Whether who asks sits on this machine or in its own network, as far as that can be known."""
    if _forwarded(headers) and not settings.BEHIND_PROXY:
        return False
    address = caller(peer, headers)
    return bool(address) and not is_public(address)


def of_socket(scope: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The peer of a WebSocket, and its headers; Daphne has joined those that came twice."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return (scope.get("client") or ("",))[0], headers


def of_request(request: HttpRequest) -> tuple[str, dict[str, str]]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return request.META.get("REMOTE_ADDR") or "", headers


def asking(request: HttpRequest) -> str | None:
    """Whom a failed login counts against, for django-axes. Of IPv6 the first address of a /64.

    A proxy that does not say for whom it asks is itself who fails.
    """
    peer, headers = of_request(request)
    address = caller(peer, headers) or peer
    return _place(address).partition("/")[0] or (address if is_ip(address) else None)


def _forwarded(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in FORWARDED)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def is_ip(name: str) -> bool:
    return _parsed(name) is not None


def is_public(address: str) -> bool:
    parsed = _parsed(address)
    return parsed is not None and parsed.is_global


class Tally:
    """How many connections each public address has now; remembers no address without one.

    Of IPv6 a /64 counts as one address: that is what a single customer gets.
    """

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def enter(self, address: str, limit: int) -> bool:
        """False: it has so many already. Who is not public is not counted."""
        place = _place(address)
        if place and self._open.get(place, 0) >= limit:
            return False
        if place:
            self._open[place] += 1
        return True

    def leave(self, address: str) -> None:
        place = _place(address)
        if place and self._open[place] <= 1:
            del self._open[place]
        elif place:
            self._open[place] -= 1

    def __len__(self) -> int:
        return len(self._open)


def _place(address: str) -> str:
    """What counts as one; "" is not counted."""
    parsed = _parsed(address)
    if parsed is None or not parsed.is_global:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


@lru_cache(4096)  # asked for with each row
def origin(address: str) -> str:
    """Whose share it is that comes from there: what counts as one, and each local address."""
    return _place(address) or address
