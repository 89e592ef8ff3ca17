"""The collector while the database is away, with real processes: it goes on, and says so."""

import re
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.end_to_end.test_collector import dial, log_in
from tests.support.databases import PASSWORD
from tests.support.frames import PUMP, delta, meter
from tests.support.postgres import Postgres
from tests.support.servers import daphne, free_port, manage, running, serve, until

SENTENCE = "The database does not answer at the moment."
NEW_PASSWORD = r"admin / (\S+)"


def test_the_collector_starts_without_its_database_and_goes_on_when_it_is_there(
    postgres: Postgres, tmp_path: Path
) -> None:
    with (
        running(serve(postgres.url, tmp_path)) as server,
        httpx.Client(base_url=server.url, follow_redirects=True, timeout=30) as browser,
        dial(server) as device,
    ):
        assert f"ws://127.0.0.1:{server.port}/ws" in server.output
        device.send(delta(None, switch_2=meter(430.0)))
        until(lambda: server.status()["spool"].startswith("2 rows"))  # the minute, and its run
        for path in ("/dashboard/", "/admin/"):
            response = browser.get(path)
            assert response.status_code == 503
            assert SENTENCE in response.text
        time.sleep(2.5)  # one attempt more, and no word of it
        assert server.output.count("it is tried every 2 s: connection failed") == 1
        postgres.start()
        password = until(lambda: re.search(NEW_PASSWORD, server.output))[1]
        until(lambda: server.status()["rows written"] == "1")
        assert [row[:3] for row in server.rows()] == [(PUMP, "switch:2", 430.0)]
        assert PUMP in log_in(browser, password).text
        assert len(re.findall(NEW_PASSWORD, server.output)) == 1
        assert server.output.count("The database is set up") == 1
        assert "geheim" not in server.output
        assert "Traceback" not in server.output


def test_pages_are_back_with_the_database_and_a_crash_of_it_is_no_traceback(
    postgres: Postgres, tmp_path: Path
) -> None:
    postgres.start()
    with (
        running(serve(postgres.url, tmp_path)) as server,
        httpx.Client(base_url=server.url, follow_redirects=True, timeout=30) as browser,
    ):
        log_in(browser, re.findall(NEW_PASSWORD, server.output)[0])
        postgres.stop("immediate")
        for _ in range(3):
            assert browser.get("/dashboard/").status_code == 503
        assert browser.post("/admin/login/").status_code == 503
        postgres.start()
        # At once, and not when a pool has slept its fill.
        assert browser.get("/dashboard/").status_code == 200
        assert "ERROR" not in server.output  # no row had to wait
        assert "Traceback" not in server.output


def test_a_page_does_not_wait_for_a_locked_table_for_ever(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    url = ready_postgres()
    with (
        running(serve(f"{url}&options=-c%20statement_timeout%3D500", tmp_path)) as server,
        httpx.Client(base_url=server.url, follow_redirects=True, timeout=30) as browser,
    ):
        log_in(browser, PASSWORD)
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE power_logs IN ACCESS EXCLUSIVE MODE")
            assert browser.get("/dashboard/").status_code == 503
        assert browser.get("/dashboard/").status_code == 200
        assert "Traceback" not in server.output


def test_by_daphne_alone_rows_and_pages_wait_until_somebody_migrates(
    new_database: str, tmp_path: Path
) -> None:
    with running(daphne(new_database, tmp_path)) as server, dial(server) as device:
        device.send(delta(None, switch_2=meter(430.0)))
        page = httpx.get(f"{server.url}/admin/login/")
        assert page.status_code == 503
        assert "The database is not set up yet" in page.text
        assert manage("migrate", database_url=new_database).returncode == 0
        until(lambda: server.status()["rows written"] == "1")
        assert httpx.get(f"{server.url}/admin/login/").status_code == 200
        assert "Traceback" not in server.output


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://nobody:geheim@127.0.0.1:1/none", "Connection refused"),
        ("postgresql://nobody:geheim@no.such.host.invalid/none", "failed to resolve host"),
        ("sqlite:////no/such/folder/rows.sqlite3", "unable to open database file"),
    ],
)
def test_an_absent_database_is_one_line_and_the_end_is_clean(
    tmp_path: Path, url: str, says: str, how: signal.Signals
) -> None:
    with running(serve(url, tmp_path)) as server:
        (line,) = re.findall(".*it is tried every 2 s: .*", server.output)
        assert says in line
        assert server.stop(how) == 0
        assert "geheim" not in server.output
        assert "Traceback" not in server.output


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "error: DATABASE_URL must be "),
        (
            "postgresql://nobody:geheim@127.0.0.1:1/none?bogus=1",
            "error: the database of DATABASE_URL: invalid connection option",
        ),
        (
            "postgresql://nobody:geheim@127.0.0.1:1/none?sslmode=bogus",
            "error: the database of DATABASE_URL: connection is bad: invalid sslmode value",
        ),
        (
            f"sqlite:///{__file__}",
            "error: the database of DATABASE_URL: file is not a database",
        ),
    ],
)
def test_a_wrong_database_is_one_line(url: str, says: str) -> None:
    ended = manage("serve", "--port", str(free_port()), database_url=url)
    assert ended.returncode == 1
    assert ended.stderr.startswith(says)
    assert ended.stderr.count("\n") == 1
    assert "geheim" not in ended.stderr


def test_two_servers_that_start_at_once_set_one_database_up(
    new_database: str, tmp_path: Path
) -> None:
    one, two = serve(new_database, tmp_path), serve(new_database, tmp_path)
    with closing(one), closing(two):
        for server in (one, two):
            until(server.answers)
            until(lambda server=server: "The database is set up" in server.output)
        assert len(re.findall(NEW_PASSWORD, one.output + two.output)) == 1
        assert "Traceback" not in one.output + two.output
        with closing(one.connect()) as connection:
            users = connection.execute("SELECT username FROM auth_user").fetchall()
        assert users == [("admin",)]
