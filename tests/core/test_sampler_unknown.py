"""What is not known any more: a power that is null, a channel that is gone or silent (1, 6, 14)."""

import pytest

from powerlog.core import protocol
from powerlog.core.channel_state import Own
from powerlog.core.frame import Frame, MinuteRecord, Reading
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Rules, Sample, Sampler, Snapshot
from tests.support.frames import PUMP, T0, delta, full
from tests.support.line import SWITCH, Line


def played(*texts: tuple[float, str], channels: str = "*") -> Line:
    """These messages, each at so many seconds after T0."""
    line = Line()
    line.sampler = Sampler(Rules(channels=frozenset({channels})))
    for at_s, text in texts:
        line.frame(protocol.parse(text), at_s)
    return line


# Rule 1: an apower that is null


def test_rule_1_a_power_that_is_null_ends_the_run_and_makes_no_row() -> None:
    line = Line()
    line.says(0, apower_w=1200.0, voltage_v=230.0)
    line.says(10, power_lost=True)
    line.says(60, energy_total_wh=5003.3)
    line.says(120, voltage_v=231.0)
    assert line.minutes == [0]
    assert line.spans == [(0, 10, "lost contact")]


def test_rule_1_a_power_that_is_known_again_begins_a_new_run() -> None:
    line = Line()
    line.says(0, apower_w=1200.0, energy_total_wh=5000.0)
    line.says(30, power_lost=True)
    line.says(300, apower_w=1200.0, energy_total_wh=5100.0)
    line.says(330, apower_w=0.0, energy_total_wh=5110.0)
    assert line.spans == [(0, 30, "lost contact"), (300, 330, "stopped")]
    assert [round(run.energy_wh, 6) for run in line.runs] == [10.0, 10.0]
    assert line.minutes == [0, 5]


def test_rule_1_a_relay_that_is_off_draws_nothing_even_if_its_meter_fails() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    line.says(10, output=False, power_lost=True)
    assert line.spans == [(0, 10, "stopped")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"switch_0": {"apower": 430.0}}, {"switch_0": {"apower": None}}),
        ({"switch_0": {"apower": 430.0}}, {"switch_0": {"apower": None, "voltage": 230.0}}),
        ({"em1_0": {"act_power": 430.0}}, {"em1_0": {"act_power": None, "errors": ["x"]}}),
        ({"em_0": {"b_act_power": 430.0}}, {"em_0": {"b_act_power": None, "n_current": None}}),
        ({"pm1_0": {"apower": 430.0}}, {"device_status": {"pm1:0": {"apower": None}}}),
    ],
    ids=["switch", "with voltage", "em1", "phase", "wrapped"],
)
def test_rule_1_every_kind_of_meter_may_report_null(before: dict, after: dict) -> None:
    line = played((0, delta(T0, **before)), (10, delta(T0 + 10, **after)))
    assert line.spans == [(0, 10, "lost contact")]


def test_rule_1_a_null_beside_the_counter_of_the_sister_component_is_still_null() -> None:
    emdata = {"a_total_act_energy": 5.0}
    line = played(
        (0, full(T0, em_0={"a_act_power": 1200.0}, emdata_0=emdata)),
        (10, delta(T0 + 10, em_0={"a_act_power": None}, emdata_0=emdata)),
    )
    assert line.spans == [(0, 10, "lost contact")]


def test_rule_1_a_full_status_without_the_power_ends_the_run_as_well() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    line.says(10, full=True, output=True, voltage_v=230.0)
    assert line.spans == [(0, 10, "lost contact")]


# Rule 12: a channel that a full status leaves out


def test_rule_12_the_run_of_a_channel_that_is_left_out_ends_at_its_last_reading() -> None:
    line = played(
        (0, full(T0, switch_0={"apower": 430.0, "aenergy": {"total": 1000.0}})),
        (20, delta(T0 + 20, switch_0={"current": 2.0})),
        (30, full(T0 + 30, cover_0={"state": "stopped", "apower": 0.0})),
        (3600, delta(T0 + 3600, cover_0={"apower": 0.0})),
    )
    assert line.spans == [(0, 20, "lost contact")]
    assert line.runs[0].energy_wh == pytest.approx(430 * 20 / 3600)


def test_rule_12_three_phases_that_become_one_phase_meters_end_their_runs() -> None:
    three = {"a_act_power": 400.0, "b_act_power": 0.0, "c_act_power": 0.0, "total_act_power": 400.0}
    line = played(
        (0, full(T0, em_0=three)), (30, full(T0 + 30, em1_0={"act_power": 400.0, "voltage": 230}))
    )
    assert sorted((run.channel, run.end) for run in line.told if run.ended_at) == [
        ("em:0", "lost contact"),
        ("em:0:a", "lost contact"),
    ]


def test_rule_12_a_full_status_without_any_meter_ends_all_runs() -> None:
    line = played((0, full(T0, switch_0={"apower": 430.0})), (30, full(T0 + 30, sys={"uptime": 1})))
    assert line.spans == [(0, 0, "lost contact")]


def run_of(channel: str) -> Snapshot:
    values = (430.0, 228.0, 2.4, 100.0)
    row = Sample(T0 - 60, PUMP, channel, *values, "measured")
    return Snapshot(row, RunState(PUMP, channel, T0 - 600.0, 430.0, 40.0, 1.5, heard_at=T0 - 40.0))


def test_rule_12_a_channel_that_did_not_come_back_ends_its_run_where_it_was_left() -> None:
    line = Line(run_of(SWITCH))
    cover = Reading("cover:0", apower_w=0.0)
    line.frame(Frame(PUMP, T0 + 0.0, True, (cover,)), 0)
    assert line.spans == [(-600, -40, "lost contact")]


def test_rule_8_what_comes_late_of_the_past_leaves_a_live_channel_as_it_is() -> None:
    line = Line()
    line.says(0, apower_w=430.0)
    line.sampler.restore(run_of(SWITCH))
    line.says(60, apower_w=0.0)
    assert line.spans == [(0, 60, "stopped")]


def test_rule_13_a_run_of_a_channel_that_is_not_wanted_any_more_ends_with_the_first_frame() -> None:
    line = Line()
    line.sampler.own = {(PUMP, SWITCH): Own(logged=False)}
    line.sampler.restore(run_of(SWITCH))
    line.says(0, channel="switch:1", apower_w=0.0)
    assert line.spans == [(-600, -40, "lost contact")]


# Rule 14: a channel that is silent while its device speaks


def talking(until_s: int, first_s: int = 0, line: Line | None = None) -> Line:
    """SWITCH runs and is heard once; the other channel is heard every half a minute."""
    if line is None:
        line = Line()
        line.says(0, apower_w=430.0, energy_total_wh=100.0)
    for at_s in range(first_s, until_s + 1, 30):
        line.says(at_s, channel="switch:1", apower_w=0.0)
    return line


def test_rule_14_the_run_of_a_silent_channel_ends_at_its_last_reading() -> None:
    line = talking(360)
    assert line.spans == [(0, None, "")]
    line = talking(480)
    assert line.spans == [(0, 0, "lost contact")]
    line.says(500, apower_w=430.0, energy_total_wh=160.0)
    assert line.spans == [(0, 0, "lost contact"), (500, None, "")]
    assert line.minutes == [0, 8]


def test_rule_14_the_limit_is_the_reach_of_rule_5() -> None:
    line = Line(max_blind_gap_min=30)
    line.says(0, apower_w=430.0)
    assert talking(1800, line=line).spans == [(0, None, "")]
    assert talking(1980, 1830, line=line).spans == [(0, 0, "lost contact")]


def test_rule_14_a_silence_of_the_whole_device_is_a_gap_as_before() -> None:
    line = talking(0)
    line.says(1800, channel="switch:1", apower_w=0.0)
    line.says(1801, apower_w=430.0, energy_total_wh=100.0 + 430 * 1801 / 3600)
    assert line.sources == ["measured", *["carried"] * 29, "measured"]
    assert line.spans == [(0, None, "")]


def test_rule_14_a_device_that_speaks_of_no_meter_at_all_speaks_as_well() -> None:
    line = talking(0)
    for at_s in range(0, 481, 30):
        line.frame(Frame(PUMP), at_s)
    assert line.spans == [(0, 0, "lost contact")]


def test_rule_14_a_channel_that_reports_in_time_goes_on() -> None:
    line = talking(0)
    for minute in range(0, 30, 5):
        talking(60 * minute + 240, 60 * minute, line)
        line.says(60 * minute + 290, apower_w=430.0)
    assert line.spans == [(0, None, "")]


# Rule 6: records that decide nothing


def test_rule_6_the_record_of_a_refused_clock_decides_nothing() -> None:
    line = Line()
    off = Reading(SWITCH, apower_w=0.0)
    record = MinuteRecord(T0 + 240, (6875.0, 625.0, 0.0))
    line.frame(Frame(PUMP, T0 - 125.0, False, (off,)), 0)
    line.frame(Frame(PUMP, T0 + 240.0, False, (Reading(SWITCH, 0.0, record=record),)), 365)
    assert (line.rows, line.runs) == ([], [])


def test_rule_6_nor_does_the_record_of_an_answer_while_the_clock_is_refused() -> None:
    line = Line()
    line.frame(Frame(PUMP, T0 - 125.0, False, (Reading(SWITCH, apower_w=0.0),)), 0)
    record = MinuteRecord(T0 + 240, (6875.0, 625.0, 0.0))
    line.frame(Frame(PUMP, None, True, (Reading(SWITCH, 0.0, record=record),)), 365)
    assert line.rows == []


def test_rule_6_a_clock_that_is_set_right_is_believed_again() -> None:
    line = Line()
    line.frame(Frame(PUMP, T0 - 125.0, False, (Reading(SWITCH, apower_w=0.0),)), 0)
    line.says(10, apower_w=0.0)
    line.says(240, apower_w=0.0, record=MinuteRecord(T0 + 240, (6875.0, 625.0, 0.0)))
    assert line.minutes == [2, 3]


@pytest.mark.parametrize(("before", "after"), [(-88.9, -88.9), (-88.9, 0.0), (0.0, -88.9)])
def test_rule_6_a_record_without_a_sign_makes_no_row_of_what_is_fed_in(
    before: float, after: float
) -> None:
    line = Line()
    line.says(0, apower_w=before, energy_total_wh=1000.0)
    record = MinuteRecord(T0 + 300, (1481.0, 1481.0, 1481.0))
    line.says(300, apower_w=after, energy_total_wh=1007.4, record=record)
    assert (line.rows, line.runs) == ([], [])


def test_rule_6_a_record_with_a_sign_does() -> None:
    line = Line()
    line.says(0, apower_w=-88.9)
    record = MinuteRecord(T0 + 300, (1481.0, 1481.0, 1481.0), (1481.0, 0.0, 1481.0))
    line.says(300, apower_w=-88.9, record=record)
    assert line.minutes == [3]


@pytest.mark.parametrize(
    "returned",
    [
        None,
        {},
        {"total": 7.4, "by_minute": [1481.0] * 3, "minute_ts": T0 + 240},
        {"total": 7.4, "by_minute": None, "minute_ts": T0 + 300},
        {"total": None},
    ],
    ids=["null", "empty", "another minute", "no record", "no total"],
)
def test_rule_6_a_return_of_another_minute_gives_no_sign(returned: object) -> None:
    energy = {"total": 1007.4, "by_minute": [1481.0] * 3, "minute_ts": T0 + 300}
    later = {"apower": -88.9, "aenergy": energy, "ret_aenergy": returned}
    line = played(
        (0, delta(T0, switch_0={"apower": -88.9})), (300, delta(T0 + 300, switch_0=later))
    )
    assert (line.rows, line.runs) == ([], [])
