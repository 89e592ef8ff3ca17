"""A load whose runs were chosen: it runs just then, and its counter knows."""

from random import Random

import pytest

from powerlog.simulation.planned import PlannedLoad, PlannedRun
from tests.frames import T0

RUNS = [
    PlannedRun(T0 + 100.0, T0 + 700.0, 600.0),
    PlannedRun(T0 + 760.0, T0 + 790.0, 900.0),
    PlannedRun(T0 + 830.5, T0 + 845.5, 300.0),
]
ENERGY_WH = [100.0, 7.5, 1.25]


@pytest.fixture
def load() -> PlannedLoad:
    return PlannedLoad("seed", 0.8, 5000.0, RUNS)


def test_it_draws_power_in_its_runs_and_nothing_between_them(load: PlannedLoad) -> None:
    for second in range(1000):
        at = T0 + second + 0.25
        running = any(run.start <= at < run.end for run in RUNS)
        assert (load.at(at).watts > 0) is running


def test_its_counter_goes_on_from_where_it_stood_by_the_energy_of_each_run(
    load: PlannedLoad,
) -> None:
    assert load.energy_wh(T0) == 5000.0
    counter_wh = 5000.0
    for run, energy_wh in zip(RUNS, ENERGY_WH, strict=True):
        assert load.energy_wh(run.start) == pytest.approx(counter_wh)
        counter_wh += energy_wh
        assert load.energy_wh(run.end) == pytest.approx(counter_wh)
    assert load.energy_wh(T0 + 1e6) == pytest.approx(counter_wh)


def test_its_counter_is_the_integral_of_its_power(load: PlannedLoad) -> None:
    step_s = 0.05
    summed = sum(load.at(T0 + n * step_s).watts for n in range(round(1000 / step_s))) * step_s
    assert load.energy_wh(T0 + 1000) - 5000.0 == pytest.approx(summed / 3600, rel=1e-3)


def test_it_says_the_same_in_whatever_order_it_is_asked(load: PlannedLoad) -> None:
    moments = [T0 + second for second in range(0, 1000, 7)]
    in_order = {at: (load.at(at), load.energy_wh(at)) for at in moments}
    Random(1).shuffle(moments)
    assert {at: (load.at(at), load.energy_wh(at)) for at in moments} == in_order


def test_it_tells_when_it_goes_on_and_off(load: PlannedLoad) -> None:
    turns = [
        (at, fields["output"])
        for at, fields in load.deltas(T0 - 500, T0 + 2000)
        if "output" in fields
    ]
    assert turns == [turn for run in RUNS for turn in ((run.start, True), (run.end, False))]


@pytest.mark.parametrize(
    ("since", "until", "idle"),
    [(0, 99, True), (0, 101, False), (701, 759, True), (650, 701, False), (846, 9999, True)],
)
def test_it_knows_where_it_is_idle(
    load: PlannedLoad, since: float, until: float, idle: bool
) -> None:
    assert load.idle(T0 + since, T0 + until) is idle
