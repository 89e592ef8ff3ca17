"""The simulated Shelly: it speaks like the real one, and its numbers agree with each other."""

import json
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

import pytest
from msgspec.structs import astuple

from powerlog.core.frame import Reading
from powerlog.core.protocol import parse
from powerlog.core.sampler import Rules, Sample, Sampler
from powerlog.simulation.curves import Curve, Cycle, PlannedRun, planned_curve
from powerlog.simulation.pro4pm import OFF, SimulatedShelly
from tests.support.frames import T0

DEVICE = "shellypro4pm-aabbcc000001"
SWITCHES = [f"switch:{number}" for number in range(4)]
HOUR = T0 + 3600
FLEET = [SimulatedShelly(DEVICE, seed, T0) for seed in range(40)]


@pytest.fixture
def shelly() -> SimulatedShelly:
    return SimulatedShelly(DEVICE, seed=7, started_at=T0 - 100)


def hour_of(device: SimulatedShelly) -> list[tuple[float, str]]:
    return list(device.frames(T0, HOUR))


def params(frame: str) -> dict[str, Any]:
    return json.loads(frame)["params"]


def minute_frames(device: SimulatedShelly, minute: float) -> list[str]:
    return [text for at, text in device.frames(minute, minute + 0.001) if at == minute]


def readings(device: SimulatedShelly, channel: str) -> Iterator[tuple[float, Reading]]:
    """What the collector reads of the channel in an hour."""
    for at, text in hour_of(device):
        for reading in parse(text).readings:
            if reading.channel == channel:
                yield at, reading


def drawn_wh(load: Curve | Cycle, minute: float) -> float:
    return load.drawn_wh(minute + 60) - load.drawn_wh(minute)


def test_a_full_status_reports_all_four_switches(shelly: SimulatedShelly) -> None:
    frame = parse(shelly.full_status(T0 + 7.25))
    assert (frame.device_id, frame.ts, frame.full) == (DEVICE, T0 + 7.25, True)
    assert [reading.channel for reading in frame.readings] == SWITCHES
    # All but power_lost, the last one: nothing fails.
    assert not any(None in astuple(reading)[:-1] for reading in frame.readings)
    assert params(shelly.full_status(T0))["sys"]["mac"] == "AABBCC000001"
    assert params(shelly.full_status(T0))["sys"]["uptime"] == 100


def test_every_message_is_a_frame_of_this_device(shelly: SimulatedShelly) -> None:
    for at, text in hour_of(shelly):
        frame = parse(text)
        assert frame.device_id == DEVICE
        assert frame.ts == pytest.approx(at, abs=0.01)
        assert not frame.full


def test_frames_come_in_order_and_within_the_time_asked_for(shelly: SimulatedShelly) -> None:
    moments = [at for at, _ in hour_of(shelly)]
    assert moments == sorted(moments)
    assert moments[0] == T0
    assert moments[-1] < HOUR


def test_asking_in_pieces_gives_the_same_frames(shelly: SimulatedShelly) -> None:
    cuts = [T0, T0 + 0.5, T0 + 59.99, T0 + 60, T0 + 61.3, T0 + 1000.7, T0 + 2222, HOUR]
    pieces = [frame for since, until in pairwise(cuts) for frame in shelly.frames(since, until)]
    assert pieces == hour_of(shelly)


def test_a_late_report_stays_in_the_next_minute_wherever_frames_are_cut() -> None:
    runs = [PlannedRun(T0 + 59.5, T0 + 200.0, 430.0)]
    device = SimulatedShelly(DEVICE, 7, T0, (OFF, OFF, planned_curve("seed", 0.8, runs)), 5000.0)
    turned = [
        frame for frame in device.frames(T0 + 59.4, T0 + 61) if "switch:2" in params(frame[1])
    ]
    assert [at - T0 for at, _ in turned] == pytest.approx([59.5, 60.0, 60.4])
    assert [at - T0 for at, _ in device.frames(T0 + 60.2, T0 + 61)] == pytest.approx([60.4])
    assert params(turned[1][1])["switch:2"]["aenergy"]["total"] == pytest.approx(5000, abs=0.1)


def test_frames_without_an_end_are_those_with_one(shelly: SimulatedShelly) -> None:
    frames = hour_of(shelly)
    assert list(islice(shelly.frames(T0), len(frames))) == frames


def test_the_same_seed_says_the_same_and_another_seed_something_else() -> None:
    first, again, other = (SimulatedShelly(DEVICE, seed, T0) for seed in (1, 1, 2))
    assert hour_of(first) == hour_of(again)
    assert hour_of(first) != hour_of(other)


def test_a_later_boot_changes_the_uptime_and_nothing_else() -> None:
    early, late = (SimulatedShelly(DEVICE, 1, T0 - age) for age in (9000, 5))
    first, second = (params(device.full_status(T0)) for device in (early, late))
    assert first["sys"].pop("uptime") - second["sys"].pop("uptime") == 8995
    assert first == second
    assert hour_of(early) == hour_of(late)


def test_all_four_switches_burst_on_every_full_minute(shelly: SimulatedShelly) -> None:
    bursts: dict[float, list[str]] = {}
    for at, text in hour_of(shelly):
        if at % 60 == 0:
            bursts.setdefault(at, []).append(text)
    assert list(bursts) == list(range(T0, HOUR, 60))
    for minute, texts in bursts.items():
        assert texts == minute_frames(shelly, minute)
        found = [parse(text).readings[0] for text in texts]
        assert [reading.channel for reading in found] == SWITCHES
        for reading in found:
            measured = (reading.apower_w, reading.voltage_v, reading.current_a)
            assert None not in measured
            assert reading.energy_total_wh is not None


def test_a_running_device_sends_about_ten_frames_a_minute() -> None:
    counts = [len(hour_of(device)) / 60 for device in FLEET]
    assert 8 < sum(counts) / len(counts) < 12


def test_about_half_of_a_fleet_is_running_at_any_moment() -> None:
    for moment in range(T0, HOUR, 300):
        running = sum(device.loads[2].at(moment).watts > 0 for device in FLEET)
        assert 0.3 < running / len(FLEET) < 0.8


def test_a_pump_runs_two_to_six_minutes_and_pauses_one_to_four() -> None:
    for device in FLEET[:5]:
        turns = [
            (at, reading.output)
            for at, reading in readings(device, "switch:2")
            if reading.output is not None
        ]
        assert len(turns) >= 10
        for (start, output), (end, following) in pairwise(turns):
            assert output is not following
            minutes = (end - start) / 60
            assert (2 <= minutes <= 6) if output else (1 <= minutes <= 4)


def test_switching_on_reports_no_power_until_a_second_later(shelly: SimulatedShelly) -> None:
    deltas = [
        (at, params(text)["switch:2"])
        for at, text in hour_of(shelly)
        if at % 60 and "switch:2" in params(text)
    ]
    starts = [i for i, (_, fields) in enumerate(deltas) if fields.get("output") is True]
    assert starts
    for i in starts:
        (at, first), (later, second) = deltas[i : i + 2]
        assert first == {"output": True, "source": "SHC"}
        assert 0.5 < later - at < 1.5
        assert second.keys() == {"apower", "current"}
        assert second["apower"] > 350


def test_switching_off_reports_zero_in_the_same_frame(shelly: SimulatedShelly) -> None:
    stops = [
        params(text)["switch:2"]
        for _, text in hour_of(shelly)
        if params(text).get("switch:2", {}).get("output") is False
    ]
    assert stops
    for fields in stops:
        assert fields == {"apower": 0, "current": 0, "output": False, "pf": 0, "source": "SHC"}


def test_deltas_carry_only_what_moved(shelly: SimulatedShelly) -> None:
    shapes = {
        (component, *sorted(fields))
        for at, text in hour_of(shelly)
        if at % 60
        for component, fields in params(text).items()
        if component != "ts"
    }
    assert ("switch:2", "apower", "current") in shapes
    assert ("switch:2", "current") in shapes
    assert ("switch:3", "apower", "current") in shapes
    assert ("switch:0", "id", "temperature") in shapes
    assert {"sys", "wifi"} <= {component for component, *_ in shapes}


def test_power_between_two_reports_stays_within_the_threshold(shelly: SimulatedShelly) -> None:
    told = None
    for at, reading in readings(shelly, "switch:2"):
        if told:  # what was known up to this moment was still near the truth
            truth = shelly.loads[2].at(at - 0.01).watts
            assert truth == pytest.approx(told, rel=0.051)
        if reading.apower_w is not None:
            told = reading.apower_w


def test_the_counter_is_the_integral_of_the_power(shelly: SimulatedShelly) -> None:
    load, step_s = shelly.loads[2], 0.05
    summed = sum(load.at(T0 + n * step_s).watts for n in range(round(3600 / step_s))) * step_s
    assert load.drawn_wh(HOUR) - load.drawn_wh(T0) == pytest.approx(summed / 3600, rel=1e-4)


def test_the_counter_in_the_frames_follows_the_power_in_the_frames() -> None:
    for device in FLEET[:5]:
        known = [(at, reading) for at, reading in readings(device, "switch:2") if reading.apower_w]
        totals = [reading.energy_total_wh for _, reading in known if reading.energy_total_wh]
        reported = list(readings(device, "switch:2"))
        power = energy_wh = 0.0
        for (at, reading), (following, _) in pairwise(reported):
            power = power if reading.apower_w is None else reading.apower_w
            energy_wh += power * (following - at) / 3600
        assert totals == sorted(totals)
        first, last = reported[0][1].energy_total_wh, parse(device.full_status(reported[-1][0]))
        assert first is not None
        counted = (last.readings[2].energy_total_wh or 0) - first
        # The second before a start is reported and moves below the threshold are missing here.
        assert energy_wh == pytest.approx(counted, rel=0.03)


def test_by_minute_agrees_with_the_counter_over_an_hour(shelly: SimulatedShelly) -> None:
    for number in range(4):
        meters = [
            params(minute_frames(shelly, minute)[number])[f"switch:{number}"]["aenergy"]
            for minute in range(T0, HOUR, 60)
        ]
        for before, after in pairwise(meters):
            assert after["by_minute"][1:] == before["by_minute"][:2]
            used_mwh = (after["total"] - before["total"]) * 1000
            assert after["by_minute"][0] == pytest.approx(used_mwh, abs=1.01)
        assert [meter["minute_ts"] for meter in meters] == list(range(T0, HOUR, 60))


def test_minute_ts_is_the_start_of_the_current_minute(shelly: SimulatedShelly) -> None:
    early, late = (params(shelly.full_status(T0 + s))["switch:3"]["aenergy"] for s in (0.5, 59.5))
    assert early["minute_ts"] == late["minute_ts"] == T0
    assert early["by_minute"] == late["by_minute"]
    assert early["total"] < late["total"]


def test_standby_draws_about_a_watt_and_an_idle_switch_nothing(shelly: SimulatedShelly) -> None:
    for minute in range(T0, HOUR, 60):
        assert 0.9 < drawn_wh(shelly.loads[3], minute) * 60 < 1.5
        assert drawn_wh(shelly.loads[0], minute) == drawn_wh(shelly.loads[1], minute) == 0


def test_an_hour_makes_rows_for_the_pump_in_the_minutes_in_which_it_ran() -> None:
    for device in FLEET[:10]:
        sampler = Sampler(Rules(channels=frozenset(SWITCHES)))
        due = sampler.feed(parse(device.full_status(T0)), T0)
        for at, text in hour_of(device):
            due += sampler.feed(parse(text), at)
        rows = [each for each in due if isinstance(each, Sample)]
        used_wh = {minute: drawn_wh(device.loads[2], minute) for minute in range(T0, HOUR, 60)}
        minutes = [row.ts for row in rows]
        assert {row.channel for row in rows} == {"switch:2"}
        assert {row.source for row in rows} == {"measured"}
        assert set(minutes) <= {minute for minute, used in used_wh.items() if used > 0}
        # 450 W for more than the second after which a start is reported.
        assert set(minutes) >= {minute for minute, used in used_wh.items() if used > 450 / 3600}
        assert len(minutes) == len(set(minutes))
