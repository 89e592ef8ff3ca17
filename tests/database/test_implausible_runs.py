"""Runs that are booked with too much: what is found, what is put right, and what is left alone.

Each case is compared with the same past as it would be if it had been booked rightly.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext
from psycopg.errors import DeadlockDetected

from powerlog.core.energy_bounds import most_wh
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Sample
from powerlog.database import implausible_runs
from powerlog.database.day_totals import account_runs
from powerlog.database.implausible_runs import Overbooked, find, repair
from powerlog.database.store import WRITER, store
from powerlog.models import DayTotal, PowerLog
from powerlog.models import Run as RunRow
from tests.database.test_day_totals import HOUR, MIDNIGHT, run, totals
from tests.database.test_day_totals import berlin as berlin
from tests.support.doubles import sample

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", WRITER])
DAY = 24 * HOUR
NOW = MIDNIGHT + 40 * DAY
SPIKE = 81_271.0
WATTS = 360.0  # 6 Wh a minute


def minutes(start_s: float, end_s: float, apower_w: float = WATTS) -> list[Sample]:
    """The rows of a run between these seconds from midnight."""
    return [
        msgspec.structs.replace(sample(0), ts=int(MIDNIGHT + at), apower_w=apower_w)
        for at in range(int(start_s // 60) * 60, int(end_s), 60)
    ]


def found() -> list[Overbooked]:
    return [each for _, wrong in find(RunRow.objects.all(), NOW) for each in wrong]


def repaired(*, by_peak: bool = False) -> int:
    return len(repair(found(), by_peak=by_peak))


def runs() -> list[tuple[Any, ...]]:
    columns = ("started_at", "ended_at", "energy_wh", "mean_w", "peak_w", "midnights", "end")
    return list(RunRow.objects.order_by("started_at").values_list(*columns))


def as_if_right(due: Iterable[RunState | Sample]) -> tuple[Any, Any]:
    """Runs and day totals of this past, which takes the place of what is in the database."""
    for model in (RunRow, PowerLog, DayTotal):
        model.objects.all().delete()
    store(list(due))
    return runs(), totals()


def test_a_spike_becomes_the_integral_of_the_known_power() -> None:
    before, after = run(-HOUR, -HOUR + 60, booked_wh=6.0), run(600, 660, booked_wh=6.0)
    rows = minutes(0, 121)
    store([*rows, before, run(0, 121, booked_wh=SPIKE), after])
    (wrong,) = found()
    assert (wrong.run.energy_wh, round(wrong.energy_wh, 3)) == (SPIKE, 12.1)
    assert repaired() == 1
    mended = (runs(), totals())
    assert mended == as_if_right([*rows, before, run(0, 121, booked_wh=12.1), after])
    assert found() == []


@pytest.mark.parametrize("wh", [-5.0, float("inf")])
def test_less_than_nothing_and_what_is_no_number_is_wrong_too(wh: float) -> None:
    rows = minutes(0, 120)
    store([*rows, run(0, 120, booked_wh=12.0)])
    RunRow.objects.update(energy_wh=wh)
    assert repaired() == 1
    assert (runs(), totals()) == as_if_right([*rows, run(0, 120, booked_wh=12.0)])


def test_too_little_is_not_judged() -> None:
    store([*minutes(0, 120), run(0, 120, booked_wh=0.0)])
    assert found() == []


def test_of_a_run_over_midnights_only_the_days_that_are_wrong_change() -> None:
    """The counter's word on the other days is better than any estimate."""
    days = [MIDNIGHT + each * DAY for each in range(3)]
    right = [(days[0], 100.0), (days[1], 8740.0), (days[2], 17_380.0)]
    wrong = [right[0], (days[1], 8740.0 + SPIKE), (days[2], 17_380.0 + SPIKE)]
    start, end = -1000, 2 * DAY + 100
    rows = minutes(start, end)
    store([*rows, run(start, end, booked_wh=17_391.0 + SPIKE, at_midnights=tuple(wrong))])
    assert repaired() == 1
    told = run(start, end, booked_wh=17_391.0, at_midnights=tuple(right))
    assert (runs(), totals()) == as_if_right([*rows, told])


def test_a_spike_that_a_long_run_could_hide_is_found_on_its_day() -> None:
    days = [MIDNIGHT + each * DAY for each in range(20)]
    at = tuple((day, 8640.0 * number + 20_000.0 * (number > 3)) for number, day in enumerate(days))
    long = run(-60, 19 * DAY + 60, booked_wh=at[-1][1] + 6.0, at_midnights=at)
    store([long])
    assert long.energy_wh < most_wh(long.peak_w * 19 * DAY, long.peak_w), (
        "as a whole it is plausible"
    )
    (wrong,) = found()
    assert [part.is_explained(430.0) for part in wrong.parts].index(False) == 4


def test_the_totals_of_all_its_days_follow_those_of_weeks_ago_too() -> None:
    days = [MIDNIGHT + each * DAY for each in range(20)]
    at = tuple(
        (day, 6.0 + 8640.0 * number + SPIKE * (number > 0)) for number, day in enumerate(days)
    )
    for passed in range(1, 21):
        store([run(-60, None, booked_wh=at[passed - 1][1], at_midnights=at[:passed])])
    end_wh = at[-1][1] + 6.0
    store([*minutes(-60, DAY), run(-60, 19 * DAY + 60, booked_wh=end_wh, at_midnights=at)])
    assert max(total[4] for total in totals().values()) == 8640.0 + SPIKE
    assert repaired() == 1
    assert [total[4] for total in totals().values()] == [6.0, *[8640.0] * 19, 6.0]
    assert runs()[0][2] == end_wh - SPIKE


def test_an_open_run_is_found_and_left_alone() -> None:
    store([*minutes(0, 120), run(0, None, booked_wh=SPIKE, heard_at=MIDNIGHT + 120)])
    before = runs()
    (wrong,) = found()
    assert (wrong.is_open, wrong.until, round(wrong.energy_wh, 3)) == (True, MIDNIGHT + 120, 12.0)
    assert repaired(by_peak=True) == 0
    assert runs() == before


def test_a_run_whose_rows_are_gone_is_repaired_by_its_peak_power_where_that_is_wanted() -> None:
    store([run(0, 120, booked_wh=SPIKE, peak_w=360.0)])
    (wrong,) = found()
    assert not wrong.has_its_rows
    assert repaired() == 0
    assert repaired(by_peak=True) == 1
    assert (runs(), totals()) == as_if_right([run(0, 120, booked_wh=12.0, peak_w=360.0)])


def test_the_rows_of_what_is_right_may_be_gone() -> None:
    at = ((MIDNIGHT, 360.0),)
    store([*minutes(0, 120), run(-HOUR, 120, booked_wh=360.0 + SPIKE, at_midnights=at)])
    assert repaired() == 1
    assert runs()[0][2] == 372.0


def test_the_rows_know_of_a_higher_power_than_a_run_that_a_killed_process_told() -> None:
    store([*minutes(0, HOUR), run(0, HOUR, booked_wh=360.0, peak_w=50.0)])
    assert found() == []
    RunRow.objects.update(energy_wh=SPIKE)
    assert repaired() == 1
    PowerLog.objects.all().delete()
    assert found() == [], "it stays right when its rows are deleted"
    assert runs()[0][2:5] == (360.0, 360.0, 360.0)


def test_the_rows_of_other_times_and_channels_explain_nothing() -> None:
    others = [
        msgspec.structs.replace(each, channel="switch:1", apower_w=9e9) for each in minutes(0, 120)
    ]
    store([*minutes(-60, 0, 9e9), *others, *minutes(180, 240, 9e9)])
    store([*minutes(0, 120), run(0, 120, booked_wh=SPIKE)])
    (wrong,) = found()
    assert round(wrong.energy_wh, 3) == 12.0


def test_no_late_word_of_the_device_takes_the_place_of_a_repaired_run() -> None:
    store([*minutes(0, 120), run(0, 120, booked_wh=SPIKE, counter_wh=SPIKE)])
    assert repaired() == 1
    mended = (runs(), totals())
    store([run(0, 120, booked_wh=SPIKE + 1.0, counter_wh=SPIKE + 1.0)])
    assert (runs(), totals()) == mended


def test_a_run_that_was_told_again_since_it_was_read_is_left_to_the_next_time() -> None:
    store([*minutes(0, 120), run(0, 120, booked_wh=SPIKE)])
    read = found()
    store([run(0, 120, booked_wh=SPIKE + 1.0, counter_wh=SPIKE)])
    assert repair(read, by_peak=False) == set()
    assert runs()[0][2] == SPIKE + 1.0
    assert repaired() == 1


@pytest.mark.parametrize("times", [1, 3])
def test_a_deadlock_with_a_collector_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    store([*minutes(0, 120), run(0, 120, booked_wh=SPIKE)])
    faults = [OperationalError("deadlock detected") for _ in range(times)]

    def account(changed: list[Any]) -> None:
        if faults:
            raise faults.pop() from DeadlockDetected()
        account_runs(changed)

    monkeypatch.setattr(implausible_runs, "account_runs", account)
    if times == 3:
        with pytest.raises(OperationalError, match="deadlock"):
            repaired()
        assert runs()[0][2] == SPIKE, "all or nothing"
    assert repaired() == 1
    assert totals()[16][4] == 12.0


def test_runs_are_read_a_page_at_a_time_and_not_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(implausible_runs, "RUNS_AT_ONCE", 2)
    rows = minutes(0, HOUR)
    store([*rows, *[run(at, at + 60, booked_wh=6.0, peak_w=1.0) for at in range(0, 300, 60)]])
    with CaptureQueriesContext(connections[WRITER]) as queries:
        pages = list(find(RunRow.objects.all(), NOW))
    assert pages == [(2, []), (2, []), (1, [])]
    assert len(queries) == 2 * 3 + 1, "each page asks once what the rows know"
