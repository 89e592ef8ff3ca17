"""The picture of the day: where the shapes stand."""

from collections.abc import Sequence
from typing import Any

from powerlog.dashboard.chart import HEIGHT, Plot, plot
from powerlog.localtime import Span
from powerlog.models import PowerLog
from powerlog.reports.day import MeterDay
from powerlog.reports.figures import Figures
from powerlog.reports.queries import Minute
from powerlog.reports.run_usage import KnownRun
from tests.support.pumps import DAY, PUMP, TODAY, at, known_run, minutes, run, span


def day_of(
    rows: Sequence[PowerLog] = (),
    runs: Sequence[KnownRun] = (),
    gaps: Sequence[Span] = (),
    now: float = 1440,
) -> MeterDay:
    plain = [
        Minute(each.timestamp, each.apower_w, each.voltage_v, each.current_a, each.source)
        for each in rows
    ]
    return MeterDay(PUMP, DAY, TODAY, span(0, now), plain, runs, gaps, Figures(1.0))


def drawn(*args: Any, window: Span = TODAY, **kwargs: Any) -> Plot:
    return plot(day_of(*args, **kwargs), window)


def test_a_minute_stands_at_its_distance_from_midnight_as_high_as_its_power() -> None:
    picture = drawn(minutes(365, 1, apower_w=250.0))
    assert picture.paths["measured"] == f"M365 {HEIGHT}V0.0h1V{HEIGHT}z"
    assert (picture.paths["carried"], picture.width) == ("", 24 * 60)


def test_minutes_that_follow_each_other_are_one_shape() -> None:
    rows = [*minutes(10, 2, apower_w=500.0), *minutes(20, 1, apower_w=250.0)]
    path = drawn(rows).paths["measured"]
    assert path == "M10 300V0.0h1V0.0h1V300zM20 300V150.0h1V300z"


def test_minutes_of_another_kind_are_a_shape_of_their_own() -> None:
    rows = [*minutes(0, 2), *minutes(2, 1, source="carried"), *minutes(3, 1, source="device")]
    picture = drawn(rows, gaps=[span(60, 90)], runs=[known_run(0, 4)])
    assert picture.paths["carried"].startswith("M2 ")
    assert picture.paths["device"].startswith("M3 ")
    assert picture.kinds == {"measured", "device", "carried", "run", "gap"}


def test_a_day_without_anything_is_an_empty_picture_with_a_scale() -> None:
    picture = drawn()
    assert not any(picture.paths.values())
    assert picture.watts[-1] == ("0%", "10\u00a0W")
    assert (picture.kinds, picture.now) == (set(), None)


def test_runs_are_bands_that_say_what_they_were() -> None:
    (band,) = drawn(runs=[known_run(360, 432, 62.3)]).runs
    assert (band.x, band.width) == ("25%", "5%")
    assert "06:00:00\u201307:12:00, 1\u00a0h\u00a012\u00a0min, 62.3\u00a0Wh" in band.label


def test_a_run_from_the_day_before_begins_at_the_edge() -> None:
    (band,) = drawn(runs=[known_run(-60, 144)]).runs
    assert (band.x, band.width) == ("0%", "10%")
    assert band.label.startswith("23:00:00")


def test_an_open_run_ends_now_and_so_does_the_picture() -> None:
    still = KnownRun(run(576, None), at(720), 10.0)
    picture = drawn(runs=[still], now=720)
    assert (picture.runs[0].x, picture.runs[0].width) == ("40%", "10%")
    assert "\u2026" in picture.runs[0].label
    assert picture.now == "50%"


def test_of_very_many_runs_none_has_a_label() -> None:
    bands = drawn(runs=[known_run(each, each + 1) for each in range(101)]).runs
    assert {band.label for band in bands} == {""}


def test_a_momentary_run_is_still_to_be_seen() -> None:
    (band,) = drawn(runs=[known_run(360, 360)]).runs
    assert band.width != "0%"


def test_minutes_without_data_are_a_band() -> None:
    (band,) = drawn(gaps=[span(720, 864)]).gaps
    assert (band.x, band.width, band.label) == ("50%", "10%", "12:00\u201314:24")


def test_a_close_look_has_only_what_lies_in_it() -> None:
    rows = [*minutes(60, 1), *minutes(375, 1, apower_w=95.0), *minutes(500, 1)]
    runs = [known_run(60, 61), known_run(370, 380), known_run(385, 500)]
    picture = drawn(rows, runs, [span(0, 50)], window=span(360, 400), now=390)
    assert picture.paths["measured"] == "M15 300V15.0h1V300z"
    assert [(band.x, band.width) for band in picture.runs] == [("25%", "25%"), ("62.5%", "37.5%")]
    assert (picture.gaps, picture.now, picture.width) == ([], "75%", 40)
