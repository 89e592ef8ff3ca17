"""Old logs through the rules: what `manage.py replay` writes and says."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from powerlog.models import PowerLog
from tests.support.frames import NO_HANDLER, PUMP, T0, answer, delta, full, meter

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "writer"])

# A pump's session from its start to the second full minute, as a Pro 4PM of 2025 tells it.
SESSION = [
    full(T0 + 26.04, switch_0=meter(0.0, 14.0), switch_2=meter(431.5, 1500.25), sys={"uptime": 8}),
    NO_HANDLER,
    answer(switch_0=meter(0.0, 14.0), switch_2=meter(431.5, 1500.25)),
    delta(T0 + 26.1, ws={"connected": True}),
    delta(T0 + 36.1, switch_2={"apower": 0, "current": 0, "output": False, "source": "SHC"}),
    delta(T0 + 38.4, switch_2={"output": True, "source": "SHC"}),
    delta(T0 + 39.3, switch_2={"apower": 433.8, "current": 2.631}),
    delta(T0 + 46.3, switch_2={"current": 2.474}),
    delta(T0 + 60.0, switch_0=meter(0.0, 14.0)),
    delta(T0 + 60.0, switch_2=meter(432.0, 1504.5)),
    delta(T0 + 120.01, switch_2=meter(427.5, 1511.75)),
]
Replay = Callable[..., str]


@pytest.fixture
def replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Replay:
    """Writes each list of lines into a file of its own and replays the files in order."""

    def run(*logs: list[str], **options: int) -> str:
        paths = [tmp_path / f"{number}.jsonl" for number in range(len(logs))]
        for path, lines in zip(paths, logs, strict=True):
            path.write_text("\n".join(lines) + "\n")
        out = io.StringIO()
        call_command("replay", *paths, stdout=out, stderr=out, **options)
        return out.getvalue()

    return run


def table() -> list[tuple[int, str, float, float]]:
    """(seconds since T0, channel, apower_w, energy_total_wh) of every row."""
    return [
        (int(row.timestamp.timestamp()) - T0, row.channel, row.apower_w, row.energy_total_wh)
        for row in PowerLog.objects.order_by("timestamp", "channel")
    ]


def test_a_session_gives_a_row_for_each_active_minute_at_the_times_of_the_frames(
    replay: Replay,
) -> None:
    said = replay(SESSION)
    assert table() == [
        (0, "switch:2", 431.5, 1500.25),
        (60, "switch:2", 432.0, 1504.5),
        (120, "switch:2", 427.5, 1511.75),
    ]
    assert said == "0.jsonl: 11 frames, 0 bad lines, 3 rows, 3 of them new\n"


def test_replaying_it_again_changes_nothing(replay: Replay) -> None:
    replay(SESSION)
    before = table()
    assert "0 of them new" in replay(SESSION)
    assert table() == before


def test_files_are_connections_of_their_own_in_any_order(replay: Replay) -> None:
    replay(SESSION[8:], SESSION[:8])
    assert [row[0] for row in table()] == [0, 60, 120]


def test_frames_before_the_device_knew_the_time_happen_at_the_first_real_one(
    replay: Replay,
) -> None:
    replay([full(5.01, switch_2=meter(300.0)), delta(T0 + 90.0, switch_2={"current": 1.1})])
    assert [row[:3] for row in table()] == [(60, "switch:2", 300.0)]


def test_a_log_without_any_real_time_makes_no_rows_of_1970(replay: Replay) -> None:
    assert "1 frame, 0 bad lines, 0 rows" in replay([full(5.01, switch_2=meter(300.0))])
    assert table() == []


def test_a_bad_line_is_named_and_passed_over(replay: Replay) -> None:
    said = replay(["", SESSION[0], "2025-10-08 connected", SESSION[9]])
    assert "0.jsonl, line 3: not JSON" in said
    assert "2 frames, 1 bad line, 2 rows" in said


def test_the_rows_are_shown_on_request(replay: Replay) -> None:
    said = replay(SESSION[:1], verbosity=2)
    assert f"{PUMP} switch:2  431.5 W  229.4 V  2.351 A  1500.250 Wh  measured\n" in said


def test_a_file_that_is_not_there_is_an_error_before_anything_is_written(
    replay: Replay, tmp_path: Path
) -> None:
    (tmp_path / "here.jsonl").write_text(SESSION[0])
    with pytest.raises(CommandError, match="is not a file"):
        call_command("replay", tmp_path / "here.jsonl", tmp_path / "missing.jsonl")
    assert table() == []
