"""The rules of sampling, by their numbers in sampler.py."""

import pytest

from powerlog.core.frame import Frame, Reading
from powerlog.core.sampler import Sample, Sampler
from tests.support.frames import PUMP, T0
from tests.support.line import RULES, SWITCH, Line

# Rule 1: known state


def test_rule_1_a_delta_overlays_what_is_known() -> None:
    line = Line()
    line.says(0, apower_w=430.0, voltage_v=228.0, current_a=2.4, energy_total_wh=99.5)
    line.says(61, current_a=2.6)
    assert line.rows[1] == Sample(T0 + 60, PUMP, SWITCH, 430.0, 228.0, 2.6, 99.5, "measured")


@pytest.mark.parametrize("silent", ["voltage_v", "current_a", "energy_total_wh"])
def test_rule_1_what_is_not_reported_changes_nothing(silent: str) -> None:
    known = {"apower_w": 430.0, "voltage_v": 228.0, "current_a": 2.4, "energy_total_wh": 99.5}
    line = Line()
    line.says(0, **known)
    line.says(61, **{name: value + 1 for name, value in known.items() if name != silent})
    assert getattr(line.rows[1], silent) == known[silent]
    assert line.rows[1].apower_w == 431.0


def test_rule_1_a_full_status_replaces_what_is_known() -> None:
    line = Line()
    line.says(0, apower_w=430.0, voltage_v=228.0, current_a=2.4, energy_total_wh=99.5)
    line.says(61, full=True, apower_w=431.0)
    assert line.rows[1] == Sample(T0 + 60, PUMP, SWITCH, 431.0, 0.0, 0.0, 0.0, "measured")


def test_rule_1_a_full_status_forgets_a_channel_that_it_leaves_out() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    line.says(20, full=True, channel="switch:1", apower_w=0.0)
    line.says(61, current_a=2.0)
    assert line.minutes == [0]


def test_rule_1_a_delta_without_apower_does_not_end_the_run() -> None:
    line = Line()
    line.says(0, apower_w=433.8, current_a=2.6)
    line.says(65, current_a=2.474)
    line.says(125, voltage_v=229.0)
    assert line.minutes == [0, 1, 2]
    assert {row.apower_w for row in line.rows} == {433.8}


def test_rule_1_output_off_without_apower_means_no_power() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    line.says(30, output=False)
    line.says(65, current_a=2.0)
    assert line.minutes == [0]


def test_rule_1_output_off_with_an_apower_believes_the_apower() -> None:
    line = Line()
    line.says(0, apower_w=6.5, output=False)
    assert line.rows[0].apower_w == 6.5


def test_rule_1_output_on_changes_nothing_else() -> None:
    line = Line()
    line.says(0, apower_w=0.0, output=False)
    line.says(10, output=True)
    assert line.rows == []
    line.says(11, apower_w=433.8)
    assert line.minutes == [0]


def test_rule_1_no_row_before_the_first_known_apower() -> None:
    line = Line()
    line.says(0, voltage_v=229.0, current_a=2.5, output=True)
    assert line.rows == []


def test_rule_1_what_was_never_reported_is_stored_as_zero() -> None:
    line = Line()
    line.says(0, apower_w=100.0)
    assert line.rows[0] == Sample(T0, PUMP, SWITCH, 100.0, 0.0, 0.0, 0.0, "measured")


def test_channels_that_are_not_configured_make_no_rows() -> None:
    line = Line()
    line.says(0, channel="switch:3", apower_w=500.0)
    assert line.rows == []


def test_channels_and_devices_do_not_mix() -> None:
    line = Line()
    line.says(0, apower_w=400.0)
    line.says(1, channel="switch:1", apower_w=50.0)
    line.frame(Frame("another", T0 + 2.0, False, (Reading(SWITCH, 60.0),)), 2)
    line.frame(Frame("another", T0 + 3.0, True, ()), 3)  # forgets its own channels only
    line.says(60, voltage_v=230.0)
    assert [(row.device_id, row.channel, row.apower_w) for row in line.rows] == [
        (PUMP, SWITCH, 400.0),
        (PUMP, "switch:1", 50.0),
        ("another", SWITCH, 60.0),
        (PUMP, SWITCH, 400.0),
    ]


# Rule 2: time


def test_rule_2_a_reading_happens_at_the_devices_time_when_that_is_near() -> None:
    line = Line()
    line.frame(Frame(PUMP, T0 - 119.0, False, (Reading(SWITCH, 9.0),)), 0)
    assert line.minutes == [-2]


@pytest.mark.parametrize("ts", [5.01, T0 - 121.0, T0 + 121.0, -1.0, 1e300])
def test_rule_2_else_at_the_moment_of_receipt(ts: float) -> None:
    line = Line()
    line.frame(Frame(PUMP, ts, False, (Reading(SWITCH, 9.0),)), 0)
    assert line.minutes == [0]


def test_rule_2_the_tolerance_is_a_setting() -> None:
    line = Line(clock_tolerance_s=10.0)
    line.frame(Frame(PUMP, T0 - 11.0, False, (Reading(SWITCH, 9.0),)), 0)
    assert line.minutes == [0]


def test_rule_2_an_answer_without_ts_happens_by_the_devices_clock() -> None:
    line = Line()
    line.frame(Frame(PUMP, T0 - 90.0, True, (Reading(SWITCH, 430.0),)), 0)
    line.frame(Frame(PUMP, None, True, (Reading(SWITCH, 430.0),)), 1)
    line.frame(Frame(PUMP, T0 - 60.0, False, (Reading(SWITCH, 432.0),)), 2)
    assert [(row.ts - T0, row.apower_w) for row in line.rows] == [(-120, 430.0), (-60, 432.0)]


def test_rule_2_without_any_trusted_ts_an_answer_happens_when_it_comes() -> None:
    line = Line()
    line.frame(Frame(PUMP, 5.01, True, (Reading(SWITCH, 0.0),)), 0)
    line.frame(Frame(PUMP, None, True, (Reading(SWITCH, 9.0),)), 1)
    assert line.minutes == [0]


def test_rule_2_an_answer_as_the_first_frame_happens_when_it_comes() -> None:
    line = Line()
    line.frame(Frame(PUMP, None, True, (Reading(SWITCH, 9.0),)), 59.9)
    assert line.minutes == [0]


def test_rule_2_a_small_step_back_is_none_even_without_a_tolerance() -> None:
    line = Line(clock_tolerance_s=0.0)
    line.says(10.0, apower_w=9.0)
    line.says(9.999, apower_w=9.0)
    assert line.minutes == [0]


def test_rule_2_a_late_reading_adds_to_what_is_known_but_makes_no_row() -> None:
    line = Line()
    line.says(65, apower_w=1.0)
    line.says(50, apower_w=430.0)  # minute 0 has no row and gets none: time never runs back
    assert line.rows == []
    line.says(70, voltage_v=230.0)
    assert [(row.ts - T0, row.apower_w) for row in line.rows] == [(60, 430.0)]


def test_rule_2_a_late_reading_rewrites_no_minute() -> None:
    line = Line()
    line.says(10, apower_w=430.0)
    line.says(65, apower_w=440.0)
    line.says(30, apower_w=450.0)
    assert [row.apower_w for row in line.rows] == [430.0, 440.0]


def test_rule_2_a_device_whose_clock_is_set_in_mid_connection_goes_on() -> None:
    line = Line()
    line.frame(Frame(PUMP, 5.01, True, (Reading(SWITCH, 430.0),)), 0)
    line.frame(Frame(PUMP, T0 + 59.0, False, (Reading(SWITCH, 431.0),)), 60)
    line.frame(Frame(PUMP, T0 + 119.0, False, (Reading(SWITCH, 432.0),)), 120)
    line.frame(Frame(PUMP, T0 + 179.0, False, (Reading(SWITCH, 433.0),)), 180)
    assert line.minutes == [0, 1, 2]


def test_rule_2_time_starts_anew_when_the_collectors_own_clock_was_set_back() -> None:
    line = Line()
    line.says(3600, apower_w=430.0)
    line.says(0, apower_w=431.0)
    line.says(60, apower_w=432.0)
    assert line.minutes == [60, 0, 1]


# Rule 3: active


@pytest.mark.parametrize(
    ("apower_w", "rows"), [(5.0, 0), (5.001, 1), (4.999, 0), (0.0, 0), (-300.0, 0)]
)
def test_rule_3_active_is_strictly_above_the_threshold(apower_w: float, rows: int) -> None:
    line = Line()
    line.says(0, apower_w=apower_w)
    assert len(line.rows) == rows


def test_rule_3_the_threshold_is_a_setting() -> None:
    line = Line(power_threshold_w=0.0)
    line.says(0, apower_w=0.5)
    assert line.minutes == [0]


# Rule 4: one row a minute


def test_rule_4_the_first_active_reading_makes_the_row_and_later_ones_leave_it() -> None:
    line = Line()
    line.says(3, apower_w=2.0)
    line.says(10, apower_w=430.0)
    line.says(20, apower_w=900.0)
    assert [(row.ts, row.apower_w) for row in line.rows] == [(T0, 430.0)]


def test_rule_4_off_for_two_seconds_costs_no_row_and_makes_none() -> None:
    line = Line()
    line.says(17, apower_w=428.3)
    line.says(36, apower_w=0.0, output=False)
    line.says(38, output=True)
    line.says(39, apower_w=433.8)
    line.says(60, apower_w=438.0)
    assert line.minutes == [0, 1]


def test_rule_4_the_row_comes_at_once() -> None:
    sampler = Sampler(RULES)
    due = sampler.feed(Frame(PUMP, T0 + 59.9, False, (Reading(SWITCH, 9.0),)), T0 + 59.9)
    assert [each.ts for each in due if isinstance(each, Sample)] == [T0]


# Rule 5: short gaps


def test_rule_5_a_short_gap_is_filled_with_the_values_from_before_it() -> None:
    line = Line()
    line.says(0, apower_w=430.0, voltage_v=228.0, current_a=2.4, energy_total_wh=10.0)
    line.says(180, apower_w=500.0, voltage_v=231.0, current_a=2.9, energy_total_wh=31.5)
    before = (430.0, 228.0, 2.4, 10.0)
    assert line.rows[1:3] == [
        Sample(T0 + 60, PUMP, SWITCH, *before, "carried"),
        Sample(T0 + 120, PUMP, SWITCH, *before, "carried"),
    ]
    assert line.rows[3].apower_w == 500.0


def test_rule_5_it_is_filled_when_the_next_reading_is_not_active_too() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    line.says(180, apower_w=0.0)
    assert line.minutes == [0, 1, 2]


def test_rule_5_the_values_before_the_gap_hold_for_a_full_status_as_well() -> None:
    line = Line()
    line.says(0, apower_w=430.0, voltage_v=228.0)
    line.says(130, full=True, apower_w=440.0)
    assert [(row.apower_w, row.voltage_v) for row in line.rows] == [
        (430.0, 228.0),
        (430.0, 228.0),
        (440.0, 0.0),
    ]


@pytest.mark.parametrize(("between", "carried"), [(0, 0), (1, 1), (5, 5), (6, 0)])
def test_rule_5_up_to_five_minutes_and_not_one_more(between: int, carried: int) -> None:
    line = Line()
    line.says(59, apower_w=430.0)
    line.says(60 * (between + 1), apower_w=430.0)
    assert line.sources == ["measured", *["carried"] * carried, "measured"]


def test_rule_5_the_length_is_a_setting() -> None:
    line = Line(max_blind_gap_min=0)
    line.says(0, apower_w=430.0)
    line.says(120, apower_w=430.0)
    assert line.minutes == [0, 2]


def test_rule_5_a_channel_that_was_off_before_the_gap_is_not_carried() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    line.says(30, apower_w=0.0)
    line.says(180, apower_w=430.0)
    assert line.minutes == [0, 3]


# Rules 9 and 10: provenance, idempotence


def test_rule_9_every_row_says_how_it_was_obtained() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    line.says(120, apower_w=430.0)
    assert line.sources == ["measured", "carried", "measured"]
