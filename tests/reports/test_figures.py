"""The figures of a day, and what they usually are."""

import pytest

from powerlog.localtime import Span
from powerlog.reports.figures import Figures, figures, usual
from powerlog.reports.run_usage import KnownRun
from tests.support.pumps import TODAY, at, known_run, run, span, total

MORNING = span(0, 720)


def test_the_figures_of_a_day_are_those_of_its_runs() -> None:
    found = figures([known_run(60, 90, 215.0), known_run(120, 135, 110.0)], MORNING)
    assert (found.run_s, found.energy_wh, found.runs) == (2700.0, 325.0, 2)
    assert found.mean_w == pytest.approx(325 * 3600 / 2700)
    assert found.duty == 2700 / 43_200
    assert (found.longest_run_s, found.longest_pause_s) == (1800.0, (720 - 135) * 60.0)
    assert (found.busiest_hour, found.peak_w) == (1, 450.0)


def test_a_day_without_runs_has_no_figures_but_its_time() -> None:
    found = figures([], MORNING)
    assert (found.run_s, found.runs, found.duty) == (0.0, 0, 0.0)
    assert (found.mean_w, found.peak_w, found.longest_run_s, found.longest_pause_s) == (None,) * 4


def test_a_run_across_midnight_is_split_and_counts_where_it_starts() -> None:
    across = known_run(-30, 10, 100.0)
    yesterday = Span(at(-1440), at(0))
    assert (figures([across], MORNING).runs, figures([across], yesterday).runs) == (0, 1)
    assert figures([across], MORNING).run_s == 600.0
    assert figures([across], yesterday).energy_wh == 75.0
    assert figures([across], MORNING).longest_run_s == 600.0


def test_the_day_total_knows_best_and_the_open_run_comes_on_top() -> None:
    still = KnownRun(run(700, None), at(720), 143.0)
    found = figures([known_run(60, 90, 200.0), still], MORNING, day=total(peak_w=461.0))
    assert (found.run_s, found.energy_wh) == (1800.0 + 1200.0, 215.0 + 143.0)
    assert (found.runs, found.peak_w) == (2, 461.0)


def test_the_mean_power_does_not_sink_while_the_counter_is_silent() -> None:
    still = KnownRun(run(700, None), at(710), 36.0, lag_s=300.0)
    assert figures([still], MORNING).mean_w == 36 * 3600 / 300
    assert figures([KnownRun(run(700, None), at(701), 0.0, lag_s=60.0)], MORNING).mean_w is None


def test_silences_are_no_pauses_and_no_known_time() -> None:
    runs = [known_run(60, 90), known_run(300, 310)]
    found = figures(runs, MORNING, [span(100, 290), span(400, 720)])
    assert found.known_s == (720 - 190 - 320) * 60.0
    assert found.longest_pause_s == 90 * 60.0
    assert found.duty == pytest.approx(40 / 210)
    assert figures([], MORNING, [MORNING]).duty is None


@pytest.mark.parametrize(
    ("starts", "most"),
    [([], 0), ([10], 1), ([10, 40, 69], 3), ([10, 40, 70], 2), ([0, 59, 61, 62, 119, 200], 3)],
)
def test_the_busiest_hour_is_any_sixty_minutes(starts: list[int], most: int) -> None:
    runs = [known_run(start, start + 1) for start in starts]
    assert figures(runs, TODAY).busiest_hour == most


def test_what_is_usual_is_the_median_of_enough_days() -> None:
    days = [Figures(1.0, run_s=each) for each in (100.0, 900.0, 200.0)]
    assert usual(days, lambda day: day.run_s) == 200.0
    assert usual(days[:1], lambda day: day.run_s) is None
    assert usual(days, lambda day: day.longest_run_s) is None
