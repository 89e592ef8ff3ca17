"""The runs of a day as a table and as a file."""

import csv
import io
from typing import Any

import pytest

from powerlog.dashboard.runs_table import HEADER, SORTS, as_csv, columns, lines
from powerlog.reports.run_usage import KnownRun
from tests.dashboard.test_chart import day_of
from tests.support.pumps import at, known_run, minutes, run


def read(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_a_run_has_the_means_of_its_minutes() -> None:
    rows = [
        *minutes(60, 1, voltage_v=228.0, current_a=2.0),
        *minutes(61, 1, voltage_v=230.0, current_a=4.0),
        *minutes(90, 1, voltage_v=1.0),
    ]
    first, second = lines(day_of(rows, [known_run(60.5, 62), known_run(70, 75)]))
    assert (first.mean_v, first.mean_a) == (229.0, 3.0)
    assert (second.mean_v, second.mean_a) == (None, None)


def test_what_was_never_reported_does_not_spoil_a_mean() -> None:
    rows = [*minutes(60, 1, voltage_v=0.0), *minutes(61, 1, voltage_v=230.0)]
    (line,) = lines(day_of(rows, [known_run(60, 62)]))
    assert line.mean_v == 230.0


def test_the_minute_of_two_runs_is_the_first_ones() -> None:
    first, second = lines(day_of(minutes(60, 1), [known_run(60, 60.3), known_run(60.5, 61)]))
    assert (first.mean_v, second.mean_v) == (229.0, None)


def test_a_table_says_how_a_run_ended() -> None:
    still = KnownRun(run(100, None), at(110), 5.0)
    table = lines(day_of(runs=[known_run(60, 62), known_run(70, 75, end="lost contact"), still]))
    assert [line.ended for line in table] == ["stopped", "contact lost", "still running"]
    assert (table[0].start, table[0].cells[:2]) == ("01:00:00", ("01:02:00", "2\u00a0min"))
    assert table[2].cells[0] == "\u2013"


def test_the_peak_of_an_open_run_is_the_one_of_its_rows() -> None:
    still = KnownRun(run(100, None), at(110), 5.0)
    (line,) = lines(day_of(minutes(100, 2, apower_w=470.0), [still]))
    assert line.peak_w == 470.0


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("start", [60, 70, 80]),
        ("-start", [80, 70, 60]),
        ("duration", [70, 60, 80]),
        ("-energy", [70, 80, 60]),
        ("nonsense", [60, 70, 80]),
        ("", [60, 70, 80]),
    ],
)
def test_the_table_is_sorted_as_the_reader_likes(sort: str, order: list[int]) -> None:
    runs = [known_run(60, 65, 1.0), known_run(70, 71, 9.0), known_run(80, 89, 4.0)]
    table = lines(day_of(runs=runs), sort)
    assert [line.known.run.started_at for line in table] == [at(minute) for minute in order]


def test_every_column_can_be_sorted_by() -> None:
    day = day_of(minutes(60, 2), [known_run(60, 62), known_run(70, 75)])
    for key in SORTS:
        assert len(lines(day, f"-{key}")) == 2
    heads = columns("end", "?day=x")
    # Already sorted by the end: the next time the other way round.
    ways = ["start", "-end", *(f"-{key}" for key in list(SORTS)[2:])]
    assert [each.url for each in heads] == [f"?day=x&sort={way}" for way in ways]
    assert [each.order for each in heads] == ["", "ascending", *[""] * 6]
    assert columns("-energy", "?")[3][1:] == ("?&sort=energy", "descending")


def test_the_file_has_units_in_its_header_and_times_with_their_zone(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    still = KnownRun(run(100, None), at(110), 5.0)
    first, second = read(as_csv(day_of(minutes(60, 2), [known_run(60, 62, 14.25), still])))
    assert first == dict(
        zip(
            HEADER,
            [
                "pump",
                "switch:2",
                "2026-05-01T03:00:00+02:00",
                "2026-05-01T03:02:00+02:00",
                "120",
                "14.250",
                "427.5",
                "229.0",
                "2.400",
                "450.0",
                "stopped",
                "1",
            ],
            strict=True,
        )
    )
    assert (second["ended_at"], second["mean_v"], second["how_it_ended"]) == ("", "", "running")
