"""The figures as the page says them."""

from dataclasses import replace
from typing import Any

import pytest

from powerlog.dashboard.cards import Card, cards, comparison, summary
from powerlog.reports.day import MeterDay
from powerlog.reports.figures import Figures
from tests.dashboard.test_chart import day_of
from tests.support.pumps import PUMP

TODAY = Figures(
    known_s=36_000.0, run_s=3600.0, energy_wh=430.0, runs=6, peak_w=451.0, busiest_hour=2
)


def day(*usually: Figures, now: float = 1440, **meter: Any) -> MeterDay:
    made = replace(day_of(now=now), figures=TODAY, usually=usually)
    return replace(made, meter=replace(PUMP, **meter))


def card(made: MeterDay, label: str) -> Card:
    return next(each for part in cards(made) for each in part if each.label == label)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u2212", "-")


def test_the_figures_are_said_with_their_units() -> None:
    main, more = cards(day())
    assert [(each.label, plain(each.value)) for each in main] == [
        ("Run time", "1 h"),
        ("Runs", "6"),
        ("Energy", "430 Wh"),
    ]
    said = {each.label: plain(each.value) for each in more}
    assert (said["Mean power"], said["Peak power"]) == ("430 W", "451 W")
    assert (said["Share of the time"], said["Most starts per hour"]) == ("10 %", "2")
    assert {each.change for each in [*main, *more]} == {""}


def test_price_and_flow_make_cost_and_volume() -> None:
    made = day(price_kwh=0.32, flow_m3h=3.2)
    assert plain(card(made, "Cost").value) == "0.14 EUR"
    assert plain(card(made, "Water pumped").value) == "3.20 m³"
    assert plain(card(day(price_kwh=0.0), "Cost").value) == "0.00 EUR"


@pytest.mark.parametrize(
    ("usual_s", "change", "way"),
    [
        (3000.0, "+20 %", "up"),
        (4500.0, "-20 %", "down"),
        (3610.0, "as usual", "same"),
        (1201.0, "+200 %", "up"),
        (1200.0, "3.0 times", "up"),
        (150.0, "24 times", "up"),
        (0.0, "+1 h", "up"),
    ],
)
def test_each_is_compared_with_what_is_usual(usual_s: float, change: str, way: str) -> None:
    usual = replace(TODAY, run_s=usual_s)
    found = card(day(usual, usual), "Run time")
    assert (plain(found.change), found.way) == (change, way)


def test_one_day_is_not_what_is_usual() -> None:
    assert card(day(replace(TODAY, run_s=1.0)), "Run time").change == ""
    assert comparison(day(TODAY)) == ""


def test_a_figure_that_is_not_known_has_nothing_to_compare() -> None:
    longest = replace(TODAY, longest_run_s=60.0)
    assert card(day(longest, longest), "Longest run") == Card("Longest run", "\u2013")


def test_the_median_of_counts_may_lie_between_two() -> None:
    found = card(day(replace(TODAY, runs=3), replace(TODAY, runs=6)), "Runs")
    assert found.usually == "4.5"


def test_it_says_with_what_it_compares() -> None:
    whole = comparison(day(TODAY, TODAY, TODAY))
    assert whole == "Usual is the median of the last 3 such weekdays."
    assert "by this time of day" in comparison(day(TODAY, TODAY, now=720))


def test_a_channel_is_summed_up_in_a_line() -> None:
    said = [plain(cell) for cell in summary(day(price_kwh=0.4))]
    assert said == ["1 h", "6", "430 Wh", "0.17 EUR", "451 W"]
    assert summary(day())[3] == "\u2013"
