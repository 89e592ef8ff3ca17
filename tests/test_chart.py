"""The picture of the day: where the shapes stand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from powerlog.chart import HEIGHT, day_chart
from powerlog.models import PowerLog
from powerlog.stats import PumpDay

from .test_models import row

MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)


def day_of(*rows: PowerLog, start: datetime = MIDNIGHT, hours: int = 24) -> PumpDay:
    return PumpDay(start, start + timedelta(hours=hours), rows)


def test_a_minute_stands_at_its_distance_from_midnight_as_high_as_its_power() -> None:
    minute = row(timestamp=MIDNIGHT + timedelta(hours=6, minutes=5), apower_w=250.0)
    chart = day_chart(day_of(minute))
    assert chart.paths["measured"] == f"M365 {HEIGHT}v-150.0h1V{HEIGHT}z"
    assert (chart.paths["carried"], chart.width) == ("", 24 * 60)


def test_minutes_of_another_source_are_a_path_of_their_own() -> None:
    chart = day_chart(day_of(row(timestamp=MIDNIGHT, source="carried")))
    assert chart.paths["carried"].startswith("M0 ")
    assert chart.paths["measured"] == ""


@pytest.mark.parametrize(
    ("peak", "top"), [(6, "10 W"), (10, "10 W"), (11, "20 W"), (451, "500 W"), (1001, "2000 W")]
)
def test_the_scale_ends_at_a_round_power_above_the_peak(peak: float, top: str) -> None:
    chart = day_chart(day_of(row(timestamp=MIDNIGHT, apower_w=peak)))
    assert chart.watts[-1] == (0.0, top)
    assert chart.watts[0] == (100.0, "0 W")


def test_a_day_without_rows_is_an_empty_picture() -> None:
    chart = day_chart(day_of())
    assert not any(chart.paths.values())
    assert chart.watts[-1][1] == "10 W"


def test_the_hours_of_a_day_in_which_the_clocks_change_stand_where_they_are(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    start = timezone.make_aware(
        datetime.combine(date(2026, 3, 29), datetime.min.time())
    ).astimezone(UTC)
    chart = day_chart(day_of(start=start, hours=23))
    assert chart.hours[:3] == [
        (0.0, "00:00"),
        (8.696, "03:00"),
        (21.739, "06:00"),
    ]
    assert chart.width == 23 * 60
