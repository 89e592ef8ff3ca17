"""The history of one device goes on under another: rows, runs and day totals, in any pieces."""

from datetime import date

import msgspec
import pytest

from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due
from powerlog.database.store import store
from powerlog.joining import history
from powerlog.models import DayTotal, PowerLog
from powerlog.models import Run as RunRow
from tests.database.test_day_totals import HOUR, lived
from tests.support.two_devices import (
    DAY,
    NEW,
    NOTHING,
    OLD,
    ONE,
    days,
    device,
    everything,
    joined,
    live,
    minutes,
    moment,
    moment_of,
    planned,
    run,
    totals_by_rows_and_runs,
    two,
)
from tests.support.two_devices import berlin_at_noon as berlin_at_noon
from tests.support.two_devices import user as user

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "writer"]),
    pytest.mark.usefixtures("berlin_at_noon"),
]


def a_life(seed: int) -> tuple[list[Due], float]:
    """A day of a device, and a moment about the middle of it at which nothing runs."""
    due = lived(seed, "Europe/Berlin")
    ended = {(each.channel, each.started_at): each for each in due if isinstance(each, RunState)}
    runs = [(each.started_at, (each.ended_at or each.started_at) + 60) for each in ended.values()]
    middle = sorted(map(moment_of, due))[len(due) // 2]
    cuts = sorted([middle, *(end for _, end in runs if end > middle)])
    return due, next(cut for cut in cuts if not any(start < cut < end for start, end in runs))


@pytest.mark.parametrize("seed", [3, 5])  # all of their runs end
def test_what_is_joined_is_what_one_device_would_have_lived(
    user: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AT_ONCE", 100)
    due, cut = a_life(seed)
    live(due, cut)
    device(OLD, 0, 1), device(NEW, 2, 3)
    before = everything(OLD)
    assert len(before["rows"]) > 100
    assert len(before["runs"]) > 10
    moved = joined(user)
    assert (moved.minutes, moved.runs) == (len(before["rows"]), len(before["runs"]))
    assert everything(OLD) == NOTHING
    assert not DayTotal.objects.filter(device_id=OLD).exists()
    assert everything(NEW) == everything(ONE)


def test_a_day_of_both_has_the_sum_of_both(user: int) -> None:
    two()
    store([*minutes(OLD, 2 * DAY - 600, 20, source="carried"), run(OLD, 2 * DAY - 600, 2 * DAY)])
    evening = 2 * DAY + 20 * HOUR
    store([*minutes(NEW, evening, 5, apower_w=600.0), run(NEW, evening, evening + 300)])
    joined(user)
    assert days(NEW) == [
        ("switch:2", date(2025, 6, 17), 10, 10, 1, 600.0, 100.0, 430.0),
        ("switch:2", date(2025, 6, 18), 15, 10, 1, 300.0, 100.0, 600.0),
    ]


def test_totals_of_days_whose_rows_were_deleted_are_kept_to_the_minute(user: int) -> None:
    two()
    store([*minutes(OLD, 0, 30), run(OLD, 0, 1800), *minutes(OLD, DAY, 30), run(OLD, DAY, DAY + 9)])
    store([*minutes(NEW, 2 * DAY + HOUR, 30)])
    store([*minutes(NEW, 0, 1), *minutes(OLD, DAY + HOUR, 10)])  # a late one, and a long day
    before = [days(OLD), days(NEW)]
    # The first day is gone, the second half-way: as a command leaves it that was interrupted.
    PowerLog.objects.filter(timestamp__lt=moment(DAY + 15 * 60)).delete()
    joined(user)
    (first, second), (late, third) = before
    assert days(NEW) == [(*first[:2], first[2] + late[2], *first[3:]), second, third]


def test_of_minutes_that_both_have_those_of_the_new_device_stay(user: int) -> None:
    two()
    store([*minutes(OLD, 0, 10, source="device", apower_w=300.0)])
    store([*minutes(NEW, 240, 2, apower_w=200.0)])
    assert planned().shared == 2
    moved = joined(user)
    assert (moved.minutes, moved.left_out) == (8, 2)
    watts = [each[2] for each in everything(NEW)["rows"]]
    assert watts == [300.0] * 4 + [200.0] * 2 + [300.0] * 4
    assert days(NEW)[0][2:4] == (10, 8)
    assert totals_by_rows_and_runs(NEW) == days(NEW)


def test_a_run_that_both_have_stays_once_as_the_one_that_knows_more(user: int) -> None:
    two()
    lost = {"end": "lost contact", "booked_wh": 60.0, "counter_wh": 60.0}
    store([run(NEW, 0, 300, **lost), run(NEW, DAY, DAY + 60)])
    store([run(OLD, 0, 600), run(OLD, DAY, DAY + 50, **lost)])
    joined(user)
    assert [each[3:6:2] for each in everything(NEW)["runs"]] == [(100.0, "stopped")] * 2
    assert [each[4:7] for each in days(NEW)] == [(1, 600.0, 100.0), (1, 60.0, 100.0)]


def test_a_run_that_stands_for_several_starts_moves_with_all_of_them(user: int) -> None:
    two()
    store([*minutes(OLD, 0, 5), run(OLD, 0, 60, starts=40), run(OLD, 240, None, starts=12)])
    joined(user)
    moved = RunRow.objects.filter(device_id=NEW).order_by("started_at")
    assert [each.starts for each in moved] == [40, 12]
    assert days(NEW)[0][4] == 52
    assert totals_by_rows_and_runs(NEW) == days(NEW)


def test_an_open_run_ends_as_lost_contact_when_it_was_heard_last(user: int) -> None:
    old, _ = two()
    left = run(OLD, 2 * DAY - 600, None, heard_at=old.last_seen_at.timestamp())
    store([*minutes(OLD, 2 * DAY - 600, 10), left])
    assert planned().parts[0].running
    joined(user)
    ((_, start, end, energy, _, how, _),) = everything(NEW)["runs"]
    assert (start, end, how) == (moment(2 * DAY - 600), moment(2 * DAY), "lost contact")
    assert energy == 100.0
    assert days(NEW)[0][4:7] == (1, 600.0, 100.0)


def test_an_open_run_that_a_killed_process_left_goes_as_far_as_its_rows(user: int) -> None:
    two()
    store([run(OLD, 0, None, booked_wh=0.0, peak_w=400.0)])
    store(minutes(OLD, 0, 5, apower_w=440.0, energy_total_wh=130.0))
    joined(user)
    ((_, _, end, energy, peak_w, how, _),) = everything(NEW)["runs"]
    assert (end, energy, peak_w, how) == (moment(240), 30.0, 440.0, "lost contact")


def test_an_open_run_behind_later_ones_ends_before_them(user: int) -> None:
    two()
    store([*minutes(OLD, 0, 5), *minutes(OLD, HOUR, 5), run(OLD, HOUR, HOUR + 300)])
    store([run(OLD, 0, None)])
    RunRow.objects.filter(started_at=moment(0)).update(ended_at=None, end="")
    joined(user)
    assert [each[2] for each in everything(NEW)["runs"]] == [moment(240), moment(HOUR + 300)]
    assert totals_by_rows_and_runs(NEW) == days(NEW)


def test_an_open_run_without_any_row_ends_where_it_was_heard_or_began(user: int) -> None:
    two()
    store([run(OLD, 0, None), msgspec.structs.replace(run(OLD, 0, None), channel="switch:1")])
    RunRow.objects.filter(channel="switch:2").update(heard_at=moment(90))
    joined(user)
    assert [each[2] for each in everything(NEW)["runs"]] == [moment(0), moment(90)]


def test_the_open_run_of_the_new_device_goes_on(user: int) -> None:
    two()
    store([*minutes(OLD, 0, 5), run(OLD, 0, None)])
    store([*minutes(NEW, 10 * DAY, 5), run(NEW, 10 * DAY, None)])
    joined(user)
    ends = [(each[2], each[5]) for each in everything(NEW)["runs"]]
    assert ends == [(moment(240), "lost contact"), (None, "")]
    store([*minutes(NEW, 10 * DAY + 300, 1), run(NEW, 10 * DAY, 10 * DAY + 400)])
    assert everything(NEW)["runs"][-1][2] == moment(10 * DAY + 400)


def test_a_run_of_weeks_counts_on_all_of_its_days(user: int) -> None:
    device(OLD, -20 * DAY, 0), device(NEW, HOUR, DAY)
    nights: tuple[tuple[float, float], ...] = ()
    for each in range(19, 0, -1):
        nights = (*nights, (moment(-each * DAY).timestamp(), 100.0 * (20 - each)))
        store([run(OLD, -20 * DAY, None, at_midnights=nights)])
    store([run(OLD, -20 * DAY, -HOUR, at_midnights=nights, booked_wh=2000.0)])
    before = days(OLD)
    assert len(before) == 20
    joined(user)
    assert days(NEW) == before
