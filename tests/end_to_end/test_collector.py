"""The whole collector: a real server process, real WebSockets, a real database."""

import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from websockets.sync.client import ClientConnection, connect

from powerlog.core.protocol import BOOTSTRAP
from tests.support.databases import PASSWORD
from tests.support.frames import NO_HANDLER, PUMP, answer, delta, full, meter
from tests.support.servers import Process, Server, daphne, free_port, manage, running, serve, until


@contextmanager
def dial(server: Server) -> Iterator[ClientConnection]:
    """A device's connection, after the two requests."""
    with connect(server.socket, subprotocols=["json-rpc"], open_timeout=20) as device:
        assert device.subprotocol == "json-rpc"
        assert [device.recv(20) for _ in BOOTSTRAP] == list(BOOTSTRAP)
        yield device


def minute() -> float:
    """The middle of a minute whose neighbours lie within the clock tolerance."""
    return time.time() // 60 * 60 - 30


def session(start: float) -> list[str]:
    """Two minutes of a pump, its own clock half a minute to two minutes behind."""
    return [
        full(start, switch_0=meter(0.0, 14.0), switch_2=meter(430.0, 2718.032)),
        NO_HANDLER,
        answer(switch_0=meter(0.0, 14.0), switch_2=meter(430.0, 2718.032)),
        delta(start + 5, switch_2={"apower": 0, "current": 0, "output": False}),
        delta(start + 7, switch_2={"output": True, "source": "SHC"}),
        delta(start + 8, switch_2={"apower": 433.8, "current": 2.631}),
        "this is no frame",
        delta(start + 15, switch_2={"current": 2.474}),
        delta(start + 30, switch_2=meter(432.0, 2722.283)),
        delta(start + 30.01, switch_0=meter(0.0, 14.0)),
    ]


EXPECTED = [
    (PUMP, "switch:2", 430.0, 229.4, 2.343, 2718.032),
    (PUMP, "switch:2", 432.0, 229.4, 2.354, 2722.283),
]


def test_one_command_from_nothing_to_rows_that_staff_can_see(
    new_database: str, tmp_path: Path
) -> None:
    with running(serve(new_database, tmp_path)) as server:
        assert f"ws://127.0.0.1:{server.port}/ws" in server.output
        password = re.search(r"^ *admin / (\S+)$", server.output, re.MULTILINE)
        assert password
        with dial(server) as device:
            for frame in session(minute()):
                device.send(frame)
            until(lambda: server.status()["rows written"] == "2")
            status = server.status()
            assert (status["devices connected"], status["bad frames"]) == ("1", "1 (1 not JSON)")
            assert status["last write"].startswith("ok")
        assert server.rows() == EXPECTED
        with httpx.Client(base_url=server.url, follow_redirects=True) as browser:
            assert PUMP in log_in(browser, password[1]).text
            until(lambda: server.devices() == [(PUMP, "127.0.0.1", False)])
            rows = browser.get("/admin/powerlog/powerlog/")
            assert rows.text.count(f">{PUMP}</a></td>") == 2
            assert browser.get("/static/admin/css/base.css").status_code == 200
        assert server.stop() == 0
        assert "Traceback" not in server.output
    with running(serve(new_database, tmp_path)) as again:
        assert "admin /" not in again.output


def test_which_channels_have_a_meter_and_which_feed_in_is_known_within_seconds(
    ready_database: str, tmp_path: Path
) -> None:
    def channels() -> list[tuple[str, bool, float | None]]:
        with closing(server.connect()) as connection:
            query = "SELECT channel, reports_power, negative_w FROM channels ORDER BY channel"
            return connection.execute(query).fetchall()

    with running(daphne(ready_database, tmp_path)) as server, dial(server) as device:
        relay = {"output": True, "source": "WS_in", "temperature": {"tC": 37.1}}
        device.send(full(time.time(), switch_0=relay, switch_1=meter(0.0), switch_2=meter(-640.0)))
        found = [("switch:0", 0, None), ("switch:1", 1, None), ("switch:2", 1, -640.0)]
        until(lambda: channels() == found)
        device.send(delta(time.time(), switch_0={"apower": 61.0}))
        until(lambda: channels()[0] == ("switch:0", 1, None))


def test_daphne_by_itself_does_the_same(ready_database: str, tmp_path: Path) -> None:
    with running(daphne(ready_database, tmp_path)) as server, dial(server) as device:
        for frame in session(minute()):
            device.send(frame)
        until(lambda: len(server.rows()) == 2)
        assert server.rows() == EXPECTED
        until(lambda: server.devices() == [(PUMP, "127.0.0.1", True)])


def test_plain_daphne_reports_that_it_keeps_no_limits(ready_database: str, tmp_path: Path) -> None:
    port = free_port()
    command = ["-m", "daphne", "-p", str(port), "collector_site.asgi:application"]
    with running(Server(command, port, ready_database, tmp_path / "plain.log")) as server:
        assert "keeps no limits: start it by `python -m powerlog.server`" in server.output


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_what_was_accepted_is_written_when_the_process_is_told_to_end(
    ready_database: str, tmp_path: Path, how: signal.Signals
) -> None:
    with running(serve(ready_database, tmp_path)) as server, dial(server) as device:
        device.send(delta(None, switch_2=meter(430.0), switch_1=meter(60.0)))
        until(lambda: server.status()["frames"] == "1")
        assert server.stop(how) == 0
        assert [row[1] for row in server.rows()] == ["switch:1", "switch:2"]
        assert server.runs_left() == 2
        assert "Traceback" not in server.output


def test_a_page_that_waits_for_the_database_does_not_keep_the_process_alive(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    url = ready_postgres()
    with running(serve(url, tmp_path)) as server, dial(server) as device:
        with httpx.Client(base_url=server.url, follow_redirects=True) as browser:
            log_in(browser, PASSWORD)
            cookies = "; ".join(f"{c.name}={c.value}" for c in browser.cookies.jar)
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE power_logs IN ACCESS EXCLUSIVE MODE")
            with socket.create_connection(("127.0.0.1", server.port)) as page:
                head = f"GET /dashboard/ HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n\r\n"
                page.sendall(head.encode())
                device.send(delta(None, switch_2=meter(430.0)))
                until(lambda: waiting_for_the_lock(url) == 2)  # the page, and the writer
                assert server.stop() == 0
    assert ", 3 in the spool" in server.output


def waiting_for_the_lock(url: str) -> int:
    with psycopg.connect(url) as connection:
        count = connection.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
        return count[0] if count else 0


def log_in(browser: httpx.Client, password: str) -> httpx.Response:
    """The page after the login: the dashboard."""
    form = browser.get("/dashboard/")
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
    assert token
    data = {"username": "admin", "password": password, "next": "/dashboard/"}
    return browser.post(form.url, data=data | {"csrfmiddlewaretoken": token[1]})


def test_rule_8_a_killed_collector_goes_on_in_the_middle_of_a_run(
    ready_database: str, tmp_path: Path
) -> None:
    start = minute() - 20  # ten seconds into the minute before this one
    with running(serve(ready_database, tmp_path)) as first, dial(first) as device:
        device.send(full(start, switch_2=meter(430.0, 100.0)))
        until(lambda: len(first.runs()) == len(first.rows()) == 1)
        first.stop(signal.SIGKILL)
    record = {"by_minute": [7000.0, 6000.0, 0], "minute_ts": start - 10 + 120, "total": 114.5}
    with running(serve(ready_database, tmp_path)) as second, dial(second) as device:
        device.send(full(start + 115, switch_2=meter(435.0) | {"aenergy": record}))
        until(lambda: len(second.rows()) == 3)
        device.send(delta(start + 117, switch_2={"apower": 0, "output": False}))
        until(lambda: second.runs()[0][3])
    assert [row[2] for row in second.rows()] == [430.0, 420.0, 435.0]
    ((channel, energy_wh, peak_w, end),) = second.runs()
    assert (channel, peak_w, end) == ("switch:2", 435.0, "stopped")
    assert energy_wh == pytest.approx(14.5 + 435 * 2 / 3600, abs=0.001)


def test_rule_8_a_device_may_go_on_at_another_process(ready_database: str, tmp_path: Path) -> None:
    start = minute() - 20
    with (
        running(serve(ready_database, tmp_path)) as one,
        running(serve(ready_database, tmp_path)) as two,
    ):
        with dial(one) as device:
            device.send(full(start, switch_2=meter(430.0, 100.0)))
            until(lambda: len(one.runs()) == 1)
        with dial(two) as device:
            device.send(full(start + 60, switch_2=meter(440.0, 107.0)))
            device.send(delta(start + 65, switch_2={"apower": 0, "output": False}))
            until(lambda: two.runs()[0][3])
        assert [row[2] for row in two.rows()] == [430.0, 440.0]
        assert len(two.runs()) == 1


def test_frames_are_handled_while_the_database_stalls(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    url = ready_postgres()
    with running(serve(url, tmp_path)) as server, dial(server) as device:
        device.send(full(None, switch_0=meter(0.0), switch_1=meter(0.0), switch_2=meter(0.0)))
        until(lambda: server.status()["frames"] == "1")
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE power_logs IN ACCESS EXCLUSIVE MODE")
            for channel in ("switch_0", "switch_1", "switch_2"):
                device.send(delta(None, **{channel: meter(100.0)}))
            until(lambda: int(server.status()["frames"]) == 4)
            with dial(server) as newcomer:
                newcomer.send(delta(None, "another", switch_2=meter(200.0)))
                # Without its past, which the database does not tell now.
                until(lambda: server.status()["spool"].startswith("8 rows"))  # runs count, too
            assert server.status()["rows written"] == "0"
        until(lambda: server.status()["rows written"] == "4")
        assert len(server.rows()) == 4


def test_a_restart_of_postgresql_costs_no_row(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    url = ready_postgres()
    with running(serve(url, tmp_path)) as server, dial(server) as device:
        device.send(delta(None, switch_0=meter(100.0)))
        until(lambda: server.status()["rows written"] == "1")
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        device.send(delta(None, switch_1=meter(100.0)))
        until(lambda: server.status()["rows written"] == "2")
        assert [row[1] for row in server.rows()] == ["switch:0", "switch:1"]
        assert "Traceback" not in server.output


def test_a_simulated_fleet_fills_the_table(ready_database: str, tmp_path: Path) -> None:
    with running(serve(ready_database, tmp_path)) as server:
        fleet = Process(
            ["manage.py", "simulate", "--url", server.socket, "--devices", "20"],
            ready_database,
            tmp_path / "simulate.log",
        )
        with closing(fleet):
            until(lambda: server.status()["devices connected"] == "20")
            until(lambda: int(server.status()["rows written"]) > 0)
            assert fleet.stop(signal.SIGINT) == 0
        until(lambda: server.status()["devices connected"] == "0")
        assert server.status()["bad frames"] == "0"
        assert {row[1] for row in server.rows()} == {"switch:2"}
        assert all(5 < row[2] < 1000 and 200 < row[3] < 260 for row in server.rows())
        assert "Traceback" not in server.output + fleet.output


def test_rubbish_hurts_nobody_else(ready_database: str, tmp_path: Path) -> None:
    with running(serve(ready_database, tmp_path)) as server, dial(server) as good:
        with dial(server) as bad:
            for rubbish in ("", "null", "[" * 60_000, json.dumps({"src": 5}), "\x00", b"\xff\xfe"):
                bad.send(rubbish)
            until(lambda: server.status()["bad frames"].startswith("6 (2 not JSON, "))
            bad.send(delta(None, "rubbish-sender", switch_1=meter(70.0)))
            good.send(delta(None, switch_2=meter(430.0)))
            until(lambda: server.status()["rows written"] == "2")
        with socket.create_connection(("127.0.0.1", server.port)) as half_open:
            half_open.sendall(b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n")
        assert server.answers()
        assert server.output.count(": no frame (") == 1
        assert "Traceback" not in server.output


def test_any_command_says_in_one_line_why_the_database_does_not_answer() -> None:
    ended = manage("migrate", database_url="postgresql://nobody:geheim@127.0.0.1:1/none")
    assert ended.returncode == 1
    assert "Connection refused" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_port_in_use_is_one_line(new_database: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        ended = manage("serve", "--port", str(port), database_url=new_database)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"CommandError: Cannot listen on 0.0.0.0 port {port}: Address already in use.\n"
    )
