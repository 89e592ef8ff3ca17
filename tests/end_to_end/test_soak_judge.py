"""The judge of the soak finds what is wrong, and knows what nobody can be blamed for."""

from collections.abc import Callable

import msgspec
import pytest

from benchmarks.accuracy.playback import Played
from powerlog.core.run_state import RunState
from powerlog.simulation.curves import BLOCK_S, Cycle
from powerlog.simulation.pro4pm import OFF, SimulatedShelly
from tests.support.chaos import Span
from tests.support.fleet import Sent, Shelly
from tests.support.frames import T0
from tests.support.soak_judge import Score, should_be

CHANNEL = "switch:2"
KILLED = T0 + 301.0
BACK = KILLED + 40
OUTAGE = Span("stopped", KILLED - 5, KILLED + 5)
KILL = Span("SIGKILL", KILLED, BACK)


@pytest.fixture
def shelly() -> Shelly:
    """Ten minutes of a device that lost its collector for 40 seconds of them."""
    shelly = Shelly(7, "a device")
    loads = (OFF, OFF, Cycle("always on", 300.0, 0.8, BLOCK_S))
    shelly.simulated = SimulatedShelly(shelly.simulated.device_id, 7, T0, loads)
    for since, until in ((T0, KILLED), (BACK, T0 + 600.0)):
        shelly.connected.append(since)
        connection = len(shelly.connected)
        shelly.sent.append(Sent(connection, since, shelly.simulated.full_status(since)))
        for at, text in shelly.simulated.frames(since, until):
            shelly.sent.append(Sent(connection, at, text))
    return shelly


def judged(
    shelly: Shelly, harm: Callable[[Played], object], *offs: Span, outages: tuple[Span, ...] = ()
) -> list[str]:
    """What is found of a collector that did all right but for this harm."""
    found = should_be(shelly.sent)
    harm(found)
    score = Score(outages, offs)
    score.judge(shelly, found)
    assert score.table()
    return [finding.partition(":")[0] for finding in score.findings]


def minute(played: Played, at_s: float) -> int:
    """The minute of a row of the channel, at this many seconds since T0."""
    number = int((T0 + at_s) // 60)
    assert number in played.rows[CHANNEL]
    return number


def lose_row(at_s: float) -> Callable[[Played], object]:
    return lambda played: played.rows[CHANNEL].pop(minute(played, at_s))


def change_row(at_s: float, **values: object) -> Callable[[Played], object]:
    def change(played: Played) -> None:
        row = played.rows[CHANNEL][minute(played, at_s)]
        played.rows[CHANNEL][minute(played, at_s)] = msgspec.structs.replace(row, **values)

    return change


def test_what_the_rules_make_of_it_is_right(shelly: Shelly) -> None:
    assert judged(shelly, lambda played: None) == []
    assert judged(shelly, lambda played: None, KILL, outages=(OUTAGE,)) == []


def test_a_row_that_is_lost_is_found(shelly: Shelly) -> None:
    assert judged(shelly, lose_row(120)) == ["missing"]
    assert judged(shelly, lose_row(120), KILL) == ["missing"]


def test_a_row_that_the_device_vouches_for_may_not_be_lost_with_the_collector(
    shelly: Shelly,
) -> None:
    assert judged(shelly, lose_row(300), KILL) == ["missing"]


def test_a_row_is_as_the_device_said(shelly: Shelly) -> None:
    assert judged(shelly, change_row(120, apower_w=99.0)) == ["wrong"]
    assert judged(shelly, change_row(300, apower_w=99.0), KILL) == ["wrong"]


def test_a_row_of_nothing_is_invented(shelly: Shelly) -> None:
    def invent(played: Played) -> None:
        row = played.rows[CHANNEL][minute(played, 120)]
        played.rows["switch:3"] = {row.ts // 60: msgspec.structs.replace(row, channel="switch:3")}

    assert judged(shelly, invent) == ["invented"]


def cut_in_two(played: Played) -> None:
    """As if the collector had not known, when it was back, that a run was open."""
    (start, run), *_ = played.runs[CHANNEL].items()
    first = msgspec.structs.replace(run, ended_at=KILLED - 1, end="lost contact")
    second = RunState(run.device_id, CHANNEL, BACK + 1.5, run.peak_w, ended_at=run.ended_at)
    played.runs[CHANNEL] |= {start: first, second.started_at: second}


def test_a_run_may_be_cut_in_two_only_by_a_kill_in_an_outage(shelly: Shelly) -> None:
    assert "false turn" in judged(shelly, cut_in_two)
    assert "false turn" in judged(shelly, cut_in_two, KILL)
    assert judged(shelly, cut_in_two, KILL, outages=(OUTAGE,)) == []


@pytest.mark.parametrize(("lost_wh", "findings"), [(28.0, []), (32.0, ["energy"])])
def test_only_what_was_drawn_unheard_may_be_lost_with_the_start_of_a_run(
    shelly: Shelly, lost_wh: float, findings: list[str]
) -> None:
    def start_late(played: Played) -> None:
        ((_, run),) = played.runs[CHANNEL].items()
        late = msgspec.structs.replace(
            run, started_at=BACK, booked_wh=run.energy_wh - lost_wh, claim_ws=0.0
        )
        played.runs[CHANNEL] = {BACK: late}

    kill = Span("SIGKILL", T0 + 1, BACK)  # 342 s of 300 W
    assert judged(shelly, start_late, kill) == findings
