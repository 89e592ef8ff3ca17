"""The lines of `/` of several processes; those of one are in test_views.py."""

from collections.abc import Iterator

import pytest
import time_machine

from powerlog.monitoring.health import Health, lines, well
from powerlog.writer.histogram import WITHIN_S

NOW = 1_750_000_000.0


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def process(pid: int, **known: object) -> Health:
    """A process that has nothing, but what is said here."""
    counts = dict.fromkeys(
        (
            "devices",
            "silent",
            "guests",
            "frames",
            "texts",
            "written",
            "waiting",
            "lost",
            "losers",
            "spooled",
        ),
        0,
    )
    times = ("waiting_since", "spooled_since", "asking_since", "failing_since", "last_write_at")
    words = ("kinds", "bad_frames", "refused", "by_source", "rejected")
    writes = {"write_counts": [0] * (len(WITHIN_S) + 1), "write_s": 0.0}
    nothing = counts | dict.fromkeys(times) | {word: {} for word in words} | writes
    told = nothing | {"pid": pid, "place": str(pid), "at": 0.0, "spool_fails": False} | known
    return Health(**told)


def test_the_counts_of_all_are_added_up_and_each_has_a_line() -> None:
    one = process(
        4711,
        devices=5012,
        frames=70,
        bad_frames={"not JSON": 1, "too long": 2},
        waiting=12,
        spooled=3,
        spooled_since=NOW - 9,
    )
    two = process(4712, devices=1, frames=7, bad_frames={"not JSON": 2}, waiting=1)
    shown = lines([one, two], 3)
    assert shown["devices connected"] == 5013
    assert (shown["frames"], shown["bad frames"]) == (77, "5 (3 not JSON, 2 too long)")
    assert (shown["rows waiting"], shown["spool"]) == (13, "3 rows, the oldest 9 s old")
    assert list(shown.items())[-3:] == [
        ("processes", "2 of 3"),
        ("process 4711", "5012 devices, 12 rows waiting, spool 3 rows, the oldest 9 s old"),
        ("process 4712", "1 device, 1 row waiting, spool empty"),
    ]


def test_a_disk_that_takes_nothing_is_said_whatever_waits_there() -> None:
    full = process(4711, spool_fails=True)
    assert lines([process(1), full])["spool"] == "empty, the disk takes nothing"
    full = process(4711, spool_fails=True, spooled=1, spooled_since=NOW - 9)
    assert lines([full])["spool"] == "1 row, the oldest 9 s old, the disk takes nothing"


def test_how_many_addresses_have_lost_rows_is_said_where_there_are_any() -> None:
    assert "addresses with rows lost" not in lines([process(1, lost=7)])  # to a damaged disk
    both = [process(1, lost=7, losers=1), process(2, lost=5, losers=3)]
    assert (lines(both)["rows lost"], lines(both)["addresses with rows lost"]) == (12, 3)


def test_one_process_alone_has_no_line_of_its_own() -> None:
    assert list(lines([process(4711)]))[-1] == "last write"


def test_the_database_is_as_it_is_for_whom_it_is_worst() -> None:
    idle = process(1)
    well = process(2, last_write_at=NOW - 2)
    before = process(3, last_write_at=NOW - 30, asking_since=NOW - 1)
    assert lines([idle], 4)["last write"] == "none yet"
    assert lines([idle, before, well], 4)["last write"] == "ok, 2 s ago"
    failing = [process(4, failing_since=NOW - ago_s, last_write_at=NOW) for ago_s in (5, 9)]
    failed = "failed, the database has taken no rows for 9 s"
    assert lines([well, *failing, idle], 4)["last write"] == failed
    hanging = [process(5, asking_since=NOW - ago_s) for ago_s in (12, 11)]
    hangs = "the database has not answered for 12 s"
    assert lines([well, *failing, *hanging], 4)["last write"] == hangs


def test_the_size_of_the_data_is_said_by_whoever_knows_it() -> None:
    unknown, known = process(1), process(2, data="1.4 GB, 12 MB a day")
    assert "data" not in lines([unknown])
    assert lines([unknown, known])["data"] == "1.4 GB, 12 MB a day"


def test_who_waits_for_staff_is_said_where_there_is_anybody() -> None:
    assert "devices waiting for staff" not in lines([process(1)])
    assert lines([process(1, guests=2), process(2, guests=1)])["devices waiting for staff"] == 3


def test_numbers_that_are_texts_are_counted_where_there_are_any() -> None:
    assert "values that are text" not in lines([process(1)])
    assert lines([process(1, texts=2), process(2, texts=5)])["values that are text"] == 7


def test_who_is_read_more_slowly_is_said_where_there_was_anybody() -> None:
    assert "read more slowly" not in lines([process(1, slowed_s=0.4)])
    gone, both = process(1, slowed_s=70.7), process(2, slowed=2, slowed_s=3.0)
    assert lines([gone])["read more slowly"] == "0 addresses now, 71 s in all"
    shown = lines([process(1, slowed=1, slowed_s=70.7), both])
    assert shown["read more slowly"] == "2 addresses now, 74 s in all"
    assert lines([process(1, slowed=1)])["read more slowly"] == "1 address now, 0 s in all"


def test_a_stranger_is_told_whether_all_is_well() -> None:
    good = process(1, asking_since=NOW - 1, last_write_at=NOW)
    assert well([good])
    assert not well([good], 2)
    assert not well([good, process(2, failing_since=NOW - 1)], 2)
    assert not well([good, process(2, asking_since=NOW - 11)], 2)
    assert not well([good, process(2, spool_fails=True)], 2)
    assert not well([good, process(2, stuck={"registry": "no round for 75 s"})], 2)
