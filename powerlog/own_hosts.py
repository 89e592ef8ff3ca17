"""Decide whether a host name belongs to this collector.

Any name of the internet can be made to point at a collector at home (DNS rebinding). A page under
such a name then counts as the collector's own in the browser that shows it, and reads what its
reader's address may read. It cannot choose its name freely: a bare address, a name without a dot
and a name that only a local network resolves are out of its reach, and so is a certificate.
"""

import re
import socket
import threading
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.request import validate_host

from powerlog.client_address import is_ip

DEFAULT_PORTS = {"http": 80, "https": 443}
# Reserved, or given out by home routers: no registry sells a name below them.
OF_A_NETWORK = (".local", ".lan", ".home.arpa", ".internal", ".localhost")
WITHOUT_A_DOT = re.compile(r"[a-z0-9_-]+")

names_of_the_machine = {socket.gethostname().lower()}


def learn_full_name() -> None:
    """Add the machine's full name, once, in the background: DNS may take many seconds to fail."""

    def learn() -> None:
        names_of_the_machine.add(socket.getfqdn().lower())

    threading.Thread(target=learn, name="full name", daemon=True).start()


def is_own(name: str) -> bool:
    """Whether this name, in lower case and without a port, is one of the collector's own."""
    name = name.removesuffix(".")
    if is_ip(name) or WITHOUT_A_DOT.fullmatch(name) or name.endswith(OF_A_NETWORK):
        return True
    named = [each for each in settings.ALLOWED_HOSTS if each != "*"]
    return name in names_of_the_machine or validate_host(name, named)


def asked_by_own_name(request: HttpRequest) -> bool:
    """Whether a browser asks under a name of the collector's own.

    TLS vouches for the name: no foreign page has a certificate that leads here. So behind a proxy
    that ends TLS the proxy decides which names lead to the collector.
    """
    site = name_and_port(f"http://{host(request)}")
    return request.is_secure() or (site is not None and is_own(site[0]))


def host(request: HttpRequest) -> str:
    """The name under which a browser asks; the address of the socket where it sends none."""
    return str(request.META.get("HTTP_HOST") or request.META.get("SERVER_NAME", "")).lower()


def name_and_port(origin: str) -> tuple[str, int] | None:
    """None where it is no origin of a web page: null, file://, rubbish, or more than an origin."""
    try:
        parts = urlsplit(origin)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    more = parts.path or parts.query or parts.fragment or parts.username is not None
    return None if more or not parts.hostname else (parts.hostname, port)
