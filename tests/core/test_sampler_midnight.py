"""Rules 12 and 13: what a run had used at midnight, and what staff want of a channel."""

import pytest

from powerlog.core.channel_state import Own, Snapshot
from powerlog.core.run_state import RunState
from tests.support.frames import PUMP
from tests.support.line import SWITCH, Line

# T0 is 15:07 UTC on 15 June 2025; so many seconds later it is midnight in Berlin.
MIDNIGHT = 6 * 3600 + 53 * 60


def pump(line: Line, at_s: float, watts: float = 360.0, total: float | None = None) -> None:
    line.says(MIDNIGHT + at_s, apower_w=watts, energy_total_wh=total)


def parts(run: RunState) -> list[tuple[float, float]]:
    """Seconds from our midnight, and Wh, of each midnight of the run."""
    return [(at - 1_750_000_020 - MIDNIGHT, round(wh, 3)) for at, wh in run.midnights]


@pytest.fixture
def line() -> Line:
    return Line(time_zone="Europe/Berlin")


def test_rule_12_a_run_says_what_it_had_used_at_midnight(line: Line) -> None:
    pump(line, -30, total=1000.0)
    pump(line, 30, total=1007.0)  # 3 of the 6 Wh that it claims, so half of the 7
    assert parts(line.runs[0]) == [(0.0, 3.5)]
    pump(line, 60, watts=0.0, total=1010.0)
    (run,) = line.runs
    assert parts(run) == [(0.0, 3.5)]
    assert run.energy_wh == pytest.approx(10.0)


def test_rule_12_a_run_is_told_when_the_counter_has_spoken_after_midnight(line: Line) -> None:
    pump(line, -60, total=1000.0)
    pump(line, -1, total=1006.0)
    told = len(line.told)
    pump(line, 10)
    assert len(line.told) == told
    pump(line, 60, total=1012.0)
    assert parts(line.told[told]) == [(0.0, pytest.approx(6.1, abs=0.01))]


def test_rule_12_at_midnight_itself_the_new_day_begins(line: Line) -> None:
    pump(line, -60, total=1000.0)
    pump(line, 0, total=1006.0)
    assert parts(line.runs[0]) == [(0.0, 6.0)]


def test_rule_12_just_before_midnight_it_is_still_the_old_day(line: Line) -> None:
    pump(line, -2e-7, total=1000.0)  # nearer than datetime can say
    pump(line, 60, total=1006.0)
    assert parts(line.runs[0]) == [(0.0, 0.0)]


def test_rule_12_without_a_counter_it_is_what_was_claimed(line: Line) -> None:
    pump(line, -30)
    pump(line, 30)
    pump(line, 60, watts=0.0)
    (run,) = line.runs
    assert parts(run) == [(0.0, 3.0)]
    assert run.energy_wh == pytest.approx(9.0)


def test_rule_12_a_carried_gap_over_midnight_is_divided(line: Line) -> None:
    pump(line, -120, total=1000.0)
    pump(line, 120, total=1024.0)
    assert "carried" in line.sources
    assert parts(line.runs[0]) == [(0.0, 12.0)]


def test_rule_12_a_run_may_pass_many_midnights_and_a_changing_clock() -> None:
    line = Line(time_zone="America/St_Johns")
    hour = 3600
    for number in range(72):
        line.says(number * hour, apower_w=360.0, energy_total_wh=360.0 * number)
    (run,) = line.runs
    assert [wh for _, wh in run.midnights] == pytest.approx(
        [360 * (at - run.started_at) / hour for at, _ in run.midnights]
    )
    assert len(run.midnights) == 3


def test_rule_8_a_run_that_goes_on_keeps_its_midnights(line: Line) -> None:
    pump(line, -30, total=1000.0)
    pump(line, 30, total=1007.0)
    (left,) = line.sampler.leave()
    later = Line(Snapshot(line.rows[-1], left), time_zone="Europe/Berlin")
    pump(later, 90, watts=0.0, total=1013.0)
    assert parts(later.runs[0]) == [(0.0, 3.5)]


def test_rule_8_a_midnight_of_which_no_counter_spoke_is_left_as_claimed(line: Line) -> None:
    pump(line, -30, total=1000.0)
    pump(line, 30)
    (left,) = line.sampler.leave()
    assert parts(left) == [(0.0, 3.0)]
    assert left.claims_at_midnights == ()


def own(**values: object) -> dict[tuple[str, str], Own]:
    return {(PUMP, SWITCH): Own(**values)}


def test_rule_13_a_channel_has_its_own_threshold_from_the_next_reading_on(line: Line) -> None:
    line.says(0, apower_w=20.0)
    line.sampler.own = own(power_threshold_w=50.0)
    line.says(60, apower_w=20.0)
    line.says(120, apower_w=60.0)
    line.sampler.own = {}
    line.says(180, apower_w=6.0)
    assert line.minutes == [0, 2, 3]
    assert [span[1] for span in line.spans] == [60, None]


def test_rule_13_a_channel_that_is_switched_off_is_not_there(line: Line) -> None:
    line.says(0, apower_w=20.0)
    line.says(30, apower_w=21.0)
    line.sampler.own = own(logged=False)
    line.says(60, apower_w=20.0)
    line.says(60, apower_w=20.0, channel="switch:1")
    assert line.minutes == [0, 1]
    assert line.spans[0] == (0, 30, "lost contact")
    line.sampler.own = {}
    line.says(600, apower_w=20.0)
    assert line.minutes == [0, 1, 10]  # and the time between is not filled
