"""The scoring notices each kind of fault where the rules go wrong on it."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from benchmarks.accuracy import playback
from benchmarks.accuracy.playback import ALL, Played, play
from benchmarks.accuracy.readings import gaps, readings, unsigned
from benchmarks.accuracy.results import Finding, Score
from benchmarks.accuracy.scenarios import Life
from benchmarks.accuracy.scoring import score_life
from powerlog.core import protocol
from powerlog.core.frame import Frame
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Rules, Sample, Sampler, Snapshot

HOURS = 3.0
SPIKE_WH = 1000.0  # more than any load here uses between two reports
Judged = list[Finding]


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    return [Life(seed, HOURS) for seed in range(1, 301)]


def of(kind: str, lives: list[Life]) -> list[Life]:
    return [life for life in lives if life.fault.kind == kind]


def found(life: Life, played: Played, rules: Rules = ALL) -> set[str]:
    score = Score()
    score_life(life, played, score, rules)
    assert all(finding.fault == life.fault.kind for finding in score.findings)
    return {finding.kind for finding in score.findings}


def found_in(lives: list[Life], wrong: type[Sampler] = Sampler) -> list[set[str]]:
    return [found(life, play(life, sampler_type=wrong)) for life in lives]


# Counters


class Credulous(Sampler):
    """Books every rise of a counter; a missing part that was returned counts as 0."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.stood: dict[str, float] = {}
        self.spikes_wh: Counter[str] = Counter()  # of channels, not yet booked
        self.booked_wh: Counter[tuple[str, float]] = Counter()  # of runs

    def restore(self, past: Snapshot) -> None:
        super().restore(past)
        if past.run is not None and past.run.counter_wh is not None:
            self.stood[past.row.channel] = past.run.counter_wh

    def feed(self, frame: Frame, now: float) -> list[Due]:
        for reading in frame.readings:
            if reading.energy_total_wh is not None:
                stands = reading.energy_total_wh - (reading.returned_wh or 0.0)
                rise_wh = stands - self.stood.get(reading.channel, stands)
                self.stood[reading.channel] = stands
                self.spikes_wh[reading.channel] += rise_wh if rise_wh > SPIKE_WH else 0.0
        return [self.with_spikes(due) for due in super().feed(frame, now)]

    def leave(self) -> list[RunState]:
        return [self.with_spikes(run) for run in super().leave()]

    def with_spikes(self, due: Any) -> Any:
        if not isinstance(due, RunState):
            return due
        name = (due.channel, due.started_at)
        self.booked_wh[name] += self.spikes_wh.pop(due.channel, 0.0)
        return msgspec.structs.replace(due, booked_wh=due.booked_wh + self.booked_wh[name])


@pytest.mark.parametrize(
    "kind", ["misread counter", "jumping counter", "replaced device", "late sign"]
)
def test_it_notices_a_counter_that_is_believed(kind: str, lives: list[Life]) -> None:
    wrong = found_in(of(kind, lives), Credulous)
    assert sum("energy" in kinds for kinds in wrong) > len(wrong) / 5


@pytest.mark.parametrize("kind", ["misread counter", "jumping counter", "silent channel"])
def test_it_notices_a_spike_of_a_few_watt_hours(kind: str, lives: list[Life]) -> None:
    noticed = spiked = 0
    for life in of(kind, lives):
        played = play(life)
        for runs in played.runs.values():
            run = max(runs.values(), key=lambda run: run.energy_wh)
            runs[run.started_at] = msgspec.structs.replace(run, booked_wh=run.booked_wh + 6)
        spiked += bool(played.runs)
        noticed += "energy" in found(life, played)
    assert spiked > 5
    assert noticed >= spiked - 1


def test_it_notices_the_import_counter_taken_for_the_net(lives: list[Life]) -> None:
    seen = 0
    for life in of("net of phases", lives):
        played = play(life)
        runs, imported_wh = played.runs.get("em:0", {}), life.channels["em:0"].counter.at
        for start, run in runs.items():
            wh = imported_wh(run.ended_at or life.end) - imported_wh(start)
            runs[start] = msgspec.structs.replace(run, booked_wh=wh, claim_ws=0.0)
        seen += "energy" in found(life, played)
    assert seen > 1


# Meters and records


def parsed_as(change: Callable[[dict[str, Any]], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the rules read each message as this makes it; None: not at all."""

    def read(text: str) -> Frame:
        frame, message = protocol.parse(text), json.loads(text)
        changed = change(message)
        return protocol.parse(json.dumps(changed)) if changed else Frame(frame.device_id)

    monkeypatch.setattr(playback, "parse", read)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return value


def test_it_notices_a_power_that_stays_in_force(
    lives: list[Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed_as(without_nulls, monkeypatch)
    wrong = set().union(*found_in(of("failing meter", lives)))
    assert {"minute with a reading", "invented", "missed end of a run"} <= wrong


def test_it_notices_a_row_of_a_record_without_a_sign(lives: list[Life]) -> None:
    seen = 0
    for life in of("unsigned record", lives):
        for name in life.channels:
            around = gaps(list(readings(life, name)))
            minutes = [m for each, feeds_in in unsigned(around, ALL) if feeds_in for m in each]
            if minutes:
                seen += 1
                assert "record without a sign" in found_with(life, name, "device", minutes[-1])
    assert seen > 3


def test_it_notices_a_row_of_the_record_of_a_refused_clock(lives: list[Life]) -> None:
    for life in of("refused clock", lives):
        name = next(iter(life.channels))
        minute = int(life.disturbances.connections[-1].start // 60) - 1
        assert "record of a refused clock" in found_with(life, name, "device", minute)


def found_with(life: Life, channel: str, source: str, minute: int) -> set[str]:
    """What the scoring finds with this row more."""
    played = play(life)
    row = Sample(minute * 60, life.device_id, channel, 89.0, 230.0, 0.4, 1000.0, source)
    played.rows.setdefault(channel, {})[minute] = row
    return found(life, played)


# What is left out, and what does not come


class Unending(Sampler):
    """Ends no run that contact is lost to."""

    def feed(self, frame: Frame, now: float) -> list[Due]:
        return [due for due in super().feed(frame, now) if not is_lost(due)]


class Vague(Sampler):
    """Takes a loss of contact for a stop."""

    def feed(self, frame: Frame, now: float) -> list[Due]:
        return [
            msgspec.structs.replace(due, end="stopped") if is_lost(due) else due
            for due in super().feed(frame, now)
        ]


def is_lost(due: Due) -> bool:
    return isinstance(due, RunState) and due.end == "lost contact"


@pytest.mark.parametrize("kind", ["other profile", "silent channel"])
def test_it_notices_a_run_that_goes_on_without_its_channel(kind: str, lives: list[Life]) -> None:
    wrong = found_in(of(kind, lives), Unending)
    assert sum("missed end of a run" in kinds for kinds in wrong) > 2


@pytest.mark.parametrize("kind", ["other profile", "silent channel"])
def test_it_notices_a_loss_of_contact_that_is_none(kind: str, lives: list[Life]) -> None:
    wrong = found_in(of(kind, lives), Vague)
    assert sum("end of a run" in kinds for kinds in wrong) > 2


def test_it_notices_rows_of_a_channel_that_is_gone(lives: list[Life]) -> None:
    for life in of("other profile", lives):
        name = next(name for name, channel in life.channels.items() if channel.gone < life.end)
        minute = int(life.channels[name].gone // 60) + 2
        assert "carried" in found_with(life, name, "carried", minute)
        assert "invented" in found_with(life, name, "device", minute)
        assert "invented" in found_with(life, name, "measured", minute)


def test_it_notices_minutes_that_are_carried_through_a_silence(lives: list[Life]) -> None:
    seen = 0
    for life in of("silent channel", lives):
        for name, channel in life.channels.items():
            for silence in channel.silences:
                if silence.until - silence.since > 480:
                    seen += 1
                    minute = int(silence.since // 60) + 2
                    assert "carried" in found_with(life, name, "carried", minute)
    assert seen > 5


def test_it_notices_answers_that_are_not_read(
    lives: list[Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed_as(lambda message: message if "method" in message else None, monkeypatch)
    wrong = found_in(of("quiet device", lives))
    assert sum("minute with a reading" in kinds for kinds in wrong) > len(wrong) / 2
    assert any("missed start of a run" in kinds for kinds in wrong)


def test_it_notices_what_is_invented_between_two_answers(lives: list[Life]) -> None:
    for life in of("quiet device", lives):
        name = next(iter(life.channels))
        read = {reading.minute for reading in readings(life, name)}
        minute = next(each for each in range(min(read), max(read)) if each not in read)
        assert "invented" in found_with(life, name, "measured", minute)


def test_it_notices_messages_that_are_dropped_for_their_texts(
    lives: list[Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed_as(lambda message: None if "\ufffd" in str(message) else message, monkeypatch)
    assert any(found_in([life for life in of("cut texts", lives) if life.channels]))


def test_it_notices_minutes_that_are_carried_without_proof(lives: list[Life]) -> None:
    bold = Rules(channels=ALL.channels, max_blind_gap_min=60)
    wrong = [found(life, play(life, bold)) for life in of("", lives)[:40]]
    assert any("carried" in kinds for kinds in wrong)
