"""`manage.py export`: the search as options, whole files or none, progress apart from the data."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from powerlog.database.store import WRITER
from powerlog.management.commands import export as command
from powerlog.models import DayTotal, PowerLog
from powerlog.search.csv_export import BOM, ROWS, TABLES
from tests.support.servers import ROOT, environment
from tests.test_models import row

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", WRITER])


@pytest.fixture(autouse=True)
def _zone(settings: Any) -> Iterator[None]:
    settings.TIME_ZONE = "Europe/Berlin"
    with timezone.override("Europe/Berlin"):
        yield


def run(*arguments: str) -> str:
    """What it says, on standard error."""
    err = StringIO()
    call_command("export", *arguments, stderr=err)
    return err.getvalue()


def test_a_file_begins_with_the_mark_of_utf_8_and_is_readable_by_all(tmp_path: Path) -> None:
    row().save()
    path = tmp_path / "rows.csv"
    assert run("rows", "--output", str(path)) == f"1 row in {path}\n"
    content = path.read_bytes()
    assert content.startswith(BOM + ROWS.header)
    assert content.count(b"\n") == 2
    assert path.stat().st_mode & 0o777 == 0o666 & ~command.umask()


def test_standard_output_has_the_data_alone_without_the_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row().save()
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written))
    assert run("rows") == "1 row\n"
    assert written.getvalue().startswith(b"time,device id,")
    assert written.getvalue().count(b"\n") == 2


def test_the_options_are_the_search_of_the_admin(tmp_path: Path) -> None:
    for minute in range(4):
        row(timestamp=datetime(2026, 5, 1, 10, minute, tzinfo=UTC)).save()
    row(device_id="other").save()
    row(apower_w=2000.0).save()
    path = tmp_path / "rows.csv"
    run(
        "rows", "--device", "pump", "--channel", "switch:2", "--from", "2026-05-01T12:01",
        "--to", "2026-05-01 12:02", "--max-w", "1000", "--source", "measured",
        "--output", str(path),
    )  # fmt: skip
    times = re.findall(r"^2026\S{21}", path.read_text("utf-8-sig"), re.MULTILINE)
    assert times == ["2026-05-01T12:01:00+02:00", "2026-05-01T12:02:00+02:00"]


def test_a_time_that_clocks_leave_out_means_the_moment_of_their_jump(tmp_path: Path) -> None:
    start = datetime(2026, 3, 28, 23, tzinfo=UTC)  # midnight in Berlin, two hours before the jump
    PowerLog.objects.bulk_create(
        row(timestamp=start + timedelta(minutes=minute)) for minute in range(240)
    )
    path, other = tmp_path / "to.csv", tmp_path / "from.csv"
    said = run(
        "rows", "--from", "2026-03-29 00:50", "--to", "2026-03-29 02:00", "--output", str(path)
    )
    assert said == f"70 rows in {path}\n"
    said = run(
        "rows", "--from", "2026-03-29 02:30", "--to", "2026-03-29 03:10", "--output", str(other)
    )
    assert said == f"11 rows in {other}\n"
    assert "2026-03-29T03:00:00+02:00" in other.read_text("utf-8-sig")


def test_days_have_dates(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        DayTotal.objects.create(device_id="pump", channel="switch:2", day=f"2026-05-0{day}")
    path = tmp_path / "days.csv"
    said = run("days", "--from", "2026-05-02", "--to", "2026-05-03", "--output", str(path))
    assert said == f"2 days in {path}\n"


def test_every_field_of_a_search_is_an_option_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    for table in TABLES.values():
        with pytest.raises(SystemExit):
            run(table.name, "--help")
        shown = capsys.readouterr().out
        for name in table.search.base_fields:
            assert f"{command.flag(name)} " in shown
        assert ("comes twice" in shown) is (table.name != "days")


def test_what_is_wrong_with_the_options_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with pytest.raises(CommandError) as caught:
        run("rows", "--from", "nonsense", "--min-w", "9", "--max-w", "5", "--output", str(path))
    assert str(caught.value).splitlines() == [
        "--from: Enter a valid date.",
        "--max-w: This ends before it begins.",
    ]
    assert not path.exists()


def test_a_file_that_is_there_is_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("the only copy")
    with pytest.raises(CommandError, match="is there already"):
        run("rows", "--output", str(path))
    monkeypatch.setattr(Path, "exists", lambda path: False)  # it has come meanwhile
    with pytest.raises(CommandError, match="is there already"):
        run("rows", "--output", str(path))
    assert path.read_text() == "the only copy"
    assert os.listdir(tmp_path) == ["rows.csv"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"rows.csv cannot be written: No such file"):
        run("rows", "--output", str(tmp_path / "nowhere" / "rows.csv"))


def broken_off(*arguments: Any) -> Iterator[command.Piece]:
    yield command.Piece(b"half\n", 1, False)
    raise KeyboardInterrupt


def test_ctrl_c_leaves_no_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "pieces_of", broken_off)
    path = tmp_path / "rows.csv"
    with pytest.raises(CommandError, match=r"Interrupted: there is no .*rows.csv"):
        run("rows", "--output", str(path))
    assert os.listdir(tmp_path) == []
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(BytesIO()))
    with pytest.raises(CommandError, match="Interrupted: what was written is not all"):
        run("rows")


def test_progress_is_told_while_it_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PROGRESS_S", -1)
    row().save()
    assert "1 so far\n" in run("rows", "--output", str(tmp_path / "rows.csv"))


def test_a_reader_that_has_enough_is_no_error_to_talk_about(
    ready_sqlite: Callable[[Path], str], tmp_path: Path
) -> None:
    url = ready_sqlite(tmp_path)
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "manage.py", "export", "rows"],
        cwd=ROOT,
        env=environment(url, tmp_path),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN),
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")
