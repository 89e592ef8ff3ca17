"""Who gets in at /ws, through the real application: by where a handshake says that it is from."""

import logging
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from collector_site.asgi import application
from powerlog.devices.connections import traffic
from powerlog.log_once import once
from powerlog.server.handshake_check import Doors, may_come_from
from tests.support.dialling import Dial

pytestmark = pytest.mark.usefixtures("rows", "no_device_is_left_behind")
SITE = "192.168.1.10:5000"


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    once._said.clear()


async def knock(path: str = "/ws", **headers: str) -> bool:
    """Whether it got in."""
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    socket = WebsocketCommunicator(application, path, headers=sent)
    accepted, _ = await socket.connect()
    await socket.disconnect()
    return accepted


@pytest.mark.parametrize("origin", ["", "https://mongoose-os.com", "HTTPS://Mongoose-OS.com"])
async def test_a_device_gets_in_by_any_name_of_the_collector(origin: str) -> None:
    assert await knock(host="collector.example.org", origin=origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://192.168.1.11:5000",
        "http://192.168.1.10",
        "https://192.168.1.10:5001",
        "http://192.168.1.10:5000.evil.example",
        "http://192.168.1.10:5000@evil.example",
        "http://evil.example/192.168.1.10:5000",
        "https://mongoose-os.com.evil.example",
        "https://mongoose-os.com:444",
        "http://mongoose-os.com",
        "null",
        "file://",
        "chrome-extension://abcdefgh",
        "http://[::1",
        "http://192.168.1.10:many",
        "http://192.168.1.10:5000, http://evil.example",
        "\t null",
    ],
)
async def test_a_page_of_another_site_stays_outside(origin: str) -> None:
    before = traffic.refused["a page of another site"]
    assert not await knock(host=SITE, origin=origin)
    assert traffic.refused["a page of another site"] == before + 1


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://192.168.1.10:5000", SITE),
        ("http://192.168.1.10", "192.168.1.10"),
        ("https://192.168.1.10", "192.168.1.10:443"),
        ("http://LOCALHOST:5000", "localhost:5000"),
        ("http://[fd00::1]:5000", "[fd00::1]:5000"),
        ("http://pi.local:5000", "pi.local:5000"),
    ],
)
def test_a_page_of_this_very_collector_may(origin: str, host: str) -> None:
    assert may_come_from({"origin": origin, "host": host})


def test_a_name_that_anybody_can_point_at_the_collector_is_not_its_own() -> None:
    page = {"origin": "http://rebound.example:5000", "host": "rebound.example:5000"}
    assert not may_come_from(page)


@pytest.mark.parametrize(
    ("name", "may"),
    [("power.example.org", True), ("rebound.example", False)],
)
def test_with_names_of_its_own_only_these_are(name: str, may: bool, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["power.example.org", "[fd00::1]"]
    assert may_come_from({"origin": f"https://{name}", "host": name}) is may
    assert may_come_from({"origin": "http://[fd00::1]", "host": "[fd00::1]"})


def test_pages_of_other_sites_may_where_they_are_named(settings: Any) -> None:
    settings.WS_ALLOWED_ORIGINS = frozenset({"https://tools.example.org"})
    assert may_come_from({"origin": "https://Tools.example.org", "host": SITE})
    assert not may_come_from({"origin": "http://tools.example.org", "host": SITE})


async def test_a_refusal_is_one_line_with_the_address_and_nothing_that_was_dialled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "powerlog")
    for path in ("/socket/s3cret", "/s3cret", "/ws/a/s3cret", "/wss?token=s3cret"):
        assert not await knock(path)
    assert caplog.messages == ["a stranger is refused: a wrong address; devices dial /ws"]


async def test_behind_a_proxy_an_address_has_so_many_sockets(dial: Dial, settings: Any) -> None:
    settings.BEHIND_PROXY, settings.MAX_CONNECTIONS_PER_ADDRESS = True, 2
    first = await dial(headers=[(b"x-forwarded-for", b"8.8.8.8")])
    assert await knock(x_forwarded_for="1.1.1.1, 8.8.8.8")
    await dial(headers=[(b"x-forwarded-for", b"8.8.8.8")])
    assert not await knock(x_forwarded_for="1.1.1.1, 8.8.8.8")
    assert await knock(x_forwarded_for="8.8.8.8, 1.1.1.1")
    assert await knock()
    await first.disconnect()
    assert await knock(x_forwarded_for="8.8.8.8")
    assert len(Doors.gate.tally) == 1
