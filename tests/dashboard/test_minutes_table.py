"""The table behind the picture, and the numbers of the crosshair."""

from powerlog.dashboard.minutes_table import numbers, table
from tests.dashboard.test_chart import day_of
from tests.support.pumps import MIDNIGHT, TODAY, minutes, span


def said(cells: list[str]) -> list[str]:
    return [cell.replace("\u00a0", " ").replace("\u2013", "-") for cell in cells]


def test_a_day_is_a_table_by_the_hour() -> None:
    rows = [*minutes(61, 2, apower_w=400.0), *minutes(65, 1, apower_w=430.0, source="carried")]
    lines = table(day_of(rows, gaps=[span(110, 130)], now=150), TODAY)
    assert [[line.start, *said(line.cells)] for line in lines] == [
        ["00:00", "-", "-", "-", "-", "0", "0", "0", "0"],
        ["01:00", "410 W", "430 W", "229.0 V", "2.40 A", "3", "0", "1", "10"],
        ["02:00", "-", "-", "-", "-", "0", "0", "0", "10"],
    ]


def test_a_close_look_is_a_table_by_the_minute() -> None:
    rows = minutes(61, 2, source="device")
    lines = table(day_of(rows), span(60, 65))
    assert [line.start for line in lines] == ["01:00", "01:01", "01:02", "01:03", "01:04"]
    assert [line.cells[4:6] for line in lines[:2]] == [["0", "0"], ["1", "1"]]


def test_a_voltage_that_was_never_reported_is_left_out() -> None:
    rows = [*minutes(0, 1, voltage_v=0.0, current_a=0.0), *minutes(1, 1, current_a=0.0)]
    (line,) = table(day_of(rows, now=60), TODAY)
    assert said(line.cells)[2:4] == ["229.0 V", "-"]


def test_nothing_is_said_of_what_has_not_come() -> None:
    assert table(day_of(now=0), TODAY) == []
    assert table(day_of(now=60), span(100, 200)) == []


def test_the_crosshair_gets_the_minutes_of_every_channel() -> None:
    first = day_of(minutes(61, 1), gaps=[span(100, 110)], now=720)
    second = day_of(minutes(7, 1, source="carried"), now=720)
    found = numbers([first, second])
    assert (found["start"], found["passed"]) == (int(MIDNIGHT.timestamp()), 720)
    one, other = found["meters"]
    assert one == {"name": "Well", "minutes": [[61, 430.0, 229.0, 2.4, "m"]], "gaps": [[100, 110]]}
    assert other["minutes"][0][4] == "c"
