"""The scoring: right is right, each kind of wrong is noticed, and the core deserves its score."""

from collections.abc import Iterable

import msgspec
import pytest

from benchmarks.accuracy import __main__ as command
from benchmarks.accuracy.__main__ import described
from benchmarks.accuracy.faults import FAULTS
from benchmarks.accuracy.playback import ALL, play
from benchmarks.accuracy.results import Finding, Score
from benchmarks.accuracy.scenarios import Life
from benchmarks.accuracy.scoring import score_life
from powerlog.core.frame import Frame
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Rules, Sample, Sampler

MANY = 150


@pytest.fixture(scope="module")
def few() -> list[Life]:
    """Drawn where they are asked for, and not wherever this module is read."""
    return [Life(seed, 3.0) for seed in range(1, 21)]


def score_of(
    lives: Iterable[Life], rules: Rules = ALL, sampler_type: type[Sampler] = Sampler
) -> Score:
    score = Score()
    for life in lives:
        score_life(life, play(life, rules, sampler_type), score)
    return score


def kinds(score: Score) -> set[str]:
    return {finding.kind for finding in score.findings}


@pytest.fixture(scope="module")
def score() -> Score:
    return score_of(Life(seed, 3.0) for seed in range(1000, 1000 + MANY))


# What the core is worth


def test_there_is_something_to_judge(score: Score) -> None:
    assert score.lives == MANY
    assert score.read > 40_000
    assert score.recorded > 100
    assert score.turns > 1000
    assert score.carried > 100


def test_every_minute_that_a_reading_or_the_record_vouches_for_is_right(score: Score) -> None:
    assert score.read_right == score.read
    assert score.recorded_right == score.recorded
    assert score.holes == 0


def test_no_minute_is_invented(score: Score) -> None:
    assert score.invented == {"measured": 0, "device": 0}


def test_runs_turn_within_a_second_of_the_truth(score: Score) -> None:
    assert score.turns_right == score.turns
    assert score.turns_false == 0


def test_the_energy_of_runs_is_within_a_watt_hour(score: Score) -> None:
    assert [off for off in score.energy_wh if abs(off) > 1] == []


def test_every_fault_is_met_as_the_rules_promise(score: Score) -> None:
    assert set(score.faulty) == {each.kind for each in FAULTS}
    assert score.faulty_right == score.faulty


def test_nothing_else_is_found(score: Score) -> None:
    assert score.worst(10) == []


# What the scoring notices


class Wrong(Sampler):
    """Tells something else than the rules say."""

    def feed(self, frame: Frame, now: float) -> list[Due]:
        return [other for due in super().feed(frame, now) for other in self.altered(due)]

    def altered(self, due: Due) -> list[Due]:
        if isinstance(due, RunState):
            return self.altered_run(due)
        return self.altered_row(due)

    def altered_row(self, row: Sample) -> list[Due]:
        return [row]

    def altered_run(self, run: RunState) -> list[Due]:
        return [run]


def test_it_notices_another_threshold(few: list[Life]) -> None:
    score = score_of(few, Rules(channels=ALL.channels, power_threshold_w=100.0))
    assert score.read_right < score.read
    assert {"minute with a reading", "missed start of a run"} <= kinds(score)


def test_it_notices_a_lower_threshold(few: list[Life]) -> None:
    score = score_of(few, Rules(channels=ALL.channels, power_threshold_w=0.5))
    assert score.invented["measured"] > 0
    assert score.turns_false > 0


def test_it_notices_rows_that_are_missing(few: list[Life]) -> None:
    class Forgetful(Wrong):
        def altered_row(self, row: Sample) -> list[Due]:
            return [row] if row.ts % 600 else []

    score = score_of(few, sampler_type=Forgetful)
    assert 0.85 < score.read_right / score.read < 1


def test_it_notices_gaps_that_are_not_filled(few: list[Life]) -> None:
    score = score_of(few, Rules(channels=ALL.channels, max_blind_gap_min=0))
    assert score.holes > 0
    assert score.read_right == score.read


def test_it_notices_a_record_read_a_minute_off(few: list[Life]) -> None:
    class Shifted(Wrong):
        def altered_row(self, row: Sample) -> list[Due]:
            return [msgspec.structs.replace(row, ts=row.ts - 60 * (row.source == "device"))]

    score = score_of(few, sampler_type=Shifted)
    assert score.recorded_right < score.recorded
    assert "wrong power" in kinds(score)


def test_it_notices_invented_minutes(few: list[Life]) -> None:
    class Eager(Wrong):
        def altered_row(self, row: Sample) -> list[Due]:
            return [msgspec.structs.replace(row, ts=row.ts + 60 * n) for n in range(60)]

    score = score_of(few, sampler_type=Eager)
    assert min(score.invented.values()) > 0
    assert "invented" in kinds(score)


def test_it_notices_runs_that_are_seconds_off(few: list[Life]) -> None:
    class Slow(Wrong):
        def altered_run(self, run: RunState) -> list[Due]:
            return [msgspec.structs.replace(run, started_at=run.started_at + 3)]

    score = score_of(few, sampler_type=Slow)
    assert {"missed start of a run", "false start of a run"} <= kinds(score)


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_it_notices_energy_that_is_off(factor: float, few: list[Life]) -> None:
    class Greedy(Wrong):
        def altered_run(self, run: RunState) -> list[Due]:
            booked_wh = run.booked_wh * factor
            return [msgspec.structs.replace(run, booked_wh=booked_wh)]

    right, score = score_of(few), score_of(few, sampler_type=Greedy)
    assert sum(map(abs, score.energy_wh)) > sum(map(abs, right.energy_wh)) + 5
    assert "energy" in kinds(score)


def test_it_notices_a_channel_without_a_meter(few: list[Life]) -> None:
    relay = next(life for life in map(Life, range(100)) if life.device.kind == "relay")
    pump = next(life for life in few if life.device.kind == "switch")
    score = Score()
    score_life(relay, play(pump), score)
    assert kinds(score) == {"no channel"}


# The command


def test_the_command_prints_a_table_and_the_worst_findings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command.main(["--lives", "2", "--hours", "1", "--seed", "7"])
    printed = capsys.readouterr().out
    assert printed.startswith("lives                          2: ")
    assert "\nlives with misfortunes         " in printed
    assert "invented, device               0" in printed


def test_the_command_names_the_seed_of_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = Rules(channels=ALL.channels, power_threshold_w=100.0)
    monkeypatch.setattr(command, "play", lambda life: play(life, strict))
    command.main(["--lives", "3", "--hours", "1"])
    printed = capsys.readouterr().out
    assert "minute with a reading: " in printed
    assert "\nseed " in printed


def test_the_command_reports_its_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "PROGRESS_S", -1.0)
    command.main(["--lives", "2", "--hours", "1"])
    assert capsys.readouterr().err == "1 of 2 lives\n2 of 2 lives\n"


def test_the_command_names_the_fault_in_the_life_of_a_finding() -> None:
    finding = Finding("energy", 7, "switch:2", 3600.0, "off by +9 Wh", 9.0, "misread counter")
    line = "seed 7 switch:2 01:00:00: energy: off by +9 Wh"
    assert described(finding) == f"{line} (misread counter)"
    assert described(finding._replace(fault="")) == line


def test_the_table_counts_the_lives_of_each_fault() -> None:
    score = Score()
    score.faulty.update({"cut texts": 2, "late sign": 3})
    score.faulty_right.update({"late sign": 3})
    assert score.table().splitlines()[-3:] == [
        "lives with misfortunes         3 of 5 right (60 %)",
        "  cut texts                    0 of 2 right (0 %)",
        "  late sign                    3 of 3 right (100 %)",
    ]
