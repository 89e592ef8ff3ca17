"""Made-up lives agree with themselves: such a device would say it, and what it says is true."""

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from benchmarks.accuracy.load_curves import LOADS, interrupted, overlap_s, without
from benchmarks.accuracy.scenarios import FIRMWARES, KIND_WEIGHTS, Life, Message
from powerlog.core.protocol import parse
from powerlog.simulation.counters import Counter, Misread
from powerlog.simulation.curves import Curve, Step

HOURS = 1.5


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    """Drawn where they are asked for, and not wherever this module is read."""
    return [Life(seed, HOURS) for seed in range(200)]


@pytest.fixture(scope="module")
def calm(lives: list[Life]) -> list[Life]:
    """Those without a fault, of which more holds."""
    return [life for life in lives if not life.fault.kind]


def params(message: Message) -> dict[str, Any]:
    body = json.loads(message.text)
    return body.get("params") or body.get("result") or {}


def metered(life: Life) -> Iterator[tuple[Message, str, dict[str, Any]]]:
    """Each message with each channel that has a component of its name in it."""
    for message in life.messages:
        for key, component in params(message).items():
            if key in life.channels:
                yield message, key, component


def connection_of(life: Life, message: Message) -> Any:
    return life.disturbances.connections[message.connection]


def used_mwh(curve: Curve, since: float, until: float) -> float:
    """The integral of the power in both directions, step by step."""
    bounds = [since, *(step.at for step in curve.between(since, until)), until]
    return sum(abs(curve.at(a).watts) * (b - a) for a, b in pairwise(bounds)) / 3.6


# The world


def test_a_curve_is_its_steps_and_their_integral() -> None:
    curve = Curve([Step(0, 100), Step(60, -40), Step(90, 0), Step(100, 4)])
    assert [curve.at(ts).watts for ts in (-1, 0, 59, 60, 95, 1000)] == [0, 100, 100, -40, 0, 4]
    assert curve.drawn_wh(90) == pytest.approx(100 / 60)
    assert curve.returned_wh(90) == pytest.approx(40 / 120)
    assert curve.mean_w(30, 90) == pytest.approx((100 * 30 - 40 * 30) / 60)
    assert curve.above(5) == [(0, 60)]
    assert curve.above(3) == [(0, 60), (100, math.inf)]


def test_a_power_cut_leaves_the_rest_of_a_curve_alone() -> None:
    curve = interrupted(Curve([Step(0, 100), Step(50, 7), Step(100, 9)]), 20, 60)
    assert [curve.at(ts).watts for ts in (19, 20, 59, 60, 100)] == [100, 0, 0, 7, 9]


def test_the_overlap_with_stretches_is_counted_in_seconds() -> None:
    stretches = [(0.0, 10.0), (20.0, 30.0)]
    spans = ((5, 25), (10, 20), (-5, 99), (22, 23))
    assert [overlap_s(stretches, *span) for span in spans] == [10, 0, 20, 1]


def test_a_counter_forgets_but_never_what_it_counts() -> None:
    counter = Counter(lambda ts: ts / 10, 1000)
    counter.reset(100)
    counter.step_back(200, 30)
    assert [counter.at(ts) for ts in (99, 100, 199, 200, 300)] == [1009.9, 0, 9.9, 7, 17]
    assert counter.mwh(60, 120) == counter.mwh(180, 240) == 6000
    assert counter.stepped_back_wh(0, 300) == 3


def test_a_crash_does_not_step_back_behind_a_reset() -> None:
    counter = Counter(lambda ts: ts / 10, 1000)
    counter.reset(190)
    counter.step_back(200, 30)
    assert counter.at(200) == 0


def test_a_quantised_counter_rises_in_quanta() -> None:
    counter = Counter(lambda ts: ts / 1000, 0, 0.2)
    assert [counter.at(ts) for ts in (199, 200, 399, 1000)] == [0, 0.2, 0.2, 1.0]


def test_a_misread_counter_goes_on_and_one_that_jumps_stays_there() -> None:
    counter = Counter(lambda ts: ts / 10, 1000)
    counter.misreads.append(Misread(50, 60, 0.0))
    counter.leap(100, 500)
    assert [counter.shows(ts) for ts in (49, 50, 59, 60)] == [1004.9, 0, 0, 1006]
    assert [counter.shows(ts) for ts in (99, 100, 110)] == [1009.9, 1510, 1511]
    assert [counter.misleads(ts) for ts in (49, 50, 60, 100)] == [False, True, False, False]
    assert counter.leaps(99, 100)
    assert not counter.leaps(100, 200)
    assert counter.mwh(40, 110) == 7000


def test_a_counter_that_stops_counts_what_comes_before_and_after() -> None:
    counter = Counter(lambda ts: ts / 10, 1000)
    counter.stop(100, 200)
    assert [counter.at(ts) for ts in (100, 150, 200, 210)] == [1010, 1010, 1010, 1011]


def test_by_a_clock_that_is_ahead_all_happens_later() -> None:
    counter = Counter(lambda ts: ts / 10, 1000)
    counter.reset(100)
    later = counter.later(1000)
    assert [later.at(ts + 1000) for ts in (99, 100, 200)] == [1009.9, 0, 10]
    assert later.resets == [1100]
    assert Curve([Step(0, 100), Step(60)]).later(5).at(64).watts == 100


def test_stretches_without_what_lies_in_a_hole() -> None:
    stretches = [(0.0, 10.0), (20.0, math.inf)]
    assert without(stretches, [(2, 3), (9, 21)]) == [(0, 2), (3, 9), (21, math.inf)]


# What is said


def test_the_same_seed_lives_the_same_life_and_another_seed_another() -> None:
    assert Life(5, 1).messages == Life(5, 1).messages != Life(6, 1).messages


def test_every_message_is_a_frame_that_says_what_is_known_to_be_in_it(lives: list[Life]) -> None:
    for life in lives:
        for message in life.messages:
            frame = parse(message.text)
            assert frame.device_id == life.device_id
            heard = {reading.channel: reading for reading in frame.readings}
            if life.channels:
                assert set(heard) == set(message.known)
            for name, said in message.known.items():
                assert heard[name].apower_w in (None, said.watts)


def test_messages_arrive_in_order_and_only_while_connected(lives: list[Life]) -> None:
    for life in lives:
        moments = [message.received for message in life.messages]
        assert moments == sorted(moments)
        for message in life.messages:
            connection = connection_of(life, message)
            late_s = max((end - begin for begin, end in life.disturbances.stalls), default=0.0)
            sent = message.received + life.disturbances.clock_ahead_s
            assert connection.start <= sent <= connection.end + late_s + 0.5


def test_the_power_that_is_said_is_the_power_of_that_moment(calm: list[Life]) -> None:
    for life in calm:
        for message in life.messages:
            if '"NotifyFullStatus"' in message.text:
                moment = connection_of(life, message).start
                for name, said in message.known.items():
                    true_w = life.channels[name].curve.at(moment).watts
                    assert said.watts == pytest.approx(true_w, abs=0.051)


def test_each_channel_turns_within_a_second_of_what_is_said_of_it(calm: list[Life]) -> None:
    for life in calm:
        for name, channel in life.channels.items():
            said = [(m.at, m.known[name].watts > 5) for m in life.messages if name in m.known]
            turns = [b[0] for a, b in pairwise(said) if a[1] != b[1]]
            for at in (at for stretch in channel.curve.above(5) for at in stretch):
                if life.connected(at, 1):
                    assert any(abs(turn - at) <= 1 for turn in turns), (life.seed, name, at)


def test_counters_are_the_integral_of_the_curve(calm: list[Life]) -> None:
    for life in calm:
        if life.disturbances.resets or life.disturbances.outages:
            continue
        for name, channel in life.channels.items():
            totals = [
                (message.at, component["aenergy"]["total"])
                for message, key, component in metered(life)
                if key == name and "aenergy" in component
            ]
            if len(totals) > 1 and not channel.quantised:
                (since, first), (until, last) = totals[0], totals[-1]
                used_wh = used_mwh(channel.curve, since, until) / 1000
                assert last - first == pytest.approx(used_wh, abs=0.3)  # the answer's 0.2 s


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_minute_records_are_the_integral_of_their_minutes(
    firmware: tuple[int, int], calm: list[Life]
) -> None:
    checked = 0
    for life in (life for life in calm if life.device.firmware == firmware):
        for message, name, component in metered(life):
            energy = component.get("aenergy", {})
            if "by_minute" not in energy or life.channels[name].quantised:
                continue
            minute_ts, mwh = energy["minute_ts"], energy["by_minute"]
            assert (minute_ts % 60 == 0) == (firmware >= (1, 2))
            start = minute_ts - (60 if firmware >= (1, 2) else minute_ts % 60)
            for age in range(3):
                since = max(start - 60 * age, connection_of(life, message).booted)
                until = min(start - 60 * age + 60, message.at)
                if since < until:
                    true = used_mwh(life.channels[name].curve, since, until)
                    assert mwh[age] == pytest.approx(true, abs=120), (life.seed, message)
                    checked += 1
    assert checked > 1000


def full_minute_frames(life: Life) -> Iterator[tuple[Message, dict[str, Any]]]:
    for message, _, component in metered(life):
        unasked = '"NotifyStatus"' in message.text
        if unasked and message.at % 60 < 1 and "by_minute" in component.get("aenergy", {}):
            yield message, component


def test_before_firmware_1_5_the_full_minute_tells_the_energy_alone(calm: list[Life]) -> None:
    for life in calm:
        for _, component in full_minute_frames(life):
            assert ("apower" in component) == (life.device.firmware >= (1, 5))


def test_before_firmware_1_2_the_full_minute_ends_in_59(calm: list[Life]) -> None:
    for life in (life for life in calm if life.device.firmware < (1, 2)):
        for message, component in full_minute_frames(life):
            assert component["aenergy"]["minute_ts"] == int(message.at) - 1
            assert component["aenergy"]["minute_ts"] % 60 == 59


def test_before_its_clock_is_set_a_device_tells_an_uptime_and_no_record(lives: list[Life]) -> None:
    seen = 0
    for life in lives:
        for message in life.messages:
            ts = params(message).get("ts", math.inf)
            if ts < 1e9:
                seen += 1
                assert "by_minute" not in message.text
                assert '"unixtime":1' not in message.text
                assert message.at == message.received
    assert seen > 100


def test_three_phases_add_up(lives: list[Life]) -> None:
    life = next(life for life in lives if life.device.kind == "em")
    phases = [life.channels[f"em:0:{phase}"].curve for phase in "abc"]
    for ts in range(int(life.start), int(life.end), 77):
        together = sum(curve.at(ts).watts for curve in phases)
        assert life.channels["em:0"].curve.at(ts).watts == pytest.approx(together)


# All that can happen does


def test_every_kind_and_age_and_load_lives_among_the_first_lives(calm: list[Life]) -> None:
    assert {life.device.kind for life in calm} == set(KIND_WEIGHTS)
    assert {life.device.firmware for life in calm} == set(FIRMWARES)
    loads = {channel.load for life in calm for channel in life.channels.values()}
    assert loads == {*LOADS, "total"}
    assert any(channel.quantised for life in calm for channel in life.channels.values())


def test_every_disturbance_happens_in_the_first_lives(lives: list[Life]) -> None:
    disturbances = [life.disturbances for life in lives]
    gaps_s = [b.start - a.end for m in disturbances for a, b in pairwise(m.connections)]
    assert min(gaps_s) < 10
    assert max(gaps_s) > 3600
    assert any(m.outages for m in disturbances)
    assert any(m.resets for m in disturbances)
    assert any(m.stalls for m in disturbances)
    assert any(m.clock_ahead_s > 20 for m in disturbances)
    assert any(m.clock_ahead_s < -20 for m in disturbances)
    assert any(m.connections[0].synced > m.connections[0].end for m in disturbances)
    texts = [[message.text for message in life.messages] for life in lives]
    assert any(a == b for said in texts for a, b in pairwise(said))
    assert any('"output":false,"source":"SHC"}' in text for said in texts for text in said)
