"""Everybody who has no business here, at a collector on the internet: behind a proxy, with tokens
and a waiting room, and an access log to give secrets away."""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from powerlog.devices.access import digest, new_token
from tests.support.knocking import beside, closed, dial, knock, power, rows
from tests.support.servers import PATIENCE_S, Server, daphne, manage, running, until

SHARED, OWN, WITHDRAWN, GUESS = (new_token() for _ in range(4))
PASSWORD = "correct horse battery"
SETTINGS = {
    "BEHIND_PROXY": "on",
    "ADMISSION": "approve",
    "WS_TOKEN": SHARED,
    "MAX_CONNECTIONS_PER_ADDRESS": "5",
    "METRICS_TOKEN": new_token(),
}
SET_UP = f"""
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import Permission, User
from powerlog.models import Device
Device.objects.create(device_id="good")
Device.objects.create(device_id="bound", token_hash="{digest(OWN)}")
Device.objects.create(device_id="loser", token_hash="{digest(WITHDRAWN)}")
Device.objects.create(device_id="gone-bad")
Device.objects.create(device_id="bad", admission="blocked")
User.objects.create_superuser("boss", password="{PASSWORD}")
viewer = User.objects.create_user("viewer", password="{PASSWORD}", is_staff=True)
viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("outside")
    url = f"sqlite:///{folder}/collector.sqlite3"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in SETTINGS.items():
            environment.setenv(name, value)
        assert manage("shell", "-c", SET_UP, database_url=url).returncode == 0
        with running(daphne(url, folder)) as server:
            until(lambda: knock(server, f"/ws/{OWN}") == 101)  # what staff decided has been read
            with beside(server, "good", f"/ws/{SHARED}"):
                yield server
            assert "Traceback" not in server.output
            assert " ERROR " not in server.output
            assert "WSCONNECT" in server.output
            for secret in (SHARED, OWN, WITHDRAWN, GUESS, PASSWORD, SETTINGS["METRICS_TOKEN"]):
                assert secret not in server.output


def test_without_a_token_or_with_a_wrong_one_the_socket_does_not_open(server: Server) -> None:
    wrong = (
        GUESS,
        SHARED[:-1],
        SHARED + "x",
        SHARED.swapcase(),
        digest(SHARED),
        digest(OWN),
        "%00",
    )
    for token in wrong:
        assert knock(server, f"/ws/{token}") == 403
        assert knock(server, f"/ws?token={token}") == 403
    for path in ("/ws", "/ws/", "/ws?token=", "/ws;token", "/ws?x=" + SHARED, f"/{SHARED}/ws"):
        assert knock(server, path) == 403
    for path in (f"/ws/{SHARED}", f"/ws/{SHARED}/", f"/ws?token={SHARED}", f"/ws/{OWN}"):
        assert knock(server, path) == 101


def test_a_token_in_a_request_for_a_page_opens_nothing_and_is_not_logged(server: Server) -> None:
    for path in (f"/ws/{SHARED}", f"/ws?token={SHARED}", f"/%77s/{SHARED}"):
        assert httpx.get(server.url + path, headers=outside("8.8.8.8")).status_code == 404


def test_nobody_speaks_for_a_device_that_has_a_token_of_its_own(server: Server) -> None:
    for token, src in ((SHARED, "bound"), (OWN, "good"), (OWN, "stranger")):
        with dial(server, f"/ws/{token}") as thief:
            thief.send(power(src, 999.0))
            assert closed(thief) == 4003
    with dial(server, f"/ws/{OWN}") as device:
        device.send(power("bound", 7.0))
        until(lambda: ("bound", 7.0) in rows(server))
    assert 999.0 not in [watts for _, watts in rows(server)]


def test_who_is_blocked_is_cut_off(server: Server) -> None:
    with dial(server, f"/ws/{SHARED}") as bad:
        bad.send(power("bad", 999.0))
        assert closed(bad) == 4003


def test_an_address_gets_so_many_sockets_whatever_it_says_of_itself(server: Server) -> None:
    with ExitStack() as sockets:
        for number in range(5):
            claim = f"10.0.0.{number}, 8.8.4.4"
            sockets.enter_context(dial(server, f"/ws/{SHARED}", X_Forwarded_For=claim))
        assert knock(server, f"/ws/{SHARED}", X_Forwarded_For="8.8.4.4") == 403
        assert knock(server, f"/ws/{SHARED}", X_Forwarded_For="8.8.4.5") == 101
        assert knock(server, f"/ws/{SHARED}", X_Forwarded_For="192.168.1.7") == 101
    until(lambda: knock(server, f"/ws/{SHARED}", X_Forwarded_For="8.8.4.4") == 101)


def test_a_chain_of_proxies_and_a_port_hide_no_address_from_its_limit(server: Server) -> None:
    with ExitStack() as sockets:
        for chain in (
            "203.0.113.9:1111",
            "203.0.113.9:2222",
            "[::ffff:203.0.113.9]:3333",
            "203.0.113.9, 172.18.0.2",
            "10.0.0.1, 203.0.113.9:4444, 172.18.0.3, 172.18.0.2",
        ):
            sockets.enter_context(dial(server, f"/ws/{SHARED}", X_Forwarded_For=chain))
        for chain in ("203.0.113.9", "203.0.113.9:5555", "203.0.113.9, 172.18.0.2"):
            assert knock(server, f"/ws/{SHARED}", X_Forwarded_For=chain) == 403
        assert knock(server, f"/ws/{SHARED}", X_Forwarded_For="172.18.0.2") == 101


def test_staff_decide_on_who_waits_and_it_holds_on_open_sockets(server: Server) -> None:
    shared = f"/ws/{SHARED}"
    with (
        dial(server, shared) as pending,
        dial(server, shared) as ignored,
        dial(server, shared) as gone_bad,
        dial(server, f"/ws/{WITHDRAWN}") as loser,
    ):
        for socket, name in ((pending, "pending"), (ignored, "ignored")):
            socket.send(power(name, 50.0))
        gone_bad.send(power("gone-bad", 50.0))
        loser.send(power("loser", 50.0))
        until(lambda: {"pending", "ignored"} <= waiting(server))
        until(lambda: {("gone-bad", 50.0), ("loser", 50.0)} <= {*rows(server)})
        began = time.monotonic()
        with server.connect() as staff:
            for change in (
                "admission = 'accepted' WHERE device_id = 'pending'",
                "admission = 'blocked' WHERE device_id = 'gone-bad'",
                "token_hash = '' WHERE device_id = 'loser'",
            ):
                staff.execute(f"UPDATE devices SET {change}")
        assert closed(gone_bad) == 4003  # and neither of them has said anything since
        assert closed(loser) == 4003
        pending.send(power("pending", 60.0))
        ignored.send(power("ignored", 60.0))
        until(lambda: ("pending", 60.0) in rows(server))
        assert time.monotonic() - began < 30
        assert json.loads(pending.recv())["id"] == 1
    assert knock(server, f"/ws/{WITHDRAWN}") == 403
    assert ("pending", 50.0) not in rows(server)
    assert "ignored" not in [device_id for device_id, _ in rows(server)]


def test_who_waits_in_silence_learns_what_staff_decided_as_well(server: Server) -> None:
    shared, names = f"/ws/{SHARED}", ("taken-in", "turned-out", "given-a-token", "left-waiting")
    with ExitStack() as sockets:
        lines = [sockets.enter_context(dial(server, shared)) for _ in names]
        for line, name in zip(lines, names, strict=True):
            line.send(power(name, 50.0))
        until(lambda: {*names} <= waiting(server))
        assert guests(server) == len(names)
        with server.connect() as staff:
            for change in (
                "admission = 'accepted' WHERE device_id = 'taken-in'",
                "admission = 'blocked' WHERE device_id = 'turned-out'",
                f"token_hash = '{digest(new_token())}' WHERE device_id = 'given-a-token'",
            ):
                staff.execute(f"UPDATE devices SET {change}")
        until(lambda: guests(server) == 1)
        assert closed(lines[1]) == closed(lines[2]) == 4003
        lines[0].send(power("taken-in", 60.0))
        until(lambda: ("taken-in", 60.0) in rows(server))
        assert lines[3].ping().wait(PATIENCE_S)
    until(lambda: guests(server) == 0)


def guests(server: Server) -> int:
    """How many devices wait for staff, as /metrics has it."""
    known = {"Authorization": f"Bearer {SETTINGS['METRICS_TOKEN']}"}
    told = httpx.get(f"{server.url}/metrics", headers=known).text
    found = re.search(r'^collector_devices_waiting_for_staff\{process="1"\} (\d+)', told, re.M)
    assert found
    return int(found[1])


def waiting(server: Server) -> set[str]:
    with server.connect() as connection:
        found = connection.execute("SELECT device_id FROM devices WHERE admission = 'waiting'")
        return {device_id for (device_id,) in found}


def outside(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, "X-Forwarded-Proto": "https", "Host": "localhost"}


def browser(server: Server, address: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers=outside(address), timeout=30)


def log_in(client: httpx.Client, name: str, password: str, **headers: str) -> httpx.Response:
    page = client.get("/admin/login/")
    token = re.search('csrfmiddlewaretoken" value="([^"]+)"', page.text)
    form = {"username": name, "password": password, "next": "/status/"}
    cookies = "; ".join(f"{key}={value}" for key, value in page.cookies.items())
    told = {"Referer": "https://localhost/admin/login/", "Cookie": cookies} | headers
    client.cookies.clear()
    return client.post(
        "/admin/login/",
        data=form | {"csrfmiddlewaretoken": token[1] if token else ""},
        headers=told,
    )


def test_who_guesses_passwords_is_locked_out_and_nobody_else(server: Server) -> None:
    with browser(server, "8.8.4.6") as guesser, browser(server, "192.168.1.7") as boss:
        answers = [
            log_in(guesser, "boss", "wrong", **{"X-Forwarded-For": f"10.0.0.{n}, 8.8.4.6"})
            for n in range(10)
        ]
        assert answers[-1].status_code == 429
        assert log_in(boss, "boss", PASSWORD).status_code == 302


def session(answer: httpx.Response) -> dict[str, str]:
    """The login, as a browser would keep it; it goes nowhere but over TLS."""
    cookies = [each for each in answer.headers.get_list("set-cookie") if "sessionid" in each]
    assert "Secure" in cookies[0]
    assert "HttpOnly" in cookies[0]
    return {"Cookie": cookies[0].partition(";")[0]}


def test_a_forged_post_changes_nothing_whoever_is_logged_in(server: Server) -> None:
    csrf = "a" * 32
    click = {"block": "1", "accept": "1", "make_token": "1", "csrfmiddlewaretoken": csrf}
    for name, origin in (("viewer", "https://localhost"), ("boss", "https://evil.example")):
        with browser(server, "192.168.1.8") as client:
            cookies = session(log_in(client, name, PASSWORD))
            assert client.get("/status/", headers=cookies).status_code == 200
            told = {"Cookie": f"{cookies['Cookie']}; csrftoken={csrf}", "Origin": origin}
            forged = client.post("/admin/powerlog/access/", data=click, headers=told)
            assert forged.status_code == 403
            assert ("came from another site" in forged.text) is (name == "boss")


def test_details_and_metrics_are_not_for_strangers_behind_the_proxy(server: Server) -> None:
    def ask(path: str, **headers: str) -> httpx.Response:
        return httpx.get(server.url + path, headers=outside("8.8.8.8") | headers)

    assert ask("/").text == "collector: running\nhealth: ok\n"
    for chain in ("8.8.8.8, 172.18.0.2", "8.8.8.8:1, 172.18.0.2", "100.64.0.1", "2002:c0a8:107::1"):
        assert "devices connected" not in ask("/", **{"X-Forwarded-For": chain}).text
    at_home = {"X-Forwarded-For": "192.168.1.7:4711, 172.18.0.2"}
    assert "devices connected" in ask("/", **at_home).text
    assert ask("/metrics").status_code == 403
    known = {"Authorization": f"Bearer {SETTINGS['METRICS_TOKEN']}"}
    told = ask("/metrics", **known).text
    assert 'collector_connections_refused_total{process="1",reason="no token' in told


def test_a_flood_of_invented_ids_fills_no_table(server: Server) -> None:
    with ExitStack() as sockets:
        last: Any = None
        for number in range(220):
            last = sockets.enter_context(dial(server, f"/ws/{SHARED}"))
            last.send(power(f"invented-{number}", 3.0))
        assert closed(last) == 4003
        until(lambda: len(waiting(server)) > 100)
        assert len(waiting(server)) <= 200
    with server.connect() as staff:
        staff.execute("DELETE FROM devices WHERE device_id LIKE 'invented-%'")  # forgotten
    assert not [each for each, _ in rows(server) if each.startswith("invented")]


def test_the_secrets_are_in_no_process_list(server: Server) -> None:
    if sys.platform == "linux":
        line = Path(f"/proc/{server.process.pid}/cmdline").read_text()
        assert SHARED not in line
