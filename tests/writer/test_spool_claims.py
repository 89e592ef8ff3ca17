"""One SPOOL_DIR, several collectors: whose file is whose, who may read it, and if it is gone."""

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from collector_site.database_url import databases
from powerlog.core.sampler import Due, Snapshot
from powerlog.database import sqlite_files
from powerlog.database.sqlite_files import fingerprint
from powerlog.writer.channel_snapshots import LastKnown
from powerlog.writer.fair_queue import Lot
from powerlog.writer.spool import Spool, SpoolError
from tests.support.doubles import sample
from tests.support.frames import PUMP

PRODUCTION, TEST = 11, 22
METER = (PUMP, "switch:2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def collectors(folder: Path) -> Iterator[Any]:
    """Makes the spool of a collector with this database."""
    with ExitStack() as stack:

        def start(database: int) -> Spool:
            spool = Spool(folder, 1000, database)
            stack.callback(spool.close)
            spool.open()
            return spool

        yield start


def rows(*minutes: int) -> list[Lot]:
    return [("192.0.2.1", [sample(minute) for minute in minutes])]


def emptied(spool: Spool) -> list[Due]:
    found: list[Due] = []
    while spool.depth:
        head = spool.head(3)
        found += head.due
        spool.remove(head)
    return found


def url(text: str) -> int:
    return fingerprint(databases(text)["writer"])


def test_a_database_is_known_by_where_it_is_and_its_name() -> None:
    one = url("postgresql://collector:secret@db.example.org/power")
    assert one == url("postgresql://somebody:else@db.example.org:5432/power?sslmode=require")
    assert url("postgresql://c@localhost/power") == url("postgresql://c@127.0.0.1:5432/power")
    others = [
        url("postgresql://collector:secret@db.example.org/test"),
        url("postgresql://collector:secret@db.example.org:5433/power"),
        url("postgresql://collector:secret@other.example.org/power"),
        url("postgresql://collector:secret@/power?host=/run/other"),
        url("sqlite:///power"),
        url("sqlite:///test"),
    ]
    assert len({one, *others}) == 7
    assert url("sqlite:///data/../power") == url("sqlite:///power")
    assert all(0 < each < 2**31 for each in others)


def test_what_waits_for_one_database_is_left_alone_by_a_collector_with_another(
    collectors: Any, caplog: pytest.LogCaptureFixture
) -> None:
    production = collectors(PRODUCTION)
    production.append(rows(0, 1))
    production.close()  # it has died
    test = collectors(TEST)
    assert test.depth == 0
    test.append(rows(7))
    assert emptied(test) == [sample(7)]
    test.open()
    (line,) = caplog.messages
    assert line.endswith(
        "spool-1.sqlite3 is left alone: give each collector a SPOOL_DIR of its own"
    )
    again = collectors(PRODUCTION)
    assert emptied(again) == [sample(0), sample(1)]


def test_processes_and_restarts_with_the_same_database_share_as_ever(collectors: Any) -> None:
    one, two = collectors(PRODUCTION), collectors(PRODUCTION)
    one.append(rows(0))
    two.append(rows(1))
    assert [path.name for path in sorted(one.folder.glob("*.sqlite3"))] == [
        "spool-1.sqlite3",
        "spool-2.sqlite3",
    ]
    two.close()
    one.close()
    assert len(emptied(collectors(PRODUCTION))) == 2


def test_a_file_without_a_fingerprint_is_adopted_by_who_opens_it_first(collectors: Any) -> None:
    old = collectors(sqlite_files.NONE)
    old.append(rows(0))
    old.close()
    production = collectors(PRODUCTION)
    assert production.depth == 1
    production.close()
    assert collectors(TEST).depth == 0
    with closing(sqlite3.connect(production.folder / "spool-1.sqlite3")) as staff:
        staff.execute("PRAGMA user_version = 0")  # as the documents say
    assert emptied(collectors(TEST)) == [sample(0)]


def test_how_channels_stood_is_not_told_to_another_database(collectors: Any) -> None:
    production = collectors(PRODUCTION)
    with closing(LastKnown(lambda: production.last_path, PRODUCTION)) as last:
        last.hear([sample(0)])
        assert last.note()
    production.close()
    test = collectors(TEST)
    assert test.last_path
    assert test.last_path.name == "last-2.sqlite3"
    with closing(LastKnown(lambda: test.last_path, TEST)) as last:
        assert last.past(*METER) is None
    test.close()
    again = collectors(PRODUCTION)
    with closing(LastKnown(lambda: again.last_path, PRODUCTION)) as last:
        assert last.past(*METER) == Snapshot(sample(0))


def test_all_files_are_for_their_owner_only(collectors: Any, folder: Path) -> None:
    spool = collectors(PRODUCTION)
    spool.append(rows(0))
    with closing(LastKnown(lambda: spool.last_path, PRODUCTION)) as last:
        last.hear([sample(0)])
        last.note()
        made = list(folder.iterdir())
        assert len(made) == 7  # two files with -wal and -shm, and a lock
        assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_files_that_everybody_could_read_are_mended(collectors: Any, folder: Path) -> None:
    first = collectors(PRODUCTION)
    first.append(rows(0))
    shutil.copytree(folder, folder.with_name("killed"))
    for path in folder.with_name("killed").iterdir():
        path.chmod(0o644)
    with closing(Spool(folder.with_name("killed"), 1000, PRODUCTION)) as spool:
        spool.open()
        assert spool.depth == 1
        modes = {path.stat().st_mode for path in spool.folder.iterdir()}
        assert set(map(stat.S_IMODE, modes)) == {0o600}


def test_a_folder_that_is_deleted_is_made_again_with_all_that_waits_there(
    collectors: Any, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool, died = collectors(PRODUCTION), collectors(PRODUCTION)
    died.append(rows(0, 1))
    died.close()
    spool.open()  # it adopts the other file, and has one of its own
    spool.append(rows(2))
    caplog.clear()
    shutil.rmtree(folder)
    spool.look_after()
    assert (spool.depth, len(list(folder.glob("spool-*.sqlite3")))) == (3, 2)
    (line,) = caplog.messages
    assert line.endswith("it is made again, with the 3 rows that waited there")
    spool.append(rows(3))
    spool.close()
    assert len(emptied(collectors(PRODUCTION))) == 4


def test_what_comes_after_the_folder_was_deleted_is_not_written_into_nowhere(
    collectors: Any, folder: Path
) -> None:
    spool = collectors(PRODUCTION)
    spool.append(rows(0))
    shutil.rmtree(folder)
    spool.append(rows(1))
    shutil.copytree(folder, folder.with_name("killed"))  # and killed at this moment
    with closing(Spool(folder.with_name("killed"), 1000, PRODUCTION)) as again:
        again.open()
        assert emptied(again) == [sample(0), sample(1)]


def test_a_folder_that_cannot_be_made_again_costs_nothing_once_it_can(
    collectors: Any, folder: Path
) -> None:
    spool = collectors(PRODUCTION)
    spool.append(rows(0))
    shutil.rmtree(folder)
    folder.touch()
    for _ in range(2):
        with pytest.raises(SpoolError):
            spool.look_after()
        with pytest.raises(SpoolError):
            spool.append(rows(1))
        assert spool.head(5).due == [sample(0)]
    folder.unlink()
    spool.append(rows(1))
    assert (folder / "spool-1.sqlite3").exists()
    assert emptied(spool) == [sample(0), sample(1)]


def test_a_folder_that_another_process_has_made_again_is_shared_with_it(
    collectors: Any, folder: Path
) -> None:
    one = collectors(PRODUCTION)
    one.append(rows(0))
    shutil.rmtree(folder)
    two = collectors(PRODUCTION)
    two.append(rows(1))
    one.append(rows(2))
    assert emptied(one) == [sample(0), sample(2)]
    assert (folder / "spool-1.sqlite3").exists()
    assert emptied(two) == [sample(1)]


def test_how_channels_stood_is_there_again_as_well(collectors: Any, folder: Path) -> None:
    spool = collectors(PRODUCTION)
    with closing(LastKnown(lambda: spool.last_path, PRODUCTION)) as last:
        last.hear([sample(0)])
        last.note()
        shutil.rmtree(folder)
        spool.look_after()
        last.hear([sample(5, device_id="another")])
        assert last.note()
    with closing(LastKnown(lambda: spool.last_path, PRODUCTION)) as again:
        assert again.past(*METER) == Snapshot(sample(0))
