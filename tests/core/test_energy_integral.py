"""The integral of the known power: which row holds for how long, and what nothing is known of."""

import pytest

from powerlog.core.energy_integral import Drawn, Part, divide, steps


def drawn(rows: list[tuple[float, float]], since: float, until: float) -> Drawn:
    (found,) = divide(steps(rows, since, until), [Part(since, until, 0.0)])
    return found


def test_each_row_holds_until_the_next_one_and_the_last_one_to_the_end() -> None:
    assert drawn([(0.0, 360.0), (60.0, 720.0)], 30.0, 100.0) == Drawn(3.0 + 8.0)


def test_the_first_row_holds_for_the_minutes_before_it_too() -> None:
    assert drawn([(120.0, 360.0)], 0.0, 180.0) == Drawn(18.0)


def test_a_minute_without_a_row_has_the_power_before_for_five_minutes() -> None:
    assert drawn([(0.0, 360.0), (360.0, 720.0)], 0.0, 420.0) == Drawn(36.0 + 12.0)
    assert drawn([(0.0, 360.0), (420.0, 720.0)], 0.0, 480.0) == Drawn(36.0 + 12.0, 60.0)


@pytest.mark.parametrize("rows", [[], [(301.0, 360.0)]])
def test_where_no_row_says_it_the_power_is_unknown(rows: list[tuple[float, float]]) -> None:
    assert drawn(rows, 0.0, 301.0) == Drawn(0.0, 301.0)


def test_a_single_reading_draws_nothing() -> None:
    assert drawn([(0.0, 430.0)], 30.0, 30.0) == Drawn()


def test_a_run_is_divided_at_its_midnights() -> None:
    parts = [Part(0.0, 90.0, 0.0), Part(90.0, 90.0, 0.0), Part(90.0, 180.0, 0.0)]
    found = divide(steps([(0.0, 360.0), (60.0, 720.0)], 0.0, 180.0), parts)
    assert found == [Drawn(6.0 + 6.0), Drawn(), Drawn(18.0)]


@pytest.mark.parametrize(
    ("booked_wh", "explained"),
    [(14.4, True), (0.0, True), (-0.1, False), (81_271.0, False), (float("nan"), False)],
)
def test_a_part_is_explained_by_its_power_or_not(booked_wh: float, explained: bool) -> None:
    assert Part(0.0, 121.0, booked_wh).is_explained(430.0) is explained
