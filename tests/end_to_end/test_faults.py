"""What may break is broken for real while devices talk, and every row arrives all the same."""

import re
import shutil
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
from pytest_django.plugin import DjangoDbBlocker
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.crowd import Crowd, Row, Teller, written
from tests.support.databases import set_up
from tests.support.faults import (
    Fault,
    cut_connections,
    cut_off,
    few_open_files,
    frozen,
    limit_files,
    locked,
    new_database,
    read_only,
    small_disk,
    stopped,
    write_locked,
)
from tests.support.postgres import Postgres
from tests.support.servers import PATIENCE_S, Server, daphne, running, serve, until

BACK_WITHIN_S = 15
SPOOLED_WITHIN_S = 2.0
ENDED_WITHIN_S = 10
WENT = "the database takes no rows"
BACK = "the database takes rows again"


@pytest.fixture(scope="module")
def postgres(django_db_blocker: DjangoDbBlocker) -> Iterator[Postgres]:
    with closing(Postgres()) as postgres:
        postgres.start()
        with django_db_blocker.unblock():
            set_up(postgres.url)
        yield postgres


@pytest.fixture
def url(postgres: Postgres) -> str:
    return new_database(postgres)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.leave()


def arrives(crowd: Crowd, server: Server) -> None:
    """Every row is in the table, and nothing else; and nothing waits any more."""
    until(lambda: len(written(server)) >= len(crowd.rows), BACK_WITHIN_S)
    until(lambda: not spools(server), BACK_WITHIN_S)
    assert written(server) == sorted(crowd.rows)
    assert len(server.runs()) == crowd.runs
    status = server.status()
    assert (status["rows waiting"], status["rows lost"]) == ("0", "0")


def spools(server: Server) -> bool:
    return server.status()["spool"] != "empty"


def errors(server: Server) -> list[str]:
    return re.findall("^.* ERROR (.*)$", server.output, re.MULTILINE)


def test_no_row_is_lost_when_the_database_goes_and_then_the_collector_is_killed(
    postgres: Postgres, url: str, crowd: Crowd, tmp_path: Path
) -> None:
    with ExitStack() as outage:
        with running(serve(url, tmp_path)) as first:
            with crowd.talking(first):
                crowd.more(15)
                outage.enter_context(stopped(postgres, url))
                crowd.more(15)
            time.sleep(SPOOLED_WITHIN_S)
            assert spools(first)
            first.stop(signal.SIGKILL)
        with running(serve(url, tmp_path)) as second:
            with crowd.talking(second):
                crowd.more(15)
                outage.close()
                crowd.more(15)
            arrives(crowd, second)
            assert second.stop() == 0
    assert first.output.count(WENT) == 1
    assert second.output.count(WENT) == second.output.count(BACK) == 1
    assert "Traceback" not in first.output + second.output


@pytest.mark.parametrize("fault", [frozen, cut_off, locked, read_only])
def test_every_row_arrives_although_the_database_was(
    fault: Fault, postgres: Postgres, url: str, crowd: Crowd, tmp_path: Path
) -> None:
    with running(serve(url, tmp_path)) as server:
        with crowd.talking(server):
            crowd.more(10)
            with fault(postgres, url):
                before = int(server.status()["frames"])
                crowd.more(30)
                until(lambda: spools(server) or fault is cut_off)  # between two cuts rows go in
                assert int(server.status()["frames"]) > before + 30
            crowd.more(10)
        arrives(crowd, server)
        assert server.output.count(WENT) == server.output.count(BACK)
        assert fault is cut_off or server.output.count(WENT) <= 1
        assert "Traceback" not in server.output


@pytest.mark.parametrize("fault", [stopped, frozen])
def test_a_collector_ends_in_time_without_the_database_and_loses_nothing(
    fault: Fault, postgres: Postgres, url: str, crowd: Crowd, tmp_path: Path
) -> None:
    with running(serve(url, tmp_path)) as first, ExitStack() as outage:
        with crowd.talking(first):
            crowd.more(10)
            outage.enter_context(fault(postgres, url))
            crowd.more(10)
        first.process.terminate()
        assert first.process.wait(ENDED_WITHIN_S) == 0
    with running(serve(url, tmp_path)) as second:
        arrives(crowd, second)
        assert second.runs_left() == crowd.runs
    assert "Traceback" not in first.output + second.output


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Callable[[Server], None]]:
    """A disk with room for little of the spool: a small one, or where the test may not mount one,
    from when it is called a limit to the size of files."""
    try:
        with small_disk(tmp_path / "spool"):
            yield lambda server: None
    except PermissionError:
        yield limit_files


def test_a_full_disk_costs_no_row_that_fits_into_memory(
    full_disk: Callable[[Server], None],
    postgres: Postgres,
    url: str,
    crowd: Crowd,
    tmp_path: Path,
) -> None:
    with running(serve(url, tmp_path)) as server:
        full_disk(server)
        with crowd.talking(server), stopped(postgres, url):
            crowd.more(40)
            until(lambda: len(errors(server)) == 2)
        arrives(crowd, server)
        assert len(errors(server)) == 2, "one of the database, one of the disk"
        assert "Traceback" not in server.output


def test_a_full_disk_and_a_full_memory_cost_no_row_that_is_not_counted(
    postgres: Postgres, url: str, crowd: Crowd, tmp_path: Path
) -> None:
    with running(daphne(url, tmp_path, "tests.support.forgetful_asgi:application")) as server:
        limit_files(server)
        with crowd.talking(server), stopped(postgres, url):
            crowd.more(60)
        until(lambda: server.status()["rows waiting"] == "0")
        until(lambda: not spools(server))
        told = len(crowd.rows) + crowd.runs
        # A run that is told again, because the database is away, and given up, counts again. The
        # last device may have waited for its past until now.
        until(
            lambda: (
                0
                < told - len(written(server)) - len(server.runs())
                <= int(server.status()["rows lost"])
            )
        )
        assert set(written(server)) < set(crowd.rows)
        assert "Traceback" not in server.output


def test_every_row_arrives_although_somebody_else_writes_into_the_sqlite_database(
    crowd: Crowd, ready_sqlite: Callable[[Path], str], tmp_path: Path
) -> None:
    url = ready_sqlite(tmp_path)
    with running(serve(url, tmp_path)) as server:
        with crowd.talking(server):
            crowd.more(10)
            with write_locked(Path(url.removeprefix("sqlite:///"))):
                until(lambda: spools(server))
            crowd.more(10)
        arrives(crowd, server)
        assert "Traceback" not in server.output


def test_a_process_that_could_open_hardly_anything_goes_on_when_it_can(
    postgres: Postgres, url: str, tmp_path: Path
) -> None:
    with (
        running(serve(url, tmp_path)) as server,
        connect(server.socket, compression=None, open_timeout=20) as device,
    ):
        teller = Teller(1, device)
        teller.tell(0)
        until(lambda: server.status()["rows written"] == "3")
        until(server.devices)
        with few_open_files(server) as one_more:
            for _ in range(32):  # in so long the registry turns to the database at least once
                teller.tell(0)
                one_more()
                cut_connections(postgres, url)
                time.sleep(0.2)
        rows = teller.tell(1)
        until(lambda: set(rows) < set(written(server)))
        with psycopg.connect(url) as staff:
            staff.execute("UPDATE devices SET admission = 'blocked'")
        with pytest.raises(ConnectionClosed) as closed:
            until(lambda: device.recv(PATIENCE_S) and False)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4003
        assert "threads" not in server.status()
        assert "Traceback" not in server.output
        assert server.stop() == 0


def test_a_spool_that_is_deleted_while_rows_wait_there_costs_none(
    postgres: Postgres, url: str, crowd: Crowd, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    with ExitStack() as outage:
        with running(serve(url, tmp_path)) as first:
            with crowd.talking(first):
                crowd.more(5)
                outage.enter_context(stopped(postgres, url))
                crowd.more(15)
                until(lambda: spools(first))
                shutil.rmtree(spool)
                crowd.more(15)
            time.sleep(SPOOLED_WITHIN_S)
            assert first.output.count("was deleted while the collector runs") == 1
            first.stop(signal.SIGKILL)
        with running(serve(url, tmp_path)) as second:
            outage.close()
            arrives(crowd, second)
            assert second.stop() == 0
    assert "Traceback" not in first.output + second.output


def test_what_waits_for_one_database_never_goes_into_another(
    postgres: Postgres,
    url: str,
    ready_sqlite: Callable[[Path], str],
    crowd: Crowd,
    tmp_path: Path,
) -> None:
    """Production is killed while its database is away, then a test is started in the checkout."""
    with ExitStack() as outage:
        with running(serve(url, tmp_path)) as production:
            with crowd.talking(production):
                outage.enter_context(stopped(postgres, url))
                crowd.more(10)
            time.sleep(SPOOLED_WITHIN_S)
            production.stop(signal.SIGKILL)
        with running(serve(ready_sqlite(tmp_path), tmp_path)) as test:
            until(lambda: "is used by a collector with another database as well" in test.output)
            assert not spools(test)
            assert test.stop() == 0
            assert test.rows() == []
        outage.close()
        with running(serve(url, tmp_path)) as again:
            arrives(crowd, again)
            assert again.stop() == 0


@pytest.mark.parametrize("mode", [None, 0o644])
def test_nobody_else_can_read_an_sqlite_database_or_the_spool(
    ready_sqlite: Callable[[Path], str], crowd: Crowd, tmp_path: Path, mode: int | None
) -> None:
    """Neither one that is made nor one that everybody could read."""
    database = tmp_path / "collector.sqlite3"
    if mode:
        ready_sqlite(tmp_path)
        database.chmod(mode)
    with running(serve(f"sqlite:///{database}", tmp_path)) as server:
        with crowd.talking(server):
            crowd.more(3)
        until(lambda: len(server.rows()) >= len(crowd.rows))
        with write_locked(database), crowd.talking(server):
            crowd.more(3)
            until(lambda: spools(server))
            files = [*tmp_path.glob("collector.sqlite3*"), *(tmp_path / "spool").iterdir()]
            modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in files}
    assert {"collector.sqlite3", "collector.sqlite3-wal", "spool-1.sqlite3"} < modes.keys()
    assert set(modes.values()) == {"0o600"}, modes


def test_who_floods_the_spool_loses_its_own_rows_and_nobody_elses(
    postgres: Postgres, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten devices at addresses of their own, and one address that invents five hundred."""
    monkeypatch.setenv("SPOOL_MAX_ROWS", "1000")

    def tell(server: Server, number: int, address: str) -> list[Row]:
        """A device dials from this address, tells of a minute, and is gone."""
        line = socket.create_connection(("127.0.0.1", server.port), source_address=(address, 0))
        with connect(server.socket, sock=line, compression=None, open_timeout=20) as device:
            return Teller(number, device).tell(2)

    with running(serve(url, tmp_path)) as server:
        with stopped(postgres, url):
            rows = [row for n in range(10) for row in tell(server, n, f"127.0.0.{n + 10}")]
            until(lambda: spools(server))
            for number in range(100, 600):
                tell(server, number, "127.0.0.99")
            until(lambda: server.status()["rows waiting"] == "0")
            until(lambda: int(server.status()["rows lost"]))
        until(lambda: not spools(server))
        assert set(rows) < set(written(server))
        assert server.status()["addresses with rows lost"] == "1"
        (error,) = [line for line in errors(server) if "more rows wait than fit" in line]
        assert "of 127.0.0.99 first" in error
        assert server.stop() == 0
