"""A long file of the spool by turns: of origins, and within them of devices."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from powerlog.core.sampler import Due, Sample
from powerlog.writer import spool_file, spool_order
from powerlog.writer.fair_queue import Lot
from powerlog.writer.spool import Spool
from powerlog.writer.spool_file import SpoolFile
from powerlog.writer.spool_order import Lanes
from tests.support.doubles import sample

FLOOD, HOME = "203.0.113.7", "198.51.100.1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    with closing(Spool(folder, max_rows=1000)) as spool:
        spool.open()
        yield spool


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it takes turns."""
    monkeypatch.setattr(spool_file, "FEW", 10)


def lot(origin: str, device_id: str, *minutes: int) -> Lot:
    return origin, [sample(minute, device_id=device_id) for minute in minutes]


def flood(number: int = 500, origin: str = FLOOD) -> list[Lot]:
    """Two rows of each of so many devices."""
    return [lot(origin, f"invented-{each}", 0, 1) for each in range(number)]


def devices(due: list[Due]) -> Counter[str]:
    return Counter(each.device_id for each in due)


def emptied(spool: Spool, at_once: int = 30) -> list[Due]:
    found: list[Due] = []
    while spool.depth:
        head = spool.head(at_once)
        found += head.due
        spool.remove(head)
    return found


def test_who_waits_behind_a_flood_is_in_the_first_batch(spool: Spool) -> None:
    spool.append(flood())
    spool.append([lot(f"198.51.100.{n}", f"pump-{n}", 0, 1) for n in range(10)])
    head = spool.head(100)
    assert len(head.due) == 100
    assert all(devices(head.due)[f"pump-{n}"] == 2 for n in range(10))
    spool.remove(head)
    assert spool.depth == 1020 - 100
    assert len(emptied(spool)) == 1020 - 100
    assert list(spool.folder.glob("*.sqlite3*")) == []


def test_who_shares_an_address_with_a_flood_has_turns_of_its_own(spool: Spool) -> None:
    spool.append([lot(FLOOD, f"invented-{each}", *range(100)) for each in range(9)])
    spool.append([lot(FLOOD, "pump", 0, 1, 2)])
    assert devices(spool.head(600).due)["pump"] == 3


def test_a_short_file_comes_out_as_it_came(spool: Spool) -> None:
    due = [lot(f"198.51.100.{n}", f"pump-{n % 3}", n) for n in range(10)]
    spool.append(due)
    assert emptied(spool, 4) == [each for _, part in due for each in part]


def test_what_comes_of_one_device_from_several_addresses_stays_in_order(spool: Spool) -> None:
    spool.append(flood(20))
    for minute in range(30):
        spool.append([lot((HOME, FLOOD)[minute % 2], "pump", minute)])
    found = [row for row in emptied(spool, 7) if row.device_id == "pump"]
    assert [row.ts for row in found if isinstance(row, Sample)] == sorted(
        row.ts for row in found if isinstance(row, Sample)
    )
    assert len(found) == 30


def test_beyond_the_bound_who_has_most_there_loses_its_oldest(spool: Spool) -> None:
    spool.append([lot(f"198.51.100.{n}", f"pump-{n}", *range(10)) for n in range(30)])
    spool.append([lot(FLOOD, f"invented-{n}", *range(10)) for n in range(100)])
    assert spool.shorten() == {FLOOD: 300}
    assert (spool.depth, spool.shorten()) == (1000, {})
    found = emptied(spool)
    assert all(devices(found)[f"pump-{n}"] == 10 for n in range(30))
    assert {row.ts for row in found if row.device_id == "invented-0"} == {
        sample(minute).ts for minute in range(3, 10)
    }


def test_within_an_address_the_device_that_has_most_loses(spool: Spool) -> None:
    spool.append([lot(FLOOD, "pump", 0, 1, 2), lot(FLOOD, "flood", *range(1200))])
    assert spool.shorten() == {FLOOD: 203}
    found = devices(emptied(spool, 200))
    assert (found["pump"], found["flood"]) == (3, 997)


def test_thousands_of_devices_that_have_one_row_each_are_given_up_as_well(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_order, "AT_ONCE", 50)
    spool.append([lot(HOME, "pump", *range(20))])
    spool.append([lot(FLOOD, f"invented-{n}", 0) for n in range(1400)])
    assert spool.shorten() == {FLOOD: 420}
    assert devices(emptied(spool, 200))["pump"] == 20


def test_a_file_from_before_there_were_lanes_is_adopted_whole(folder: Path) -> None:
    folder.mkdir()
    encode = msgspec.json.encode
    rows = [sample(minute, device_id=f"pump-{minute % 7}") for minute in range(40)]
    with closing(sqlite3.connect(folder / "spool-1.sqlite3")) as old:
        old.execute(
            "CREATE TABLE spool (id INTEGER PRIMARY KEY, spooled_at REAL, device_id TEXT, "
            "channel TEXT, kind TEXT, body TEXT)"
        )
        old.execute("CREATE INDEX spool_channel ON spool (device_id, channel)")
        old.executemany(
            "INSERT INTO spool VALUES (?, 1.0, ?, 'switch:2', 'row', ?)",
            [(n, row.device_id, encode(row).decode()) for n, row in enumerate(rows, 5)],
        )
        old.commit()
    with closing(Spool(folder, 1000)) as spool:
        spool.open()
        assert spool.depth == 40
        spool.append([lot(HOME, "pump-0", 40)])
        found = emptied(spool, 6)
    assert sorted(found, key=lambda row: row.ts) == [*rows, sample(40, device_id="pump-0")]


def test_lanes_that_are_wrong_are_counted_again(folder: Path) -> None:
    """As after a collector without lanes went on with the file, and wrote as many as it took."""
    with closing(Spool(folder, 1000)) as spool:
        spool.append(flood(10))
    with closing(sqlite3.connect(folder / "spool-1.sqlite3")) as other:
        other.execute("UPDATE spool SET device_id = 'pump' WHERE device_id = 'invented-3'")
        other.commit()
    with closing(Spool(folder, 1000)) as spool:
        spool.open()
        assert len(emptied(spool, 6)) == 20


def test_who_is_known_by_its_address_is_so_after_a_restart(folder: Path) -> None:
    with closing(Spool(folder, 100)) as spool:
        spool.append(flood(40))
        spool.append([lot(HOME, "pump", *range(15))])
    with closing(Spool(folder, 50)) as again:
        again.open()
        assert again.shorten() == {FLOOD: 45}
        assert devices(emptied(again))["pump"] == 15


def test_of_more_origins_than_are_kept_apart_the_others_count_as_one(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_order, "MAX_ORIGINS", 5)
    for number in range(30):
        spool.append([lot(f"198.51.100.{number}", f"pump-{number}", 0, 1)])
    assert spool._own
    assert spool._own._lanes
    assert len(spool._own._lanes.held) <= 6
    assert len(emptied(spool, 7)) == 60


def test_what_a_full_disk_does_not_let_go_does_not_come_out_again(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    spool.append([*flood(20), lot(HOME, "pump", *range(10))])
    found: list[Due] = []
    with monkeypatch.context() as patch:
        patch.setattr(Lanes, "remove", full)
        for _ in range(3):
            head = spool.head(11)
            found += head.due
            spool.remove(head)
        assert spool.depth == 50 - 33
    found += emptied(spool, 5)
    assert len(found) == len(set(found)) == 50
    assert list(spool.folder.glob("*.sqlite3*")) == []


def test_what_was_taken_and_given_up_meanwhile_is_counted_once(spool: Spool) -> None:
    spool.append([lot(FLOOD, "flood", *range(1000))])
    head = spool.head(100)
    spool.append([lot(FLOOD, "flood", *range(1000, 1100))])
    assert spool.shorten() == {FLOOD: 100}
    spool.remove(head)
    assert spool.depth == 1000
    assert len(emptied(spool, 300)) == 1000


def test_what_a_process_left_behind_does_not_keep_waiting_what_comes_now(folder: Path) -> None:
    with closing(Spool(folder, 1000)) as first, closing(Spool(folder, 1000)) as died:
        first.open()
        died.open()
        died.append([*flood(), lot(HOME, "pump", *range(3))])
        died.close()
        again = Spool(folder, 1000)
        first.close()
        with closing(again):
            again.open()
            again.append([lot(HOME, "pump", 3), lot(HOME, "fan", *range(20))])
            found = emptied(again, 100)
    pump = [row.ts for row in found if row.device_id == "pump" and isinstance(row, Sample)]
    assert pump == [sample(minute).ts for minute in range(4)]
    assert devices(found[:400])["fan"] == 20


def test_the_records_of_a_hand_go_and_no_others(folder: Path) -> None:
    """What was in hand when it was saved is removed by where it is, also from among lanes."""
    file = SpoolFile(folder.parent / "spool-1.sqlite3")
    first = file.append([lot(HOME, "pump", 0, 1)])
    file.append(flood(10))
    later = file.append([lot(HOME, "pump", 2, 3)])
    file.remove(first)
    assert "pump" in file
    file.remove(later)
    assert "pump" not in file
    assert file.depth == 20
    file.close()
