"""`manage.py check_runs`: what it says, what it changes, and its exit code."""

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from powerlog.database.store import WRITER, store
from powerlog.management.commands import check_runs as command
from powerlog.models import PowerLog
from powerlog.models import Run as RunRow
from tests.database.test_day_totals import HOUR, run, totals
from tests.database.test_implausible_runs import SPIKE, minutes, runs
from tests.support.frames import PUMP

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", WRITER])
LINE = f"{PUMP} switch:2  2025-06-16 00:10:00  2 min: 81,271.0 Wh booked, 12.0 Wh explained"
SUM = "the power does not explain the energy: 81,271.0 Wh booked, 12.0 Wh explained."


@pytest.fixture(autouse=True)
def _zone(settings: Any) -> Iterator[None]:
    settings.TIME_ZONE = "Europe/Berlin"
    with timezone.override("Europe/Berlin"):
        yield


@pytest.fixture
def spike() -> None:
    """Two runs that are right, and one between them that is not."""
    store([*minutes(600, 720), run(0, 60, booked_wh=6.0), run(900, 960, booked_wh=6.0)])
    store([run(600, 720, booked_wh=SPIKE)])


def check(*arguments: str) -> tuple[list[str], str]:
    """What it writes, line by line, and the error with which it ends."""
    out, err = StringIO(), ""
    try:
        call_command("check_runs", *arguments, stdout=out)
    except CommandError as exc:
        err = str(exc)
    return out.getvalue().splitlines(), err


def test_where_nothing_is_wrong_it_says_so_calmly() -> None:
    assert check() == (["0 runs checked: their power explains their energy."], "")
    store([run(0, 60, booked_wh=6.0)])
    assert check("--repair") == (["1 run checked: their power explains their energy."], "")


def test_without_repair_it_lists_what_is_wrong_and_changes_nothing(spike: None) -> None:
    before = (runs(), totals())
    lines, error = check()
    assert lines == [f"{LINE}, not repaired", f"3 runs checked, of 1 {SUM}"]
    assert error == "1 not repaired: --repair does so."
    assert (runs(), totals()) == before


def test_with_repair_all_is_right_and_the_next_time_finds_nothing(spike: None) -> None:
    lines, error = check("--repair")
    repaired = "1 run repaired, with the totals of their days."
    assert (lines, error) == ([f"{LINE}, repaired", f"3 runs checked, of 1 {SUM}", repaired], "")
    assert totals()[16][3:5] == (240.0, 24.0)
    assert check() == (["3 runs checked: their power explains their energy."], "")


def test_an_open_run_is_listed_and_left_until_it_has_ended() -> None:
    store([*minutes(600, 720), run(600, None, booked_wh=SPIKE, heard_at=run(720, None).started_at)])
    lines, error = check("--repair")
    assert lines[0] == f"{LINE}, still open"
    assert error == "1 still open: run this again once ended."
    store([*minutes(600, 720), run(600, 720, booked_wh=SPIKE)])
    assert check("--repair")[1] == ""


def test_where_the_minute_rows_are_gone_staff_decide(spike: None) -> None:
    PowerLog.objects.all().delete()
    lines, error = check("--repair")
    assert lines[0].endswith("81,271.0 Wh booked, at most 14.3 Wh explained, minute rows are gone")
    assert error == "1 without minute rows: --repair peak mends these as well."
    assert check("--repair", "peak")[1] == ""
    assert totals()[16][4] == pytest.approx(12.0 + 430.0 / 30, abs=0.001)


def test_a_run_that_changes_meanwhile_is_left_to_the_next_time(
    spike: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "repair", lambda found, by_peak: set())
    lines, error = check("--repair")
    assert lines[0] == f"{LINE}, changed meanwhile"
    assert error == "1 changed meanwhile: run this again."


@pytest.mark.parametrize(
    ("options", "checked"),
    [
        (["--device", PUMP], 3),
        (["--device", "another"], 0),
        (["--channel", "switch:1"], 0),
        (["--from", "2025-06-16 00:10"], 2),
        (["--from", "2025-06-17"], 0),
    ],
)
def test_it_looks_at_the_runs_that_are_asked_for(
    spike: None, options: list[str], checked: int
) -> None:
    (*_, line), _ = check(*options)
    assert line.startswith(f"{checked} runs checked")


def test_an_option_that_makes_no_sense_is_named() -> None:
    assert re.match("--from: .*date", check("--from", "yesterday")[1])


def test_progress_is_told_while_it_takes_long(spike: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PROGRESS_S", -1)
    err = StringIO()
    call_command("check_runs", "--repair", stdout=StringIO(), stderr=err)
    assert err.getvalue() == "3 runs so far\n"


def test_ctrl_c_says_how_far_it_has_come(spike: None, monkeypatch: pytest.MonkeyPatch) -> None:
    find = command.find

    def interrupted(*arguments: Any) -> Iterator[Any]:
        yield from find(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "find", interrupted)
    assert check("--repair")[1] == "Interrupted after 3 runs, 1 repaired."
    assert RunRow.objects.filter(energy_wh__gt=HOUR).count() == 0
