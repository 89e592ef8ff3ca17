"""Day totals as running sums: whatever order runs arrive in, they are what the table gives."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from django.db import connections
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from powerlog.core.days import Calendar
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due
from powerlog.database.day_totals import Spell, account_runs
from powerlog.database.rebuild import meters, rebuild
from powerlog.database.store import store
from powerlog.models import DayTotal, PowerLog
from powerlog.models import Run as RunRow
from tests.support.doubles import sample
from tests.support.frames import PUMP, T0
from tests.support.line import SWITCH

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])
HOUR, DAY = 3600.0, 86_400.0
# Days whose clocks change, by an hour and by half an hour, and one of 24 hours.
MORNINGS = (
    datetime(2025, 3, 29, 9, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(2025, 10, 25, 9, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(2025, 4, 5, 9, tzinfo=ZoneInfo("Australia/Lord_Howe")),
    datetime(2025, 6, 15, 9, tzinfo=ZoneInfo("UTC")),
)
SECONDS = st.sampled_from([0.0, 0.02, 0.123456, 59.5, 600.0, HOUR, 9 * HOUR, 20 * HOUR, 2.5 * DAY])


class Life(NamedTuple):
    """Runs as they are reported, in the order of what happens."""

    runs: list[RunState]
    zone: str


def reported(run: RunState, end: float, watts: float, zone: str, ends: bool) -> Iterator[RunState]:
    """A run as a sampler reports it, from its start to the last word of its counter."""
    copy, start = msgspec.structs.replace, run.started_at
    yield copy(run, starts=1)

    def used(ts: float) -> float:
        return (ts - start) * watts / 3600

    known: tuple[tuple[float, float], ...] = ()
    yield copy(run, booked_wh=used(start + 1), counter_wh=100.0 + used(start + 1))
    for midnight in Calendar(zone).midnights(start, end):
        known += ((midnight, used(midnight)),)
        open_run = copy(run, at_midnights=known, booked_wh=used(midnight + 1), peak_w=watts)
        yield open_run
        yield copy(open_run, heard_at=min(end, midnight + 60))
    if ends:
        ended = copy(run, at_midnights=known, ended_at=end, end="stopped", peak_w=1.1 * watts)
        for share in (0.9, 1.0):  # the counter speaks once more after the end
            wh = used(end) * share
            yield copy(ended, booked_wh=wh, counter_wh=100.0 + wh)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Runs of two channels, one after the other on each."""
    morning = draw(st.sampled_from(MORNINGS))
    runs: list[RunState] = []
    for channel in draw(st.sampled_from([[SWITCH], [SWITCH, "em:0:a"]])):
        at, number = morning.timestamp(), draw(st.integers(1, 4))
        for each in range(number):
            at += draw(SECONDS) + 1e-6
            end, watts = at + draw(SECONDS), draw(st.sampled_from([6.0, 333.3, 2_000.0]))
            run = RunState(
                PUMP, channel, at, watts, 100.0, starts=draw(st.sampled_from([1, 1, 40]))
            )
            ends = each < number - 1 or draw(st.booleans())
            runs += reported(run, end, watts, morning.tzinfo.key, ends)
            at = end
    return Life(runs, morning.tzinfo.key)


def rows_of(life: Life) -> list[Due]:
    """A minute here and there: a run whose end was lost ends at the last one."""
    minutes = {int(run.started_at // 600 * 10) for run in life.runs}
    return [sample(minute - T0 // 60, 500.0) for minute in minutes]


def pieces(draw: st.DrawFn, due: Sequence[Due]) -> Iterator[list[Due]]:
    at = 0
    while at < len(due):
        size = draw(st.integers(1, 6))
        yield list(due[at : at + size])
        at += size


def cleared() -> None:
    for table in (DayTotal, RunRow, PowerLog):
        table.objects.all().delete()


def totals() -> dict[tuple[Any, ...], tuple[float, ...]]:
    """Of days on which anything ran: starts, seconds, Wh, and the peak."""
    return {
        (each.device_id, each.channel, each.day): (
            each.runs,
            each.run_s,
            each.energy_wh,
            each.peak_w,
        )
        for each in DayTotal.objects.all()
        if each.runs or each.run_s or each.energy_wh
    }


def assert_right(peaks: bool = True) -> None:
    """The running sums are those of the table, by either way to compute them."""
    kept = totals()
    account_runs(
        [
            Spell(run.device_id, run.channel, run.started_at.timestamp(), last(run))
            for run in RunRow.objects.all()
        ]
    )
    accounted = totals()
    DayTotal.objects.all().delete()
    for meter in meters():
        rebuild(*meter)
    rebuilt = totals()
    for computed in (accounted, rebuilt):
        assert computed.keys() == kept.keys()
        for day, total in computed.items():
            assert total[:3] == pytest.approx(kept[day][:3], rel=1e-6, abs=1e-6)
    if peaks:
        assert rebuilt == kept


def last(run: RunRow) -> float:
    return max([(run.ended_at or run.started_at).timestamp(), *(ts for ts, _ in run.midnights)])


def properties(examples: int) -> settings:
    return settings(
        max_examples=examples, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )


@properties(50)
@given(lives(), st.data())
def test_what_is_reported_in_order_and_again_is_what_the_table_gives(
    life: Life, data: st.DataObject
) -> None:
    cleared()
    with override_settings(TIME_ZONE=life.zone):
        for piece in pieces(data.draw, [*rows_of(life), *life.runs]):
            for _ in range(data.draw(st.integers(1, 2))):
                store(piece)
        assert_right()


@properties(100)
@given(lives(), st.data())
def test_what_is_reported_in_any_order_is_what_the_table_gives(
    life: Life, data: st.DataObject
) -> None:
    """As two writers can mix it: everything once, some of it again."""
    cleared()
    due = [*rows_of(life), *life.runs]
    again = data.draw(st.lists(st.sampled_from(due), max_size=10))
    with override_settings(TIME_ZONE=life.zone):
        for piece in pieces(data.draw, data.draw(st.permutations([*due, *again]))):
            store(piece)
        # A run that was taken for lost may have come to lie within another day then.
        assert_right(peaks=False)


def run(start_s: float, end_s: float | None, **changes: Any) -> RunState:
    """Seconds since a morning."""
    at = MORNINGS[-1].timestamp()
    values = {"peak_w": 430.0, "counter_wh": 100.0, "booked_wh": 1.0} | changes
    ended_at, end = (None, "") if end_s is None else (at + end_s, "stopped")
    return RunState(PUMP, SWITCH, at + start_s, ended_at=ended_at, end=end, **values)


def at_once(*writers: Callable[[int], None], rounds: int = 30) -> None:
    """Let the writers do each round at the same moment, each by its own connection."""
    together, failed = threading.Barrier(len(writers)), []

    def work(write: Callable[[int], None]) -> None:
        try:
            for each in range(rounds):
                together.wait(20)
                write(each)
        except BaseException as exc:  # noqa: BLE001 (whatever it is, the test must see it)
            failed.append(exc)
            together.abort()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=[write]) for write in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_two_writers_with_the_same_runs_at_the_same_moment_count_them_once() -> None:
    def write(each: int) -> None:
        first, second = 200.0 * (each // 2), 200.0 * (each // 2) + 100
        if each % 2 == 0:
            store([run(first, None, booked_wh=0.0), run(second, second + 5)])
        else:
            store([run(first, first + 50), run(second + 20, second + 27)])

    at_once(write, write, rounds=40)
    (total,) = totals().values()
    assert total == (60, 20 * 62.0, 60.0, 430.0)
    assert_right()


def test_two_writers_with_the_same_midnights_at_the_same_moment_count_them_once() -> None:
    midnight = MORNINGS[-1].timestamp() + 15 * HOUR
    midnights = [(midnight + day * DAY, 10.0 * (day + 1)) for day in range(20)]

    def write(each: int) -> None:
        store([run(0.0, None, at_midnights=tuple(midnights[: each + 1]))])

    at_once(write, write, rounds=20)
    by_day = DayTotal.objects.order_by("day").values_list("runs", "run_s", "energy_wh")
    assert list(by_day) == [(1, 15 * HOUR, 10.0), *[(0, DAY, 10.0)] * 19, (0, 0.0, 0.0)]


def test_two_writers_that_open_runs_of_a_channel_at_the_same_moment_leave_one_open() -> None:
    def write(shift_s: float) -> Callable[[int], None]:
        return lambda each: store([run(100.0 * each + shift_s, None)])

    at_once(write(0.0), write(20.0))
    runs = RunRow.objects.order_by("started_at")
    assert [row.end for row in runs] == ["lost contact"] * 59 + [""]
    assert_right()


def test_a_peak_that_was_reported_stays_when_an_old_report_comes_later() -> None:
    store([run(0, None, peak_w=500.0)])
    store([run(0, None, peak_w=430.0)])
    store([run(0, 5.0, peak_w=430.0)])
    assert RunRow.objects.get().peak_w == DayTotal.objects.get().peak_w == 500.0


def test_energy_grows_evenly_between_the_midnights_that_are_known() -> None:
    """Those of another time zone, after TIME_ZONE was changed."""
    start = MORNINGS[-1].timestamp() + 3 * HOUR  # noon
    known = ((start + 10 * HOUR, 100.0), (start + 34 * HOUR, 100.0))
    ended = RunState(
        PUMP, SWITCH, start, 430.0, 100.0, 900.0, 0.0, start + 44 * HOUR, "stopped", None, known
    )
    store([ended])
    by_day = [each.energy_wh for each in DayTotal.objects.order_by("day")]
    assert by_day == [100.0, pytest.approx(800.0 / 5), pytest.approx(800.0 * 4 / 5)]
