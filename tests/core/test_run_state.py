"""Runs to the second, and their energy from the counter: rules 11 and 12 of sampler.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerlog.core.frame import MinuteRecord
from powerlog.core.run_state import Ledger, RunState
from tests.support.frames import PUMP, T0
from tests.support.line import SWITCH, Line


def energies(line: Line) -> list[float]:
    return [round(run.energy_wh, 6) for run in line.runs]


def test_rule_12_a_run_lasts_from_the_first_active_to_the_first_inactive_reading() -> None:
    line = Line()
    line.says(0, apower_w=0.0)
    line.says(10.5, output=True)
    line.says(11.25, apower_w=430.0)
    line.says(60, apower_w=431.0)
    line.says(75.5, apower_w=0.0, output=False)
    line.says(120, apower_w=0.0)
    assert line.spans == [(11.25, 75.5, "stopped")]


def test_rule_12_it_is_told_when_it_starts_and_when_it_ends() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    assert [(run.ended_at, run.end) for run in line.told] == [(None, "")]
    line.says(20, apower_w=0.0)
    assert [(run.ended_at, run.end) for run in line.told[1:]] == [(T0 + 20, "stopped")]


def test_rule_12_a_pump_that_is_off_for_two_seconds_has_two_runs() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    line.says(36, apower_w=0.0)
    line.says(38, output=True)
    line.says(39, apower_w=433.0)
    assert line.spans == [(0, 36, "stopped"), (39, None, "")]


def test_rule_12_a_delta_without_apower_does_not_end_it() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    line.says(20, current_a=2.5)
    assert line.spans == [(0, None, "")]


def test_rule_12_the_peak_is_the_highest_power_and_the_mean_comes_from_the_energy() -> None:
    line = Line()
    line.says(0, apower_w=400.0, energy_total_wh=10.0)
    line.says(60, apower_w=520.0, energy_total_wh=17.0)
    line.says(120, apower_w=0.0, energy_total_wh=25.0)
    (run,) = line.runs
    assert (run.peak_w, run.energy_wh, run.mean_w) == (520.0, 15.0, 450.0)


def test_rule_12_the_counter_settles_a_run_after_its_end() -> None:
    line = Line()
    line.says(0, apower_w=360.0, energy_total_wh=10.0)
    line.says(30, apower_w=0.0)
    assert energies(line) == [3.0]  # by its power, until the counter speaks
    line.says(60, apower_w=0.0, energy_total_wh=13.2)
    assert energies(line) == [3.2]
    line.says(120, apower_w=0.0, energy_total_wh=99.0)
    assert energies(line) == [3.2]


def test_rule_12_what_one_rise_covers_is_divided_by_power_and_time() -> None:
    line = Line()
    line.says(0, apower_w=360.0, energy_total_wh=10.0)
    line.says(10, apower_w=0.0)
    line.says(20, apower_w=360.0)
    line.says(40, apower_w=0.0)
    line.says(60, apower_w=0.0, energy_total_wh=13.6)
    assert energies(line) == [1.2, 2.4]


def test_rule_12_what_is_used_while_nothing_runs_belongs_to_no_run() -> None:
    line = Line()
    line.says(0, apower_w=4.0, energy_total_wh=10.0)
    line.says(60, apower_w=360.0, energy_total_wh=10.1)
    line.says(120, apower_w=0.0, energy_total_wh=16.1)
    assert energies(line) == [6.0]


def test_rule_12_without_a_counter_the_energy_is_that_of_the_known_power() -> None:
    line = Line()
    line.says(0, apower_w=360.0)
    line.says(30, apower_w=720.0)
    line.says(60, apower_w=0.0)
    assert energies(line) == [9.0]


@pytest.mark.parametrize("total", [0.0, 4.0, 9.9], ids=["reset", "reset a while ago", "step back"])
def test_rule_11_a_falling_counter_is_neither_negative_nor_a_spike(total: float) -> None:
    line = Line()
    line.says(0, apower_w=360.0, energy_total_wh=10.0)
    line.says(60, apower_w=360.0, energy_total_wh=total)
    line.says(120, apower_w=0.0, energy_total_wh=total + 6.0)
    assert energies(line) == [12.0]


def test_rule_11_the_return_to_the_grid_is_not_used() -> None:
    line = Line()
    line.says(0, apower_w=360.0, energy_total_wh=10.0, returned_wh=5.0)
    line.says(60, apower_w=0.0, energy_total_wh=17.0, returned_wh=6.0)
    assert energies(line) == [6.0]


def test_rule_12_a_bridged_gap_belongs_to_the_run_with_its_energy() -> None:
    line = Line()
    line.says(0, apower_w=360.0, energy_total_wh=10.0)
    line.says(240, apower_w=360.0, energy_total_wh=34.5)
    line.says(300, apower_w=0.0, energy_total_wh=40.5)
    assert line.spans == [(0, 300, "stopped")]
    assert energies(line) == [30.5]


def test_rule_12_the_energy_of_an_unknown_time_is_no_runs_not_even_a_later_one() -> None:
    line = Line()
    line.says(0, apower_w=360.0, energy_total_wh=10.0)
    line.says(3600, apower_w=360.0)  # without a counter: the rise comes a minute later
    line.says(3660, apower_w=360.0, energy_total_wh=510.0)
    line.says(3720, apower_w=0.0, energy_total_wh=516.5)
    assert line.spans == [(0, 0, "lost contact"), (3600, 3720, "stopped")]
    assert energies(line) == [0.0, 12.5]


def test_rule_12_the_devices_minutes_start_and_end_runs_on_the_minute() -> None:
    line = Line()
    line.says(50, apower_w=360.0, energy_total_wh=10.0)
    minutes = (0.0, 6000.0, 0.0)
    line.says(245, apower_w=0.0, energy_total_wh=17.0, record=MinuteRecord(T0 + 240, minutes))
    assert line.spans == [(50, 60, "stopped"), (120, 180, "stopped")]
    assert sum(energies(line)) == 7.0


def test_rule_2_a_late_reading_ends_a_run_when_time_had_come_to() -> None:
    line = Line()
    line.says(50, apower_w=430.0)
    line.says(70, apower_w=430.0)
    line.says(69, apower_w=0.0)
    assert line.spans == [(50, 70, "stopped")]


def test_rule_2_a_run_does_not_outlast_a_clock_that_is_set_back() -> None:
    line = Line()
    line.says(3600, apower_w=430.0)
    line.says(3630, apower_w=430.0)
    line.says(0, apower_w=430.0)
    assert line.spans == [(0, None, ""), (3600, 3630, "lost contact")]


def test_the_open_run_is_told_again_when_the_counter_starts_anew() -> None:
    line = Line()
    line.says(0, apower_w=360.0, energy_total_wh=10.0)
    line.says(60, apower_w=360.0, energy_total_wh=0.0)
    assert (line.told[-1].energy_wh, line.told[-1].counter_wh) == (6.0, 0.0)


def test_the_open_run_is_told_again_when_the_counter_first_speaks_of_it() -> None:
    line = Line()
    line.says(0, apower_w=360.0, energy_total_wh=10.0)
    line.says(20, apower_w=0.0)
    line.says(40, apower_w=360.0)
    line.says(60, apower_w=360.0, energy_total_wh=14.4)  # a little more than its power says
    open_run = line.runs[1]
    assert (open_run.energy_wh, open_run.counter_wh) == (pytest.approx(2.2), 14.4)
    line.says(120, apower_w=360.0, energy_total_wh=20.4)
    assert line.runs[1] is open_run, "and then not every minute"


def test_a_moment_is_a_run_with_its_power_as_mean() -> None:
    assert RunState(PUMP, SWITCH, T0, 430.0, ended_at=T0, end="lost contact").mean_w == 430.0


rises = st.lists(st.tuples(st.floats(0, 50), st.integers(0, 3)), max_size=20)


@given(rises)
def test_what_the_counter_rose_by_while_active_is_what_the_runs_have(
    steps: list[tuple[float, int]],
) -> None:
    ledger, total, runs, at = Ledger(), 0.0, {}, 0.0
    expected = 0.0
    for rise, stops in steps:
        for _ in range(stops):
            at += 1.0
            for run in ledger.stop(at, "stopped"):
                runs[run.started_at] = run
        if ledger.open is None:
            run = ledger.start(RunState(PUMP, SWITCH, at, 100.0, total))
            runs[run.started_at] = run
        ledger.use(100.0, 5.0)
        at += 5.0
        total += rise
        expected += rise
        for run in ledger.book(rise, total):
            runs[run.started_at] = run
    for run in ledger.stop(at, "stopped"):
        runs[run.started_at] = run
    assert sum(run.energy_wh for run in runs.values()) == pytest.approx(expected, abs=1e-6)
