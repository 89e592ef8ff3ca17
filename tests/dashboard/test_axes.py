"""Where the labels of a picture stand."""

from datetime import date, timedelta
from typing import Any

import pytest

from powerlog.dashboard.axes import percent, scale, times
from powerlog.localtime import local_day
from tests.support.pumps import TODAY, span


@pytest.mark.parametrize(
    ("peak", "top", "step"),
    [(0, 10, 2), (11, 12.5, 2.5), (451, 500, 100), (818, 1000, 200), (1001, 1250, 250)],
)
def test_the_scale_ends_at_a_round_number_above_the_peak(
    peak: float, top: float, step: float
) -> None:
    found = scale(peak, least=10.0)
    assert (found.top, found.step) == (top, step)
    assert 3 <= found.top / found.step <= 5


@pytest.mark.parametrize("peak", [0.3, 1.0, 7.7, 9.99, 123.4, 99_999.0])
def test_nothing_is_ever_higher_than_the_scale(peak: float) -> None:
    assert scale(peak, least=0.1).top >= peak


def test_labels_begin_at_the_foot_with_nothing() -> None:
    labels = [(where, text.replace("\u00a0", " ")) for where, text in scale(451, 10).labels("W")]
    assert labels[0] == ("100%", "0 W")
    assert labels[-1] == ("0%", "500 W")
    halves = [text for _, text in scale(11, 10).labels("h")]
    assert halves[1] == "2.5\u00a0h"


def test_a_percentage_is_written_as_svg_has_it() -> None:
    assert [percent(each) for each in (0, 0.5, 1 / 3, 1)] == ["0%", "50%", "33.333%", "100%"]


def test_a_day_has_a_label_every_three_hours() -> None:
    labels = times(TODAY)
    assert [text for _, text in labels] == [f"{hour:02}:00" for hour in range(0, 24, 3)]
    assert labels[1][0] == "12.5%"


@pytest.mark.parametrize(
    ("day", "first"), [(date(2026, 3, 29), "8.696%"), (date(2026, 10, 25), "16%")]
)
def test_a_clock_that_changes_moves_the_labels(settings: Any, day: date, first: str) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    labels = times(local_day(day))
    assert [text for _, text in labels][:3] == ["00:00", "03:00", "06:00"]
    assert labels[1][0] == first


def test_the_hour_that_comes_twice_is_labelled_twice(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    start = local_day(date(2026, 10, 25)).start
    window = type(TODAY)(start + timedelta(minutes=90), start + timedelta(minutes=270))
    assert [text for _, text in times(window)].count("02:00") == 2


@pytest.mark.parametrize(
    ("start", "end", "labels"),
    [
        (383, 390, ["06:23", "06:24", "06:25", "06:26", "06:27", "06:28", "06:29"]),
        (381, 400, ["06:25", "06:30", "06:35"]),
        (361, 520, ["06:30", "07:00", "07:30", "08:00", "08:30"]),
    ],
)
def test_a_close_look_has_closer_labels(start: int, end: int, labels: list[str]) -> None:
    assert [text for _, text in times(span(start, end))] == labels


def test_zones_apart_by_quarters_of_an_hour_have_round_labels(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kathmandu"
    assert [text for _, text in times(span(375, 555))] == [
        "12:00",
        "12:30",
        "13:00",
        "13:30",
        "14:00",
        "14:30",
    ]
