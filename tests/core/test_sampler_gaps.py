"""Gaps: what the device vouches for, what the counter proves, and what stays a gap."""

from typing import Any

import pytest

from powerlog.core.frame import MinuteRecord
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Sample, Snapshot
from tests.support.frames import PUMP, T0
from tests.support.line import SWITCH, Line


def record(at_minute: int, *mwh: float, returned: tuple[float, ...] = (0, 0, 0)) -> MinuteRecord:
    """What firmware 1.2 and later reports in this minute after T0."""
    return MinuteRecord(T0 + 60 * at_minute, mwh, returned)  # type: ignore[arg-type]


def of_power(watts: float) -> float:
    return watts / 0.06


def row(line: Line, minute: int) -> tuple[float, float, float, float, str]:
    (found,) = [row for row in line.rows if row.ts == T0 + 60 * minute]
    return (
        found.apower_w,
        found.voltage_v,
        found.current_a,
        round(found.energy_total_wh, 3),
        found.source,
    )


KNOWN: dict[str, Any] = {"apower_w": 430.0, "voltage_v": 228.0, "current_a": 2.4}


# Rule 6: the device's own minutes


def test_rule_6_the_devices_record_decides_on_the_minutes_of_a_gap() -> None:
    line = Line()
    line.says(0, **KNOWN, energy_total_wh=100.0)
    line.says(245, apower_w=440.0, energy_total_wh=130.0, record=record(4, 7500.0, 7000.0, 6500.0))
    assert line.minutes == [0, 1, 2, 3, 4]
    assert row(line, 1) == (390.0, 228.0, 2.4, 109.0, "device")
    assert row(line, 2) == (420.0, 228.0, 2.4, 115.5, "device")
    assert row(line, 3) == (450.0, 228.0, 2.4, 122.5, "device")


def test_rule_6_a_minute_below_the_threshold_has_no_row_even_where_rule_5_would_fill() -> None:
    line = Line()
    line.says(0, **KNOWN)
    line.says(180, apower_w=430.0, record=record(3, of_power(5.0), 7000.0, 7000.0))
    assert line.minutes == [0, 1, 3]


def test_rule_6_counts_what_the_pump_did_while_nobody_listened() -> None:
    line = Line()
    line.says(0, apower_w=0.0, voltage_v=229.0)
    line.says(185, apower_w=0.0, record=record(3, 0.0, 7000.0, 0.0))
    assert line.minutes == [1]
    assert line.sources == ["device"]
    assert line.spans == [(60, 120, "stopped")]


def test_rule_6_only_the_minutes_of_the_gap_are_the_records() -> None:
    line = Line()
    line.says(0, apower_w=0.0)
    line.says(50, apower_w=430.0)
    line.says(130, apower_w=430.0, record=record(2, 7000.0, 7000.0, 7000.0))
    assert line.minutes == [0, 1, 2]
    assert line.sources == ["measured", "device", "measured"]


def test_rule_6_nothing_comes_before_the_first_reading() -> None:
    line = Line()
    line.says(0, apower_w=430.0, record=record(0, 7000.0, 7000.0, 7000.0))
    assert line.minutes == [0]


def test_rule_6_what_the_record_does_not_cover_is_carried_as_before() -> None:
    line = Line()
    line.says(0, **KNOWN)
    line.says(300, apower_w=430.0, record=record(5, 7000.0, 7000.0, 7000.0))
    assert line.sources == ["measured", "carried", "device", "device", "device", "measured"]


@pytest.mark.parametrize("minute_ts", [T0 - 3600, T0 + 3600, T0 + 241, 5, -60, 1e300])
def test_rule_6_a_record_of_another_time_decides_nothing(minute_ts: float) -> None:
    line = Line()
    line.says(0, **KNOWN)
    line.says(180, apower_w=430.0, record=MinuteRecord(minute_ts, (0.0, 0.0, 0.0)))
    assert line.sources == ["measured", "carried", "carried", "measured"]


def test_rule_6_one_quantum_of_a_small_load_decides_nothing() -> None:
    line = Line()
    line.says(0, apower_w=8.0)
    line.says(240, apower_w=8.0, record=record(4, 0.0, 213.298, 0.0))
    assert [each.apower_w for each in line.rows] == [8.0] * 5
    assert line.sources == ["measured", "carried", "carried", "carried", "measured"]


def test_rule_6_what_went_back_to_the_grid_makes_no_row() -> None:
    line = Line()
    line.says(0, apower_w=-300.0)
    back = (5000.0, 5000.0, 5000.0)
    line.says(180, apower_w=-300.0, record=record(3, *back, returned=back))
    assert line.rows == []


# Rule 7: long gaps


def long_gap(power_before: float, rise_wh: float | None, minutes: int = 30) -> Line:
    """Active, then nothing for so many minutes, then a reading without a record."""
    line = Line()
    line.says(0, apower_w=power_before, energy_total_wh=1000.0)
    total = None if rise_wh is None else 1000.0 + rise_wh
    line.says(60 * (minutes + 1), apower_w=power_before, energy_total_wh=total)
    return line


@pytest.mark.parametrize("mean_w", [321.0, 400.0, 479.0])
def test_rule_7_a_long_gap_is_filled_when_the_counter_proves_it(mean_w: float) -> None:
    line = long_gap(400.0, mean_w * 31 / 60)
    assert line.minutes == list(range(32))
    assert line.sources == ["measured", *["carried"] * 30, "measured"]
    assert len(line.runs) == 1


@pytest.mark.parametrize("mean_w", [0.0, 200.0, 319.0, 481.0])
def test_rule_7_it_stays_a_gap_when_the_counter_says_otherwise(mean_w: float) -> None:
    line = long_gap(400.0, mean_w * 31 / 60)
    assert line.minutes == [0, 31]
    assert line.spans == [(0, 0, "lost contact"), (31 * 60, None, "")]


@pytest.mark.parametrize("rise_wh", [None, -999.0, -0.2])
def test_rule_7_it_stays_a_gap_without_a_counter_or_when_it_fell(rise_wh: float | None) -> None:
    assert long_gap(400.0, rise_wh).minutes == [0, 31]


def test_rule_7_the_power_must_be_above_the_threshold() -> None:
    assert long_gap(5.5, 4.9 * 31 / 60).minutes == [0, 31]


def test_rule_7_no_counter_proves_a_week() -> None:
    week = 7 * 24 * 60
    assert len(long_gap(400.0, 400.0 * (week + 1) / 60, week).rows) == week + 2
    assert len(long_gap(400.0, 400.0 * (week + 2) / 60, week + 1).rows) == 2


def test_rule_7_what_the_device_vouches_for_has_rows_in_a_gap_that_stays_one() -> None:
    line = Line()
    line.says(0, **KNOWN, energy_total_wh=100.0)
    at = 60 * 31 + 5
    line.says(at, apower_w=430.0, energy_total_wh=121.0, record=record(31, 7000.0, 7000.0, 7000.0))
    assert line.minutes == [0, 28, 29, 30, 31]
    assert line.sources == ["measured", "device", "device", "device", "measured"]
    assert line.spans == [(0, 0, "lost contact"), (28 * 60, None, "")]


def test_rule_7_the_devices_minutes_come_before_the_proof() -> None:
    line = Line()
    line.says(0, **KNOWN, energy_total_wh=100.0)
    rise_wh = 430.0 * 28 / 60
    line.says(60 * 31, apower_w=0.0, energy_total_wh=100.0 + rise_wh, record=record(31, 0, 0, 0))
    assert line.minutes == list(range(28))
    assert line.spans == [(0, 28 * 60, "stopped")]


# Rule 8: reconnects and restarts


def past(run: RunState | None, minute: int = 0) -> Snapshot:
    values = (430.0, 228.0, 2.4, 100.0)
    return Snapshot(Sample(T0 + 60 * minute, PUMP, SWITCH, *values, "measured"), run)


RUNNING = RunState(PUMP, SWITCH, T0 - 600.0, 445.0, 40.0, 1.5)


def test_rule_8_a_restart_in_the_middle_of_a_run_leaves_no_hole() -> None:
    line = Line(past(RUNNING))
    line.says(
        150, full=True, apower_w=433.0, energy_total_wh=118.0, record=record(2, 7000, 7e3, 7e3)
    )
    assert line.minutes == [1, 2]
    assert line.sources == ["device", "measured"]
    line.says(200, apower_w=0.0, energy_total_wh=124.0)
    (run,) = line.runs
    assert (run.started_at, run.ended_at) == (RUNNING.started_at, T0 + 200)
    assert run.energy_wh == pytest.approx(1.5 + 60.0 + 24.0)
    assert run.peak_w == 445.0


def test_rule_8_a_run_that_was_left_orderly_goes_on_to_the_second_and_the_watt_hour() -> None:
    before = Line()
    before.says(0, apower_w=360.0, energy_total_wh=100.0)
    before.says(30, apower_w=720.0)
    (left,) = before.sampler.leave()
    assert (left.energy_wh, left.counter_wh, left.heard_at) == (3.0, 103.0, T0 + 30)
    after = Line(Snapshot(before.rows[-1], left))
    after.says(90, full=True, apower_w=360.0, energy_total_wh=115.5)
    after.says(120, apower_w=0.0, energy_total_wh=118.5)
    assert after.spans == [(0, 120, "stopped")]
    assert after.runs[0].energy_wh == pytest.approx(18.5)


def test_rule_8_what_was_left_orderly_and_never_seen_again_ended_when_it_was_last_heard() -> None:
    before = Line()
    before.says(0, apower_w=360.0, energy_total_wh=100.0)
    before.says(45.5, current_a=1.6)
    after = Line(Snapshot(before.rows[-1], before.sampler.leave()[0]))
    after.says(86_400, full=True, apower_w=0.0, energy_total_wh=100.5)
    assert after.spans == [(0, 45.5, "lost contact")]
    assert after.runs[0].energy_wh == pytest.approx(4.55)


def test_rule_8_a_pump_that_stopped_while_nobody_listened_is_not_charged_for_it() -> None:
    before = Line()
    before.says(0, apower_w=360.0, energy_total_wh=100.0)
    before.says(30, apower_w=360.0)
    after = Line(Snapshot(before.rows[-1], before.sampler.leave()[0]))
    # It had drawn a little less than its power says: 2.9 Wh instead of 3.
    after.says(150, full=True, apower_w=0.0, energy_total_wh=102.9)
    assert after.runs[0].energy_wh == pytest.approx(3.0)


def test_rule_8_nothing_is_left_where_nothing_runs() -> None:
    line = Line()
    line.says(0, apower_w=1.0)
    assert line.sampler.leave() == []


def test_rule_8_the_last_minute_has_its_row_already() -> None:
    line = Line(past(RUNNING))
    line.says(20, apower_w=433.0)
    assert line.rows == []


def test_rule_8_a_channel_without_an_open_run_was_off() -> None:
    line = Line(past(None))
    line.says(150, voltage_v=229.0)
    assert (line.rows, line.runs) == ([], [])
    line.says(160, apower_w=433.0)
    assert line.minutes == [2]


def test_rule_8_a_run_that_has_ended_is_not_counted_again_by_the_record() -> None:
    row = Sample(T0, PUMP, SWITCH, 430.0, 228.0, 2.4, 100.0, "measured")
    line = Line(Snapshot(row, ended_at=T0 + 74.0))
    line.says(
        200, full=True, apower_w=0.0, energy_total_wh=103.3, record=record(3, 0, 1672.0, 1672.0)
    )
    assert (line.rows, line.runs) == ([], [])


def test_rule_8_but_what_ran_after_it_is() -> None:
    row = Sample(T0, PUMP, SWITCH, 430.0, 228.0, 2.4, 100.0, "measured")
    line = Line(Snapshot(row, ended_at=T0 + 50.0))
    line.says(200, full=True, apower_w=0.0, energy_total_wh=110.0, record=record(3, 0, 7000, 1672))
    assert line.spans == [(60, 120, "stopped")]


def test_rule_8_a_long_absence_ends_the_run_at_its_last_row() -> None:
    line = Line(past(RUNNING))
    line.says(86_400, full=True, apower_w=433.0, energy_total_wh=105.0)
    assert line.spans == [(-600, 0, "lost contact"), (86_400, None, "")]


def test_rule_8_a_run_never_ends_before_it_began() -> None:
    began_late = RunState(PUMP, SWITCH, T0 + 40.0, 445.0, 100.0)
    line = Line(past(began_late))
    line.says(86_400, full=True, apower_w=0.0, energy_total_wh=105.0)
    assert line.spans == [(40, 40, "lost contact")]
