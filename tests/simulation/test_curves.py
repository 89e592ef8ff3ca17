"""Curves: a load with planned runs runs just then, a cycle is the same wherever it is cut."""

from itertools import pairwise
from random import Random

import pytest

from powerlog.simulation.curves import Curve, Cycle, PlannedRun, planned_curve
from tests.support.frames import T0

RUNS = [
    PlannedRun(T0 + 100.0, T0 + 700.0, 600.0),
    PlannedRun(T0 + 760.0, T0 + 790.0, 900.0),
    PlannedRun(T0 + 830.5, T0 + 845.5, 300.0),
]
ENERGY_WH = [100.0, 7.5, 1.25]


@pytest.fixture
def load() -> Curve:
    return planned_curve("seed", 0.8, RUNS)


def test_it_draws_power_in_its_runs_and_nothing_between_them(load: Curve) -> None:
    for second in range(1000):
        at = T0 + second + 0.25
        running = any(run.start <= at < run.end for run in RUNS)
        assert (load.at(at).watts > 0) is running


def test_its_energy_rises_by_that_of_each_run(load: Curve) -> None:
    drawn_wh = 0.0
    for run, energy_wh in zip(RUNS, ENERGY_WH, strict=True):
        assert load.drawn_wh(run.start) == pytest.approx(drawn_wh)
        drawn_wh += energy_wh
        assert load.drawn_wh(run.end) == pytest.approx(drawn_wh)
    assert load.drawn_wh(T0 + 1e6) == pytest.approx(drawn_wh)


def test_its_energy_is_the_integral_of_its_power(load: Curve) -> None:
    step_s = 0.05
    summed = sum(load.at(T0 + n * step_s).watts for n in range(round(1000 / step_s))) * step_s
    assert load.drawn_wh(T0 + 1000) == pytest.approx(summed / 3600, rel=1e-3)


def test_it_is_the_same_in_whatever_order_it_is_asked(load: Curve) -> None:
    moments = [T0 + second for second in range(0, 1000, 7)]
    in_order = {at: (load.at(at), load.drawn_wh(at)) for at in moments}
    Random(1).shuffle(moments)
    assert {at: (load.at(at), load.drawn_wh(at)) for at in moments} == in_order


@pytest.mark.parametrize(
    ("since", "until", "idle"),
    [(0, 99, True), (0, 101, False), (701, 759, True), (650, 701, False), (846, 9999, True)],
)
def test_it_is_idle_between_its_runs(load: Curve, since: float, until: float, idle: bool) -> None:
    assert load.is_idle(T0 + since, T0 + until) is idle


def test_a_cycle_has_the_same_steps_in_pieces_and_at_once() -> None:
    cycle = Cycle("seed", 430.0, 0.8, 480)
    cuts = [T0, T0 + 1, T0 + 840, T0 + 841.5, T0 + 5000]
    pieces = [step for cut in pairwise(cuts) for step in cycle.between(*cut)]
    assert pieces == list(cycle.between(T0, T0 + 5000))
    assert all(cycle.at(step.at) == step for step in pieces)


def test_the_energy_of_a_cycle_is_the_same_in_each_block() -> None:
    cycle = Cycle("seed", 430.0, 0.8, 480)
    blocks = [cycle._origin + n * 840 for n in (5, 6, 100_000, 100_001)]
    a, b, c, d = (cycle.drawn_wh(ts) for ts in blocks)
    assert b - a == pytest.approx(430 * 480 / 3600)
    assert d - c == pytest.approx(430 * 480 / 3600)
