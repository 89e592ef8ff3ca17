"""Numbers as people say them."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import translation

from powerlog.dashboard import formatting
from tests.support.pumps import NOON, at


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u2212", "-").replace("\u2013", "-")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (0, "0 s"),
        (45.4, "45 s"),
        (59.7, "1 min"),
        (750, "12 min 30 s"),
        (3599.6, "1 h"),
        (15_120, "4 h 12 min"),
        (15_149, "4 h 12 min"),
        (273_600, "3 d 4 h"),
        (86_400, "1 d"),
    ],
)
def test_a_duration_has_two_places(seconds: float | None, said: str) -> None:
    assert plain(formatting.duration(seconds)) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "-"), (0, "0 Wh"), (7.25, "7.2 Wh"), (735, "735 Wh"), (1240, "1.24 kWh")],
)
def test_energy_is_said_in_the_fitting_unit(value: float | None, said: str) -> None:
    assert plain(formatting.energy(value)) == said


@pytest.mark.parametrize(("value", "said"), [(8.34, "8.3 W"), (449.6, "450 W"), (None, "-")])
def test_power_is_as_exact_as_makes_sense(value: float | None, said: str) -> None:
    assert plain(formatting.power(value)) == said


def test_numbers_are_those_of_the_readers_locale() -> None:
    with translation.override("de"):
        assert plain(formatting.energy(1240)) == "1,24 kWh"
        assert formatting.number(1234567) == "1.234.567"
    with translation.override("en"):
        assert formatting.number(-1234.5, 1) == "\u22121,234.5"


def test_shares_volumes_and_money(settings: Any) -> None:
    settings.CURRENCY = "CHF"
    assert plain(formatting.money(1.226)) == "1.23 CHF"
    assert [plain(formatting.volume(each)) for each in (None, 0.5, 16.04)] == [
        "-",
        "0.50 m³",
        "16.0 m³",
    ]
    shares = [plain(formatting.percent(each)) for each in (None, 0.0, 0.043, 0.236)]
    assert shares == ["-", "0 %", "4.3 %", "24 %"]


def test_times_are_local_and_of_24_hours(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    assert formatting.clock(at(13 * 60 + 5)) == "15:05"
    assert formatting.clock(at(0, 7), seconds=True) == "02:00:07"


def test_a_moment_of_another_day_bears_its_date() -> None:
    assert formatting.since(at(61), NOON) == "01:01"
    assert plain(formatting.since(at(61) - timedelta(days=1), NOON)) == "Thu April 30, 01:01"
    with translation.override("de"):
        assert plain(formatting.since(at(61) - timedelta(days=1), NOON)) == "Do 30. April, 01:01"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0 s ago"),
        (12.9, "12 s ago"),
        (180, "3 min ago"),
        (7200, "2 h ago"),
        (172_800, "2 days ago"),
    ],
)
def test_how_long_ago_something_was(seconds: float, said: str) -> None:
    assert formatting.ago(seconds) == said
