"""A relay that chatters: how many runs a minute may have, and what becomes of the others (12)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerlog.core.run_state import STARTS_A_MINUTE, UNSETTLED_AT_MOST
from tests.support.line import Line


def chatter(line: Line, since_s: float, until_s: float, every_s: float = 0.1) -> None:
    """The load goes on and off in turn, and is off at the end."""
    at_s, on = since_s, True
    while at_s < until_s:
        line.says(at_s, apower_w=430.0 if on else 0.0)
        at_s, on = at_s + every_s, not on
    line.says(until_s, apower_w=0.0)


def test_rule_12_no_more_than_thirty_runs_start_in_a_minute_and_the_last_goes_on() -> None:
    line = Line()
    chatter(line, 0, 59)
    line.says(60, apower_w=0.0)
    assert len(line.runs) == STARTS_A_MINUTE
    assert [run.starts for run in line.runs] == [1] * 29 + [266]
    assert sum(run.starts for run in line.runs) == 295, "of 590 turns in 59 s"
    assert line.spans[-1] == (pytest.approx(5.8), pytest.approx(58.9), "stopped")


def test_rule_12_the_next_minute_has_thirty_runs_of_its_own() -> None:
    line = Line()
    chatter(line, 0, 179)
    line.says(180, apower_w=0.0)
    assert len(line.runs) == 3 * STARTS_A_MINUTE
    assert all(run.ended_at is not None for run in line.runs)


def test_rule_12_a_run_that_rests_ends_where_it_became_inactive() -> None:
    line = Line()
    chatter(line, 0, 20)
    assert line.runs[-1].ended_at is None
    line.says(61, apower_w=430.0)
    assert line.spans[-2:] == [
        (pytest.approx(5.8), pytest.approx(19.9), "stopped"),
        (61, None, ""),
    ]


def test_rule_12_a_start_every_two_seconds_is_a_run_every_two_seconds() -> None:
    line = Line()
    for number in range(STARTS_A_MINUTE):
        line.says(2 * number, apower_w=430.0)
        line.says(2 * number + 1, apower_w=0.0)
    line.says(61, apower_w=0.0)
    assert line.spans == [(2 * n, 2 * n + 1, "stopped") for n in range(STARTS_A_MINUTE)]
    assert {run.starts for run in line.runs} == {1}


def test_rule_12_what_rests_at_the_end_of_a_connection_has_ended() -> None:
    line = Line()
    chatter(line, 0, 20)
    (left,) = line.sampler.leave()
    assert (left.end, left.starts > 50) == ("stopped", True)


def test_rule_12_a_resting_run_ends_although_its_channel_never_speaks_again() -> None:
    line = Line()
    chatter(line, 0, 20)
    line.says(125, channel="switch:1", apower_w=0.0)
    assert line.runs[-1].ended_at is not None


def test_rule_12_turns_that_have_no_power_or_no_channel_are_bounded_as_well() -> None:
    line = Line()
    for step in range(300):
        line.says(0.1 * step, apower_w=430.0)
        if step % 2:
            line.says(0.1 * step + 0.05, power_lost=True)
        else:
            line.says(0.1 * step + 0.05, channel="switch:1", full=True, apower_w=0.0)
    assert len(line.told) <= 2 * STARTS_A_MINUTE


def test_rule_12_a_counter_that_flaps_tells_an_open_run_once_a_minute() -> None:
    line = Line()
    line.says(0, apower_w=430.0, energy_total_wh=100.0)
    for step in range(1, 1000):
        line.says(0.1 * step, energy_total_wh=100.0 * (step % 2))
    assert len(line.told) <= 1 + 2


def test_rule_12_the_ended_runs_that_wait_for_a_counter_are_bounded() -> None:
    line = Line()
    line.says(0, apower_w=0.0, energy_total_wh=100.0)
    for minute in range(100):
        chatter(line, 60 * minute + 1, 60 * minute + 30, every_s=1)
    ledger = line.sampler._devices["shellypro4pm-0a1b2c3d4e5f"].channels["switch:2"].runs
    assert len(ledger.unsettled) == UNSETTLED_AT_MOST
    claimed_wh = ledger.claims_ws / 3600
    line.says(6001, apower_w=0.0, energy_total_wh=100.0 + claimed_wh)
    assert sum(run.energy_wh for run in line.runs) == pytest.approx(claimed_wh)


turns = st.lists(st.tuples(st.floats(0.05, 20), st.sampled_from([0.0, 430.0, None])), max_size=200)


@given(turns)
def test_rule_12_whatever_turns_there_are_runs_are_few_and_do_not_overlap(
    steps: list[tuple[float, float | None]],
) -> None:
    line, at_s = Line(), 0.0
    for pause_s, watts in steps:
        at_s += pause_s
        values = {"power_lost": True} if watts is None else {"apower_w": watts}
        line.says(at_s, **values)
    line.says(at_s + 61, apower_w=0.0)
    minutes = [int(run.started_at // 60) for run in line.runs]
    assert all(minutes.count(minute) <= STARTS_A_MINUTE for minute in minutes)
    ends = [0.0] + [run.ended_at or 0.0 for run in line.runs]
    assert all(run.started_at >= end for run, end in zip(line.runs, ends, strict=False))
