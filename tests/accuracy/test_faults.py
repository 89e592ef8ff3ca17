"""Each kind of fault happens, and its frames have the shape that real ones had."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from benchmarks.accuracy import faults
from benchmarks.accuracy.faults import FAULTS
from benchmarks.accuracy.faults.counter_faults import least_spike_wh
from benchmarks.accuracy.faults.meter_faults import SIGNS
from benchmarks.accuracy.scenarios import Life, Message

HOURS = 1.5
KINDS = {each.kind for each in FAULTS}


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    return [Life(seed, HOURS) for seed in range(200)]


def of(kind: str, lives: list[Life]) -> list[Life]:
    return [life for life in lives if life.fault.kind == kind]


def components(message: Message) -> dict[str, Any]:
    body = json.loads(message.text)
    return body.get("params") or body.get("result") or {}


def is_full(message: Message) -> bool:
    return '"NotifyFullStatus"' in message.text or '"result"' in message.text


def totals(life: Life, channel: str) -> Iterator[tuple[Message, float]]:
    """What the counter of a channel shows, message by message."""
    for message in life.messages:
        energy = components(message).get(channel, {}).get("aenergy", {})
        if "total" in energy:
            yield message, energy["total"]


def test_every_kind_happens_in_the_first_lives(lives: list[Life]) -> None:
    assert {life.fault.kind for life in lives} == {"", *KINDS}


def test_the_lives_that_it_spares_are_as_they_were(
    lives: list[Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "FAULTY_SHARE", 0.0)
    spared = of("", lives)[:30]
    assert all(Life(life.seed, HOURS).messages == life.messages for life in spared)


# Counters


def test_a_misread_counter_shows_something_else_and_goes_on(lives: list[Life]) -> None:
    shown: list[float] = []
    for life in of("misread counter", lives):
        for name, channel in life.channels.items():
            found = list(totals(life, name))
            wrong = [m.known[name].counter == "wrong" for m, _ in found]
            for (before, at), (_, after) in zip(pairwise(found), pairwise(wrong), strict=True):
                if after and before[0].connection == at[0].connection:
                    spike_wh = abs(at[1] - channel.counter.at(at[0].at))
                    assert spike_wh >= least_spike_wh(channel.curve) * 0.99
                    shown.append(at[1])
            if wrong and not wrong[-1]:
                assert found[-1][1] == pytest.approx(channel.counter.at(found[-1][0].at), abs=1)
    assert 0.0 in shown
    assert max(shown) > 1e7
    assert any(0 < each < 1e7 for each in shown)


def test_a_counter_jumps_in_either_direction_and_stays_there(lives: list[Life]) -> None:
    jumps: list[float] = []
    for life in of("jumping counter", lives):
        for name, channel in life.channels.items():
            for (a, before), (b, after) in pairwise(totals(life, name)):
                if channel.counter.leaps(a.at, b.at):
                    jumps.append(after - before)
                    assert abs(after - before) > least_spike_wh(channel.curve) / 2
    assert min(jumps) < 0 < max(jumps)


def test_a_device_is_replaced_while_it_is_not_connected(lives: list[Life]) -> None:
    seen = 0
    for life in of("replaced device", lives):
        for name, channel in life.channels.items():
            for (a, before), (b, after) in pairwise(totals(life, name)):
                if channel.counter.leaps(a.at, b.at):
                    seen += 1
                    assert a.connection + 1 == b.connection
                    assert abs(after - before) > 10_000
                    assert channel.curve.at(life.disturbances.outages[-1][0]).watts == 0
    assert seen > 5


def test_what_comes_first_lacks_what_was_returned(lives: list[Life]) -> None:
    seen = 0
    for life in of("late sign", lives):
        for before, message in pairwise(life.messages):
            if message.connection > before.connection:
                seen += 1
                assert '"NotifyStatus"' in message.text
                for name in life.channels:
                    component = components(message)[name]
                    assert "total" in component["aenergy"]
                    assert "apower" in component
                    assert "ret_aenergy" not in component
        assert '"ret_aenergy"' in life.messages[0].text
    assert seen > 10


def test_the_sum_of_three_phases_is_net_of_what_one_feeds_in(lives: list[Life]) -> None:
    lowest_w = 0.0
    for life in of("net of phases", lives):
        start, end = (components(message) for message in full_ones(life))
        for each in start, end:
            phases_w = [each["em:0"][f"{phase}_act_power"] for phase in "abc"]
            assert each["em:0"]["total_act_power"] == pytest.approx(sum(phases_w), abs=0.2)
        for name, energy in ("total_act", "act_energy"), ("total_act_ret", "act_ret_energy"):
            rises_wh = [
                end["emdata:0"][each] - start["emdata:0"][each]
                for each in (name, *(f"{phase}_total_{energy}" for phase in "abc"))
                if each in start["emdata:0"]
            ]
            assert rises_wh[0] == pytest.approx(sum(rises_wh[1:]), abs=0.01)
        lowest_w = min(lowest_w, *(step.watts for step in life.channels["em:0"].curve.steps))
    assert lowest_w < -1000


def full_ones(life: Life) -> tuple[Message, Message]:
    """The first and the last full status before anything is forgotten."""
    first = life.messages[0]
    forgets = [off for off, _ in life.disturbances.outages] + life.disturbances.resets
    until = min([*forgets, life.end])
    return first, [each for each in life.messages if is_full(each) and each.at < until][-1]


# Meters and records


def test_a_failing_meter_says_null_until_it_measures_again(lives: list[Life]) -> None:
    ends = 0
    for life in of("failing meter", lives):
        for name, channel in life.channels.items():
            for since, until in channel.failures:
                told = [m for m in life.messages if since < m.at < until and name in m.known]
                assert all((m.known[name].watts or 0.0) == 0.0 for m in told)
                (first,) = {m.text for m in life.messages if name in m.known and near(m.at, since)}
                assert "null" in first
                assert '"errors":["power_meter_failure"]' in first
                again = [m for m in life.messages if name in m.known and near(m.at, until)]
                ends += any('"errors":null' in m.text for m in again)
    assert ends > 5


def near(at: float, moment: float) -> bool:
    return abs(at - moment) < 0.2


def test_a_record_has_no_sign(lives: list[Life]) -> None:
    signs: set[str] = set()
    for life in of("unsigned record", lives):
        for name, channel in life.channels.items():
            signs.add(channel.sign)
            for message in life.messages:
                component = components(message).get(name, {})
                if "aenergy" in component:
                    assert is_unsigned(component, channel.sign)
                    assert message.known[name].recorded == range(0)
        assert any(channel.curve.returns for channel in life.channels.values())
    assert signs == set(SIGNS)


def is_unsigned(component: dict[str, Any], sign: str) -> bool:
    if sign == "another minute":
        minute_ts = component["aenergy"].get("minute_ts", 0)
        return component["ret_aenergy"].get("minute_ts", 0) < max(1, minute_ts)
    return component.get("ret_aenergy", "absent") == {"absent": "absent", "null": None}[sign]


def test_a_refused_clock_is_beyond_the_tolerance_and_so_is_its_record(lives: list[Life]) -> None:
    seen = 0
    for life in of("refused clock", lives):
        for message in life.messages:
            if ts := components(message).get("ts"):
                assert abs(ts - message.received) > 120
                assert message.at == message.received
            for name in message.known:
                energy = components(message).get(name, {}).get("aenergy", {})
                if "minute_ts" in energy:
                    seen += 1
                    assert abs(energy["minute_ts"] - message.received) > 59
                    assert message.known[name].void == "clock"
    assert seen > 100


# What is left out, and what does not come


def kind_of(channel: str) -> str:
    return channel.partition(":")[0]


def test_another_profile_leaves_the_old_channels_out(lives: list[Life]) -> None:
    rebooted: set[bool] = set()
    for life in of("other profile", lives):
        old = {name for name, channel in life.channels.items() if channel.gone < life.end}
        new = set(life.channels) - old
        at = life.channels[min(old)].gone
        for message in life.messages:
            if not near(message.at, at):
                assert set(message.known) <= (old if message.at < at else new)
        change = next(message for message in life.messages if new & set(message.known))
        assert '"NotifyFullStatus"' in change.text
        assert not {kind_of(name) for name in old} & {kind_of(name) for name in new}
        starts = {connection.start for connection in life.disturbances.connections}
        rebooted.add(at in starts)
    assert rebooted == {True, False}


def test_nothing_is_said_of_a_silent_channel_while_its_device_speaks(lives: list[Life]) -> None:
    lasts_s: list[float] = []
    for life in of("silent channel", lives):
        for name, channel in life.channels.items():
            for silence in channel.silences:
                meanwhile = [
                    message
                    for message in life.messages
                    if silence.since + 0.2 < message.at < silence.until
                ]
                assert not any(name in message.known for message in meanwhile)
                assert len([m for m in meanwhile if m.known]) > (silence.until - silence.since) / 90
                lasts_s.append(silence.until - silence.since)
    assert min(lasts_s) < 240
    assert max(lasts_s) > 480


def test_a_quiet_device_is_asked_and_answers(lives: list[Life]) -> None:
    unasked: list[float] = []
    for life in of("quiet device", lives):
        for connection in life.disturbances.connections:
            heard = [
                message
                for message in life.messages
                if message.known and connection.start <= message.at <= connection.end + 0.2
            ]
            for before, after in pairwise(heard):
                assert after.at - before.at < 82
                if '"result"' in after.text and after.at > connection.start + 1:
                    assert after.at - before.at > 64
        answers = [message for message in life.messages if '"result"' in message.text]
        for message in answers:
            body = json.loads(message.text)
            assert (body["id"], body["dst"]) == (2, "collector")
            assert "ts" not in components(message)
        told = [m for m in life.messages if m.known and '"NotifyStatus"' in m.text]
        unasked.append(len(told) / max(1, len(answers)))
    assert min(unasked) == 0  # it says nothing unasked
    assert max(unasked) > 0.5


def test_texts_are_cut_in_the_middle_of_a_character(lives: list[Life]) -> None:
    for life in of("cut texts", lives):
        full = [message for message in life.messages if is_full(message)]
        assert full
        for message in full:
            assert components(message)["wifi"]["ssid"] == "Caf\ufffd"
            assert "\ufffd" in components(message)["sys"]["device"]["name"]
