"""Logins at a real server: many at once are no way around the limit."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import httpx

from tests.support.databases import ADMIN, PASSWORD
from tests.support.servers import PATIENCE_S, Server, running, serve, until

LIMIT = 10
AT_ONCE = 40


def browser(server: Server, address: str) -> httpx.Client:
    """One at this address of the machine."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=server.url, transport=transport, timeout=PATIENCE_S)


def filled_in(server: Server) -> dict[str, str]:
    """The hidden fields of the login page; its cookie has the same value."""
    with browser(server, "127.0.0.3") as client:
        client.get("/admin/login/")
        return {"csrfmiddlewaretoken": client.cookies["csrftoken"], "next": "/dashboard/"}


def log_in(
    server: Server, address: str, password: str, form: dict[str, str], together: threading.Barrier
) -> int:
    """The status of the answer to a login that is sent together with others."""
    with browser(server, address) as client:
        client.cookies["csrftoken"] = form["csrfmiddlewaretoken"]
        together.wait(PATIENCE_S)
        data = form | {"username": ADMIN, "password": password}
        return client.post("/admin/login/", data=data).status_code


def tried(server: Server) -> int:
    """How many passwords were hashed, and were wrong."""
    with closing(server.connect()) as connection:
        query = "SELECT coalesce(sum(failures_since_start), 0) FROM axes_accessattempt"
        return connection.execute(query).fetchone()[0]


def test_of_forty_logins_at_once_no_more_than_ten_are_tried(
    ready_database: str, tmp_path: Path
) -> None:
    with (
        running(serve(ready_database, tmp_path)) as server,
        ThreadPoolExecutor(AT_ONCE + 1) as crowd,
    ):
        form, together = filled_in(server), threading.Barrier(AT_ONCE + 1)
        guesses = [
            crowd.submit(log_in, server, "127.0.0.1", f"guess {number}", form, together)
            for number in range(AT_ONCE)
        ]
        boss = crowd.submit(log_in, server, "127.0.0.2", PASSWORD, form, together)
        assert boss.result() == 302
        answers = [guess.result() for guess in guesses]
        assert set(answers) <= {200, 429}
        assert answers.count(200) < LIMIT
        assert 0 < tried(server) <= LIMIT
        # And so it goes on: who comes now finds what was counted.
        alone = threading.Barrier(1)
        for _ in range(LIMIT):
            log_in(server, "127.0.0.1", "guess", form, alone)
        assert tried(server) == LIMIT
        assert log_in(server, "127.0.0.1", PASSWORD, form, alone) == 429
        assert log_in(server, "127.0.0.2", PASSWORD, form, alone) == 302


def send_and_leave(server: Server, form: dict[str, str]) -> None:
    """A guess of which the answer is not waited for."""
    data = urlencode(form | {"username": ADMIN, "password": "guess"})
    request = (
        f"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(data)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Cookie: csrftoken={form['csrfmiddlewaretoken']}\r\n\r\n{data}"
    )
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as line:
        line.sendall(request.encode())


def test_who_leaves_before_the_answer_is_tried_no_more_often(
    ready_database: str, tmp_path: Path
) -> None:
    with running(serve(ready_database, tmp_path)) as server:
        form, alone = filled_in(server), threading.Barrier(1)
        for _ in range(AT_ONCE):
            send_and_leave(server, form)
        until(
            lambda: (
                log_in(server, "127.0.0.1", "guess", form, alone) == 429 and tried(server) >= LIMIT
            )
        )
        assert server.status()["collector"] == "running"
        assert tried(server) == LIMIT
