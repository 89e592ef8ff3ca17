"""Who is at the other end of a connection, and how many each of them has.

The kernel has the address of the peer. Where BEHIND_PROXY is on X-Forwarded-For counts: its last
entry is what our own proxy wrote, all before it is a claim of the caller, or of a proxy in front of
ours. A claim makes nobody more trusted, only less:

- local is where every address of the whole chain is local;
- a failed login counts against the last entry: claims can be others with each try;
- connections count against the last entry, but where that is local, against the nearest claim to
  it that is not: who is local has no limit.

"" is "not known": such a caller is not local.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest

# Whoever asks with one of these comes through a proxy, and the peer is not who asks.
FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded")


# Not what Python calls private, which has Teredo and addresses for documentation as well, nor what
# it does not call global, which has the customers of a carrier's NAT (100.64.0.0/10).
LOCAL = (
    *map(ipaddress.IPv4Network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    ipaddress.IPv4Network("169.254.0.0/16"),
    *map(ipaddress.IPv6Network, ("::1/128", "fc00::/7", "fe80::/10")),
)
# As some proxies write them: 203.0.113.7:4711, [2001:db8::1]:4711, [2001:db8::1].
WITH_PORT = re.compile(r"([^:\[\]]+):[0-9]+|\[([^\[\]]+)\](?::[0-9]+)?")


def caller(peer: str, headers: Mapping[str, str]) -> str:
    """The address of who asks, for limits and the log. headers have names in lower case."""
    if not settings.BEHIND_PROXY or not _forwarded(headers):
        return peer
    *claims, address = _chain(headers)
    while claims and _is_local(address) and is_ip(claims[-1]):
        if is_public(nearest := claims.pop()):
            return nearest
    return address if is_ip(address) else ""


def is_local(peer: str, headers: Mapping[str, str]) -> bool:
    """Whether who asks sits on this machine or in its own network, as far as that can be known."""
    if not _forwarded(headers):
        return _is_local(peer)
    if not settings.BEHIND_PROXY:
        return False
    # A proxy on a Unix socket has no address.
    return all(map(_is_local, _chain(headers))) and (not peer or _is_local(peer))


def of_socket(scope: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The peer of a WebSocket, and its headers; Daphne has joined those that came twice."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return (scope.get("client") or ("",))[0], headers


def of_request(request: HttpRequest) -> tuple[str, dict[str, str]]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return request.META.get("REMOTE_ADDR") or "", headers


def asking(request: HttpRequest) -> str | None:
    """Whom a failed login counts against, for django-axes. Of IPv6 the first address of a /64.

    Local networks are no exception: one host there has 2^64 addresses as well. A proxy that does
    not say for whom it asks is itself who fails.
    """
    peer, headers = of_request(request)
    last = _chain(headers)[-1] if settings.BEHIND_PROXY and _forwarded(headers) else ""
    address = last if is_ip(last) else peer
    return place(address).partition("/")[0] or None


def _forwarded(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in FORWARDED)


def _chain(headers: Mapping[str, str]) -> list[str]:
    """The entries of X-Forwarded-For without their ports; at least one, which may be anything."""
    entries = map(str.strip, headers.get("x-forwarded-for", "").split(","))
    return [
        found[1] or found[2] if (found := WITH_PORT.fullmatch(entry)) else entry
        for entry in entries
    ]


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def is_ip(name: str) -> bool:
    return _parsed(name) is not None


def is_public(address: str) -> bool:
    return is_ip(address) and not _is_local(address)


def _is_local(address: str) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in LOCAL)


@lru_cache(4096)
def place(address: str) -> str:
    """What counts as one address; "" where none is known.

    Of IPv6 a /64: that is what a single customer gets, and what a single host at home can take.
    """
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address) and not parsed.is_loopback:
        return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
    return str(parsed) if parsed else ""


@lru_cache(4096)  # asked for with each row
def origin(address: str) -> str:
    """Whose share it is that comes from there: what counts as one, also a local address."""
    return place(address) or address


class Tally:
    """How many connections each public address has now; remembers no address without one."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def enter(self, address: str, limit: int) -> bool:
        """False: it has so many already. Who is not public is not counted."""
        counted = place(address) if is_public(address) else ""
        if counted and self._open.get(counted, 0) >= limit:
            return False
        if counted:
            self._open[counted] += 1
        return True

    def leave(self, address: str) -> None:
        counted = place(address) if is_public(address) else ""
        if counted and self._open[counted] <= 1:
            del self._open[counted]
        elif counted:
            self._open[counted] -= 1

    def __len__(self) -> int:
        return len(self._open)
