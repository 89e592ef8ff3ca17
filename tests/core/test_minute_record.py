"""The device's own record of three minutes, as the parser reads it."""

from typing import Any

import pytest

from powerlog.core.frame import MinuteRecord
from tests.core.test_protocol import only_reading
from tests.support.frames import T0


def test_the_minute_record_comes_with_what_was_returned_to_the_grid() -> None:
    energy = {"total": 9.5, "by_minute": [3.5, 2, 1], "minute_ts": T0}
    returned = {"total": 1.5, "by_minute": [0.5, 0, 1], "minute_ts": T0}
    reading = only_reading({"aenergy": energy, "ret_aenergy": returned})
    assert reading.returned_wh == 1.5
    assert reading.record == MinuteRecord(T0, (3.5, 2.0, 1.0), (0.5, 0.0, 1.0))


@pytest.mark.parametrize(
    "nonsense",
    [
        {"by_minute": [1, 2]},
        {"by_minute": [1, 2, 3, 4]},
        {"by_minute": [1, None, 3]},
        {"by_minute": ["1", "2", "3"]},
        {"by_minute": None},
        {"by_minute": {"0": 1}},
        {"minute_ts": None},
        {"minute_ts": "now"},
    ],
)
def test_a_minute_record_that_is_nonsense_is_none(nonsense: dict[str, Any]) -> None:
    energy = {"total": 9.5, "by_minute": [3.5, 2, 1], "minute_ts": T0}
    reading = only_reading({"aenergy": energy | nonsense})
    assert (reading.energy_total_wh, reading.record) == (9.5, None)


M = T0 // 60


THREE = [(M - 1, 60.0, 1.0), (M - 2, 120.0, 3.0), (M - 3, 180.0, 6.0)]
TWO = [(M - 1, 120.0, 3.0), (M - 2, 180.0, 6.0)]


@pytest.mark.parametrize(
    ("minute_ts", "at", "minutes"),
    [
        (T0, T0 + 17.0, THREE),
        (T0 - 1, T0 + 0.7, THREE),
        (T0 + 34, T0 + 36.0, TWO),
        (T0 + 59, T0 + 59.8, TWO),
    ],
    ids=["1.2 and later", "1.1 on the full minute", "1.1 in between", "1.1 just before"],
)
def test_the_minutes_of_a_record_depend_on_the_age_of_the_firmware(
    minute_ts: int, at: float, minutes: list[tuple[int, float, float]]
) -> None:
    record = MinuteRecord(minute_ts, (1000.0, 2000.0, 3000.0))
    said = list(record.complete(at))
    assert [(each.minute, each.mean_w, each.counted_wh) for each in said] == minutes
    assert [each.drawn_w for each in said] == [each.mean_w for each in said]


def test_what_went_back_to_the_grid_is_not_drawn() -> None:
    record = MinuteRecord(T0, (5000.0, 6000.0, 7000.0), (5000.0, 1000.0, 0.0))
    minutes = [(each.mean_w, each.drawn_w) for each in record.complete(T0)]
    assert minutes == [(-300.0, 0.0), (240.0, 300.0), (420.0, 420.0)]
