"""Every silence is recorded, however its connection ends: with a real Daphne, its clock in front
of every message, and both databases."""

import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker
from websockets.sync.client import ClientConnection

from tests.support.databases import set_up
from tests.support.frames import T0, delta, meter
from tests.support.knocking import dial
from tests.support.postgres import Postgres
from tests.support.servers import Server, daphne, running, until

APPLICATION = "tests.support.timed_asgi:application"


@pytest.fixture
def server(ready_database: str, tmp_path: Path) -> Iterator[Server]:
    with running(daphne(ready_database, tmp_path, APPLICATION)) as server:
        yield server
        assert "Traceback" not in server.output


def says(device: ClientConnection, *at_s: float) -> None:
    """It speaks at these seconds after T0."""
    for second in at_s:
        moment = float(T0 + second)
        device.send(f"{moment!r} {delta(moment, switch_2=meter(9.0))}")


def silences(server: Server) -> list[tuple[float, float]]:
    """(since, until) of all that are in the table, in seconds after T0."""
    epoch = "extract(epoch FROM {})::float8"
    if server.database_url.startswith("sqlite"):
        epoch = "(julianday({}) - 2440587.5) * 86400"
    columns = ", ".join(epoch.format(column) for column in ("since", '"until"'))
    with closing(server.connect()) as connection:
        found = connection.execute(f"SELECT {columns} FROM silences ORDER BY since").fetchall()
    return [(round(since - T0, 1), round(until - T0, 1)) for since, until in found]


def gone(server: Server) -> bool:
    return server.status()["devices connected"] == "0"


def test_a_frame_after_a_silence_and_the_end(server: Server) -> None:
    with dial(server) as device:
        says(device, 0, 140)
    until(lambda: silences(server) == [(0, 140)])


def test_frames_in_quick_succession_after_a_silence_and_a_line_that_breaks(
    server: Server,
) -> None:
    with dial(server) as device:
        says(device, 0, 1, 130, 130.5, 131, 300)
        until(lambda: server.status()["frames"] == "6")
        device.socket.close()
    until(lambda: silences(server) == [(1, 130), (131, 300)])


def test_a_silence_from_one_connection_to_the_next(server: Server) -> None:
    with dial(server) as device:
        says(device, 0)
    until(lambda: gone(server))
    with dial(server) as device, dial(server) as newer:
        says(device, 140, 150)
        until(lambda: server.status()["frames"] == "3")
        says(newer, 300)  # the older one is half-open, and now superseded
        until(lambda: silences(server) == [(0, 140), (150, 300)])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_silence_from_one_process_to_the_next(
    ready_database: str, tmp_path: Path, how: signal.Signals
) -> None:
    with running(daphne(ready_database, tmp_path, APPLICATION)) as first, dial(first) as device:
        says(device, 0)
        until(lambda: first.devices())
        if how == signal.SIGTERM:
            says(device, 140)
            until(lambda: first.status()["frames"] == "2")
        first.stop(how)
    with running(daphne(ready_database, tmp_path, APPLICATION)) as second, dial(second) as device:
        says(device, 300)
        between = [(0, 140), (140, 300)] if how == signal.SIGTERM else [(0, 300)]
        until(lambda: silences(second) == between)


@pytest.mark.parametrize("how", [Postgres.stop, Postgres.freeze])
def test_silences_while_the_database_is_away_over_a_restart(
    postgres: Postgres,
    django_db_blocker: DjangoDbBlocker,
    tmp_path: Path,
    how: Callable[[Postgres], None],
) -> None:
    postgres.start()
    with django_db_blocker.unblock():
        set_up(postgres.url)
    with running(daphne(postgres.url, tmp_path, APPLICATION)) as first, dial(first) as device:
        says(device, 0)
        until(lambda: first.devices())
        how(postgres)
        says(device, 140, *range(200, 2000, 100))
        until(lambda: first.status()["frames"] == "20")
        assert first.stop() == 0
    with running(daphne(postgres.url, tmp_path, APPLICATION)) as second, dial(second) as device:
        says(device, 2200)
        until(lambda: second.status()["frames"] == "1")
        postgres.thaw() if how == Postgres.freeze else postgres.start()
        until(lambda: silences(second) == [(0, 140), (1900, 2200)])
        until(lambda: not list((tmp_path / "spool").glob("seen-*")))
