"""When devices were last heard, over a restart while the database is away; on both databases."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from powerlog.devices import registry as module
from powerlog.devices.last_contact import SeenFiles
from powerlog.devices.records import Facts
from powerlog.devices.registry import Registry
from powerlog.models import Device
from tests.devices.test_registry import folder as folder
from tests.devices.test_registry import peer, silences
from tests.support.doubles import until
from tests.support.frames import PUMP, T0

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])
Live = Callable[..., None]
PRODUCTION, TEST = 11, 22


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Live:
    """Runs a registry to its end; the database is there, away, or hangs."""

    def live(*heard_s: float, database: str = "away") -> None:
        ended = []

        def fail(facts: Any) -> None:
            until(lambda: database == "away" or ended)
            raise OperationalError("gone")

        registry = Registry()
        with monkeypatch.context() as patched:
            patched.setattr(module, "TICK_S", 0.01)
            if database != "there":
                patched.setattr(module, "store_facts", fail)
            registry.start()
            for at_s in heard_s:
                registry.met(PUMP, peer(at_s))
                registry.gone(PUMP)
            registry.stop(0.1 if database == "hangs" else 20)
            ended.append(True)
            if registry._thread:
                registry._thread.join()

    return live


@pytest.mark.parametrize("database", ["away", "hangs"])
def test_silences_of_a_process_that_ends_without_its_database_are_stored_by_the_next(
    live: Live, folder: Path, database: str
) -> None:
    live(0, database="there")
    live(10, 200, 500, database=database)
    (file,) = folder.glob("seen-*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    live(510, database="there")
    assert silences() == [(10.0, 200.0), (200.0, 500.0)]
    assert Device.objects.get().last_seen_at.timestamp() == T0 + 510
    assert list(folder.glob("seen-*")) == []


def test_the_time_for_which_the_database_was_away_is_no_silence(live: Live) -> None:
    live(0, database="there")
    live(*range(100, 1000, 100))
    live(*range(1000, 2000, 100))
    live(2000, database="there")
    assert silences() == []


def test_a_silence_over_two_restarts_is_one(live: Live) -> None:
    live(0, database="there")
    live(100)
    live()
    live(700, database="there")
    assert silences() == [(100.0, 700.0)]


def test_a_file_that_is_damaged_or_cannot_be_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "seen-0000000b-1.json").write_text('[{"device_id": 5}]')
    (tmp_path / "seen-2.json").write_bytes(b"\xff")
    files = SeenFiles(tmp_path, PRODUCTION)
    assert files.left() == {}
    files.forget()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full").touch()
    SeenFiles(tmp_path / "full", PRODUCTION).keep([Facts(PUMP, peer(0))])


def test_of_two_processes_the_one_that_heard_a_device_last_is_believed(tmp_path: Path) -> None:
    for number, at_s in ((1, 500), (2, 900), (3, 700)):
        files = SeenFiles(tmp_path, PRODUCTION)
        files._own = files._place(str(number))
        facts = Facts(PUMP, peer(at_s))
        facts.was_silent(T0 + at_s - 200, T0 + at_s)
        files.keep([facts])
    (facts,) = SeenFiles(tmp_path, PRODUCTION).left().values()
    assert facts.peer.heard_at == T0 + 900
    assert sorted(facts.silences) == [(T0 + end - 200, T0 + end) for end in (500, 700, 900)]


def heard_of(folder: Path, database: int) -> set[str]:
    return set(SeenFiles(folder, database).left())


def test_what_was_heard_for_one_database_is_nothing_to_a_collector_with_another(
    tmp_path: Path,
) -> None:
    production, test = SeenFiles(tmp_path, PRODUCTION), SeenFiles(tmp_path, TEST)
    production.keep([Facts(PUMP, peer(0))])
    assert test.left() == {}
    test.keep([Facts("another", peer(0))])  # with the same number of its process
    assert heard_of(tmp_path, PRODUCTION) == {PUMP}
    test.forget()
    assert heard_of(tmp_path, PRODUCTION) == {PUMP}
    assert heard_of(tmp_path, TEST) == set()


def test_a_file_of_no_database_is_adopted_by_who_starts_first(tmp_path: Path) -> None:
    SeenFiles(tmp_path, PRODUCTION).keep([Facts(PUMP, peer(0))])
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / "seen-4711.json").chmod(0o644)
    first = SeenFiles(tmp_path, TEST)
    assert set(first.left()) == {PUMP}
    assert heard_of(tmp_path, PRODUCTION) == set()
    (adopted,) = tmp_path.iterdir()
    assert stat.S_IMODE(adopted.stat().st_mode) == 0o600
    first.forget()
    assert list(tmp_path.iterdir()) == []


def test_it_is_for_its_owner_only_whatever_was_left_there(tmp_path: Path) -> None:
    files = SeenFiles(tmp_path, PRODUCTION)
    files._own.with_suffix(".new").touch(mode=0o644)
    files.keep([])
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
