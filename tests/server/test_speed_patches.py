"""What speed_patches.py replaces is still what it was written for."""

import inspect
import re
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import autobahn.websocket.protocol
import pytest
from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet import asyncioreactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.python import log

from powerlog.server import speed_patches
from tests.support.servers import ROOT

WRITTEN_FOR = {"daphne": "4.2.3", "autobahn": "26.10.2", "twisted": "26.10.0"}
# The first digits of the SHA-256 of each source. Where one differs, read the new source, adapt
# speed_patches.py, and write the new digits here.
SOURCES = {
    WebSocketProtocol._connectionMade: "7ac58d8bb6c3",
    WebSocketProtocol._dataReceived: "b6616694f9d6",
    WebSocketProtocol.consumeData: "aaa88196e762",
    WebSocketProtocol.processData: "25b9c1387a46",
    AsyncioSelectorReactor._readOrWrite: "df202ad63297",
    AsyncioSelectorReactor.addReader: "61b77f35b35c",
    AsyncioSelectorReactor.addWriter: "dd13a0098bb0",
    log.callWithContext: "c44b5124f288",
    log.callWithLogger: "802f8564bca3",
}


@pytest.mark.parametrize("package", WRITTEN_FOR)
def test_the_versions_are_pinned(package: str) -> None:
    pins = dict(re.findall(r"^(\w+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.M))
    assert pins[package] == version(package) == WRITTEN_FOR[package]


@pytest.mark.parametrize("replaced", SOURCES, ids=lambda replaced: replaced.__qualname__)
def test_what_is_replaced_is_the_same(replaced: Callable[..., Any]) -> None:
    source = inspect.getsource(replaced)
    assert sha256(source.encode()).hexdigest()[:12] == SOURCES[replaced]


def test_the_patches_are_where_they_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncioreactor, "callWithLogger", log.callWithLogger)
    monkeypatch.setattr(autobahn.websocket.protocol, "pformat", None)
    speed_patches.apply()
    assert asyncioreactor.callWithLogger is speed_patches.read_or_write
    assert autobahn.websocket.protocol.pformat is repr
    for add in (AsyncioSelectorReactor.addReader, AsyncioSelectorReactor.addWriter):
        assert "callWithLogger" in add.__code__.co_names
    assert "pformat" in WebSocketProtocol._connectionMade.__code__.co_names
