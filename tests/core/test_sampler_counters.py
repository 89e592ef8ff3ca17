"""Rule 11: how far a counter is believed. Energies in Wh, times in seconds since T0."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerlog.core.frame import MinuteRecord
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Sample, Snapshot
from tests.support.frames import PUMP, T0
from tests.support.line import SWITCH, Line

PUMP_W = 430.0
A_MINUTE_WH = PUMP_W / 60


def energy_wh(line: Line) -> float:
    return sum(run.energy_wh for run in line.runs)


def minutes_of(totals: list[float | None]) -> Line:
    """A pump that runs for so many minutes, and what its counter reports in each of them."""
    line = Line()
    for minute, total in enumerate(totals):
        line.says(60 * minute, apower_w=PUMP_W, energy_total_wh=total)
    line.says(60 * len(totals) - 60 + 1, apower_w=0.0)
    return line


@pytest.mark.parametrize(
    "wrong",
    [0.0, 12.0, 80_000.0, 81_200.0, 81_256.0, 81_300.0, 5_000_000.0],
    ids=["zero", "small", "old", "hour old", "second old", "ahead", "megawatt hours"],
)
def test_rule_11_a_counter_that_is_wrong_for_one_report_makes_no_spike(wrong: float) -> None:
    line = minutes_of([81_250.0, 81_257.2, wrong, 81_271.5, 81_278.7])
    assert energy_wh(line) == pytest.approx(4 * A_MINUTE_WH, abs=0.3)
    assert line.runs[0].mean_w == pytest.approx(PUMP_W, rel=0.02)


@pytest.mark.parametrize("jump", [20.0, 500.0, 1e6, -20.0, -81_000.0])
def test_rule_11_a_counter_that_jumps_and_stays_is_believed_from_there_on(jump: float) -> None:
    line = minutes_of([81_250.0, 81_257.2, 81_264.4 + jump, 81_271.6 + jump, 81_278.8 + jump])
    assert energy_wh(line) == pytest.approx(4 * A_MINUTE_WH, abs=0.3)


def test_rule_11_a_counter_that_stands_still_for_a_while_catches_up() -> None:
    line = minutes_of([100.0, 100.0, 100.0, 100.0, 100.0, 100.0 + 5 * 7.0])
    assert energy_wh(line) == pytest.approx(5 * 7.0, abs=0.2)


def test_rule_11_a_counter_that_stands_still_for_ever_leaves_the_energy_to_the_power() -> None:
    line = minutes_of([100.0] * 60)
    assert energy_wh(line) == pytest.approx(59 * A_MINUTE_WH + PUMP_W / 3600)


def test_rule_11_reports_that_are_an_hour_apart_allow_no_more_than_a_fifth() -> None:
    right = minutes_of([100.0, *[None] * 59, 100.0 + 60 * A_MINUTE_WH * 1.15])
    assert energy_wh(right) == pytest.approx(60 * A_MINUTE_WH * 1.15, abs=0.2)
    spike = minutes_of([100.0, *[None] * 59, 100.0 + 60 * A_MINUTE_WH * 1.5])
    assert energy_wh(spike) == pytest.approx(60 * A_MINUTE_WH, abs=0.2)


def test_rule_11_a_load_that_rises_between_two_reports_is_allowed_its_power() -> None:
    line = Line()
    line.says(0, apower_w=10.0, energy_total_wh=100.0)
    line.says(60, apower_w=2000.0, energy_total_wh=130.0)
    line.says(61, apower_w=0.0)
    assert energy_wh(line) == pytest.approx(30.0, abs=0.6)


def test_rule_11_a_minute_that_is_carried_may_have_had_the_highest_power_of_the_connection() -> (
    None
):
    line = Line()
    line.says(0, apower_w=2000.0, energy_total_wh=100.0)
    line.says(30, apower_w=10.0, energy_total_wh=116.7)
    line.says(300, apower_w=10.0, energy_total_wh=180.0)  # the heater ran for two of the minutes
    line.says(301, apower_w=0.0)
    assert energy_wh(line) == pytest.approx(80.0, abs=0.1)


def test_rule_11_the_record_counts_as_known_power() -> None:
    line = Line()
    line.says(0, apower_w=10.0, energy_total_wh=100.0)
    record = MinuteRecord(T0 + 180, (33_000.0, 33_000.0, 200.0))
    line.says(180, apower_w=10.0, energy_total_wh=166.2, record=record)
    line.says(181, apower_w=0.0)
    assert energy_wh(line) == pytest.approx(66.2, abs=0.1)


def test_rule_11_a_small_load_may_be_counted_in_quanta() -> None:
    line = Line()
    for minute in range(6):
        quanta = minute * 8.0 / 60 // 0.213298
        line.says(60 * minute, apower_w=8.0, energy_total_wh=50.0 + quanta * 0.213298)
    line.says(301, apower_w=0.0)
    assert energy_wh(line) == pytest.approx(5 * 8.0 / 60, abs=0.2)


# What is returned to the grid


def test_rule_11_a_delta_without_the_returned_part_keeps_what_was_returned() -> None:
    line = Line()
    line.says(0, full=True, apower_w=PUMP_W, energy_total_wh=81_250.0, returned_wh=81_000.0)
    line.says(60, apower_w=PUMP_W, energy_total_wh=81_257.2)
    line.says(61, apower_w=0.0)
    assert energy_wh(line) == pytest.approx(7.2, abs=0.2)


def left(returned_wh: float) -> Snapshot:
    """A pump that was running when the connection ended, on a channel that also feeds in."""
    line = Line()
    total = 250.0 + returned_wh
    line.says(0, full=True, apower_w=PUMP_W, energy_total_wh=total, returned_wh=returned_wh)
    line.says(60, apower_w=PUMP_W, energy_total_wh=total + 7.2)
    return Snapshot(line.rows[-1], line.sampler.leave()[0])


@pytest.mark.parametrize("returned_wh", [30.0, 81_000.0])
def test_rule_11_a_net_reference_waits_for_the_returned_part_of_a_new_connection(
    returned_wh: float,
) -> None:
    line = Line(left(returned_wh))
    line.says(100, apower_w=PUMP_W, energy_total_wh=250.0 + returned_wh + 12.0)
    line.says(
        120,
        full=True,
        apower_w=PUMP_W,
        energy_total_wh=264.4 + returned_wh,
        returned_wh=returned_wh,
    )
    line.says(121, apower_w=0.0)
    assert energy_wh(line) == pytest.approx(14.4, abs=0.3)


def test_rule_11_a_gross_reading_before_the_first_net_one_is_no_energy() -> None:
    line = Line()
    line.says(0, apower_w=PUMP_W, energy_total_wh=81_250.0)
    line.says(1, full=True, apower_w=PUMP_W, energy_total_wh=81_250.1, returned_wh=81_000.0)
    line.says(60, apower_w=PUMP_W, energy_total_wh=81_257.2, returned_wh=81_000.0)
    line.says(61, apower_w=0.0)
    assert energy_wh(line) == pytest.approx(7.2, abs=0.3)


# The sum of three phases


def three_phases() -> Line:
    return Line(channels=frozenset({"em:0"}))


def test_rule_11_the_counter_of_the_sum_is_import_less_export() -> None:
    line = three_phases()
    line.says(0, full=True, channel="em:0", apower_w=100.0, energy_total_wh=5e3, returned_wh=3e3)
    line.says(60, channel="em:0", apower_w=0.0, energy_total_wh=5033.33, returned_wh=3031.67)
    assert energy_wh(line) == pytest.approx(1.66)
    assert line.rows[0].energy_total_wh == 2000.0


def test_rule_11_an_export_that_is_reported_alone_counts() -> None:
    line = three_phases()
    line.says(0, full=True, channel="em:0", apower_w=600.0, energy_total_wh=5e3, returned_wh=3e3)
    line.says(60, channel="em:0", apower_w=600.0, energy_total_wh=5030.0)
    line.says(61, channel="em:0", returned_wh=3020.0)
    line.says(120, channel="em:0", apower_w=0.0, energy_total_wh=5040.0)
    assert energy_wh(line) == pytest.approx(20.0, abs=0.5)


def test_rule_11_what_is_fed_in_between_is_not_taken_off_a_run() -> None:
    line = three_phases()
    line.says(0, full=True, channel="em:0", apower_w=100.0, energy_total_wh=5e3, returned_wh=3e3)
    line.says(30, channel="em:0", apower_w=-2000.0)
    net_wh = (100.0 * 30 - 2000.0 * 30) / 3600
    line.says(60, channel="em:0", energy_total_wh=5010.0, returned_wh=3010.0 - net_wh)
    assert energy_wh(line) == pytest.approx(100.0 * 30 / 3600, abs=0.01)


def test_rule_11_a_sum_whose_export_is_never_reported_keeps_to_its_power() -> None:
    line = three_phases()
    line.says(0, full=True, channel="em:0", apower_w=100.0, energy_total_wh=5000.0)
    line.says(60, channel="em:0", apower_w=0.0, energy_total_wh=5033.33)
    assert energy_wh(line) == pytest.approx(100.0 / 60)


# After a restart (rule 8)


def killed(counter_wh: float, minutes: float) -> Snapshot:
    """The last row of a collector that died after so many minutes of a run."""
    started = T0 - 60 * minutes
    values = (PUMP_W, 228.0, 2.4, counter_wh)
    return Snapshot(
        Sample(T0, PUMP, SWITCH, *values, "measured"),
        RunState(PUMP, SWITCH, started, PUMP_W, 100.0),
    )


def test_rule_11_after_a_kill_a_counter_of_an_hour_ago_may_catch_up() -> None:
    line = Line(killed(100.0, minutes=60))
    line.says(60, apower_w=PUMP_W, energy_total_wh=100.0 + 61 * 7.1)
    line.says(61, apower_w=0.0)
    assert energy_wh(line) == pytest.approx(61 * 7.1, abs=0.2)


def test_rule_11_after_a_kill_a_jump_is_still_none() -> None:
    line = Line(killed(100.0 + 60 * 7.1, minutes=60))
    line.says(60, apower_w=PUMP_W, energy_total_wh=90_000.0)
    line.says(61, apower_w=0.0)
    assert energy_wh(line) == pytest.approx(61 * 7.1, abs=0.5)


# Rule 7: what the counter proves


def test_rule_7_what_was_used_before_the_gap_proves_nothing() -> None:
    line = Line()
    line.says(0, full=True, apower_w=250.0, energy_total_wh=1000.0)
    line.says(240, apower_w=251.0)
    line.says(480, apower_w=250.0)
    line.says(960, full=True, apower_w=0.0, energy_total_wh=1033.3)
    assert line.minutes == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert line.spans == [(0, 480, "lost contact")]


def test_rule_7_an_old_counter_proves_a_gap_with_what_is_left() -> None:
    line = Line()
    line.says(0, full=True, apower_w=250.0, energy_total_wh=1000.0)
    line.says(240, apower_w=250.0)
    line.says(960, full=True, apower_w=0.0, energy_total_wh=1000.0 + 250.0 * 960 / 3600)
    assert line.minutes == list(range(16))
    assert line.spans == [(0, 960, "stopped")]


def test_rule_7_a_proof_that_hangs_on_the_last_watt_is_none() -> None:
    line = Line()
    line.says(0, full=True, apower_w=250.0, energy_total_wh=1000.0)
    for minute in range(4, 61, 4):
        line.says(60 * minute, apower_w=250.0)
    line.says(60 * 70, full=True, apower_w=0.0, energy_total_wh=1000.0 + 250.0 * 70 / 60)
    assert line.minutes == list(range(61)), (
        "an hour that is 5 % off is more than a tenth of the gap"
    )


def test_rule_7_after_a_kill_a_counter_of_any_age_proves_nothing() -> None:
    line = Line(killed(100.0, minutes=30))
    line.says(600, full=True, apower_w=PUMP_W, energy_total_wh=100.0 + 10 * A_MINUTE_WH)
    assert line.minutes == [10]


def test_rule_7_and_11_a_rise_that_proves_a_gap_is_believed_beside_the_record() -> None:
    line = Line()
    line.says(0, full=True, apower_w=2000.0, energy_total_wh=1000.0)
    at_s, rise_wh = 660, 2000.0 * 9 / 60  # off in the last two minutes, within 20 % of the whole
    record = MinuteRecord(T0 + at_s, (0.0, 0.0, 33_333.0))
    line.says(at_s, apower_w=0.0, energy_total_wh=1000.0 + rise_wh, record=record)
    assert line.minutes == list(range(9))
    assert energy_wh(line) == pytest.approx(rise_wh)


# Whatever a counter reports


totals = st.one_of(st.none(), st.floats(0, 1e7), st.sampled_from([0.0, 100.0, 107.0, 1e6]))


@given(st.lists(st.tuples(st.floats(5.1, 3000), totals), min_size=2, max_size=30))
def test_rule_11_no_counter_makes_more_of_a_run_than_its_power_explains(
    minutes: list[tuple[float, float | None]],
) -> None:
    line = Line()
    for minute, (watts, total) in enumerate(minutes):
        line.says(60 * minute, apower_w=watts, energy_total_wh=total)
    line.says(60 * len(minutes), apower_w=0.0)
    peak_w = max(watts for watts, _ in minutes)
    (run,) = line.runs
    most_wh = 1.2 * peak_w * len(minutes) / 60 + len(minutes) * (peak_w / 60 + 0.5)
    assert 0.0 <= run.energy_wh <= most_wh
