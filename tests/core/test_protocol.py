"""What the parser makes of frames: of every model's, of odd ones, and of any text whatsoever."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerlog.core.components import MOST_COMPONENTS
from powerlog.core.frame import Frame, FrameError, MinuteRecord, Reading
from powerlog.core.protocol import BOOTSTRAP, parse
from tests.support.frames import NO_HANDLER, PUMP, STATUS, T0, answer, delta, full, meter, text
from tests.support.rubbish import MESSAGES


def channels_of(frame: Frame) -> set[str]:
    return {reading.channel for reading in frame.readings}


def only_reading(component: Any) -> Reading:
    (reading,) = parse(delta(T0, switch_2=component)).readings
    return reading


def test_a_delta_is_a_frame_with_what_it_reports() -> None:
    frame = parse(delta(T0 + 0.5, switch_2={"id": 2, "apower": 433.8, "current": 2.631}))
    assert frame == Frame(
        PUMP, ts=T0 + 0.5, full=False, readings=(Reading("switch:2", 433.8, current_a=2.631),)
    )


def test_a_reading_has_all_five_values() -> None:
    reading = only_reading(meter(440.0, 812.5, voltage=230.0))
    record = MinuteRecord(T0, (7333.333,) * 3)
    assert reading == Reading("switch:2", 440.0, 230.0, 2.391, 812.5, True, None, record)


def test_a_full_status_is_full() -> None:
    assert parse(full(T0, switch_0=meter(1.0), switch_2=meter(2.0))).full


def test_an_answer_to_get_status_is_full_and_has_no_time() -> None:
    frame = parse(answer(switch_2=meter(430.0, 7.0)))
    assert (frame.full, frame.ts, channels_of(frame)) == (True, None, {"switch:2"})


def test_components_wrapped_in_device_status_are_found() -> None:
    frame = parse(delta(T0, device_status={"switch:1": {"apower": 12}}, switch_2={"apower": 7}))
    assert channels_of(frame) == {"switch:1", "switch:2"}


def test_a_channel_that_is_wrapped_and_flat_is_read_once() -> None:
    frame = parse(full(T0, switch_2=meter(5.0), device_status={"switch:2": {"apower": 7.5}}))
    assert frame.readings == (Reading("switch:2", 7.5),)


def test_the_answer_to_another_request_is_only_a_part() -> None:
    message = text(id=7, src=PUMP, dst="collector", result={"switch:0": {"output": True}})
    assert parse(message) == Frame(PUMP, readings=(Reading("switch:0", output=True),), answers=7)


@pytest.mark.parametrize(
    ("model", "channels"),
    [
        ("Pro 4PM, firmware 1.7", {"switch:0", "switch:1", "switch:2", "switch:3"}),
        ("Plus 1PM, firmware 1.1", {"switch:0"}),
        ("1PM Mini Gen3", {"switch:0"}),
        ("Plus 2PM as a cover", {"cover:0"}),
        ("RGBW PM, four lights", {"light:0"}),  # a voltage alone
        ("Pro 3EM, three phases", {"em:0", "em:0:a", "em:0:c"}),
        ("Pro 3EM, single phases", {"em1:0", "em1:2"}),
        ("EM Gen3", {"em1:0", "switch:0"}),
        ("Plus Uni with a pulse counter", {"switch:0"}),  # output alone; pulses are no energy
        ("Plus H&T, asleep", set()),
    ],
)
def test_every_model_is_read_the_same_in_a_notification_and_an_answer(
    model: str, channels: set[str]
) -> None:
    params = {"ts": T0} | STATUS[model]
    notified = parse(text(src="shelly-1", method="NotifyFullStatus", params=params))
    answered = parse(text(id=2, src="shelly-1", result=STATUS[model]))
    assert notified.readings == answered.readings
    assert channels_of(notified) == channels


def test_a_relay_without_a_meter_reports_its_output_only() -> None:
    frame = parse(text(id=2, src="shelly-1", result=STATUS["Pro 3 without a meter"]))
    assert frame.readings == (Reading("switch:0", output=True),)


@pytest.mark.parametrize(
    "nothing",
    ["12.5", True, [], {}, float("nan"), float("inf"), -float("inf"), 1e12, -1e300, 10**400],
)
def test_what_is_no_finite_number_is_not_reported(nothing: object) -> None:
    reading = only_reading({"apower": nothing, "voltage": nothing, "current": 1.5})
    assert reading == Reading("switch:2", current_a=1.5)


def test_a_power_that_is_null_is_lost_and_other_nulls_are_not_reported() -> None:
    reading = only_reading({"apower": None, "voltage": None, "current": 1.5})
    assert reading == Reading("switch:2", current_a=1.5, power_lost=True)


@pytest.mark.parametrize("nothing", [None, 7, "x", [], {}, {"total": None}, {"total": "9"}])
def test_an_energy_counter_without_a_total_is_not_reported(nothing: object) -> None:
    reading = only_reading({"apower": 8, "aenergy": nothing})
    assert reading == Reading("switch:2", 8.0)


def reported(model: str) -> dict[str, Reading]:
    readings = parse(text(id=2, src="shelly-1", result=STATUS[model])).readings
    return {reading.channel: reading for reading in readings}


def test_a_three_phase_meter_is_three_channels_and_their_sum() -> None:
    assert reported("Pro 3EM, three phases") == {
        "em:0": Reading("em:0", 7.08, None, 0.11, 45_000.1, returned_wh=0.0),
        "em:0:a": Reading("em:0:a", 0.0, 0.0, energy_total_wh=12.5),
        "em:0:c": Reading("em:0:c", 7.1, 232.1, 0.07, 44_987.6),
    }


def test_the_energy_of_a_single_phase_lives_in_its_sister_component() -> None:
    assert reported("Pro 3EM, single phases") == {
        "em1:0": Reading("em1:0", 0.0, 0.0, 0.028, 0.01),
        "em1:2": Reading("em1:2", 6.5, 234.4, 0.068, 0.15),
    }


def test_a_sister_component_alone_is_a_reading_too() -> None:
    frame = parse(delta(T0, em1data_1={"id": 1, "total_act_energy": 7.25}))
    assert frame.readings == (Reading("em1:1", energy_total_wh=7.25),)


@pytest.mark.parametrize(
    "kind", ["switch", "pm1", "cover", "light", "rgb", "rgbw", "cct", "rgbcct"]
)
def test_every_kind_of_relay_and_light_is_read(kind: str) -> None:
    frame = parse(delta(T0, **{f"{kind}_3": {"apower": 9.5}}))
    assert frame.readings == (Reading(f"{kind}:3", 9.5),)


@pytest.mark.parametrize("key", ["voltmeter:100", "switch", "switch:", "switch:x", "switch:12345"])
def test_other_components_are_none_of_ours(key: str) -> None:
    message = text(src=PUMP, method="NotifyStatus", params={key: {"apower": 9, "voltage": 12}})
    assert parse(message).readings == ()


@pytest.mark.parametrize(
    "component", [None, 5, "on", [], {}, {"current": None}, {"temperature": 9}]
)
def test_a_component_that_reports_none_of_the_five_is_no_reading(component: object) -> None:
    assert parse(delta(T0, switch_2=component)).readings == ()


def test_zero_and_null_and_missing_are_three_things() -> None:
    assert only_reading({"apower": 0, "current": 0.0}).apower_w == 0.0
    assert only_reading({"apower": None, "current": 1}).apower_w is None
    assert only_reading({"current": 1}).apower_w is None


@pytest.mark.parametrize("ts", ["1750000000", True, float("nan"), [], {}])
def test_a_ts_that_is_no_number_is_no_ts(ts: Any) -> None:
    frame = parse(text(src=PUMP, method="NotifyStatus", params={"ts": ts}))
    assert frame.ts is None
    assert parse(delta(None, switch_2={"apower": 1})).ts is None


@pytest.mark.parametrize(
    "message",
    [
        NO_HANDLER,
        text(id=2, src=PUMP, dst="collector", result=None),
        text(id=9, src=PUMP, dst="collector", result={"was_on": False}),
        text(id=9, src=PUMP, dst="collector", result=[1, 2]),
        text(src=PUMP, method="NotifyEvent", params={"ts": T0, "events": [{"event": "x"}]}),
        text(src=PUMP, method="Some.Request", id=3),
        delta(T0, wifi={"rssi": -60}, sys={"cfg_rev": 9}),
    ],
)
def test_other_well_formed_frames_are_recognised_and_carry_nothing(message: str) -> None:
    frame = parse(message)
    assert (frame.device_id, frame.full, frame.readings) == (PUMP, False, ())


@pytest.mark.parametrize(
    "message",
    [
        "",
        "hello",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"src":"x"}',
        '{"src":"x","method":"NotifyStatus"}',
        '{"src":"x","method":"NotifyStatus","params":[]}',
        '{"src":"x","method":7}',
        '{"src":5,"method":"NotifyEvent"}',
        '{"src":null,"method":"NotifyEvent"}',
        '{"method":"NotifyEvent"}',
        '{"src":"","method":"NotifyEvent"}',
        '{"src":"a\\u0000b","method":"NotifyEvent"}',
        '{"src":"a\\nb","method":"NotifyEvent"}',
        '{"src":"a\\ud800","method":"NotifyEvent"}',
        text(src="x" * 101, method="NotifyEvent"),
        '{"src":"x","method":"NotifyStatus","params":{"ts":1',
        '{"src":"x","method":"NotifyEvent","params":' + "[" * 200_000 + "]" * 200_000 + "}",
        '{"src":"x","method":"NotifyEvent","params":' + "9" * 5000 + "}",
    ],
)
def test_what_is_no_frame_is_a_frame_error(message: str) -> None:
    with pytest.raises(FrameError):
        parse(message)


def test_a_frame_error_says_why() -> None:
    with pytest.raises(FrameError, match="not JSON"):
        parse("{")
    with pytest.raises(FrameError, match="1 to 100 printable"):
        parse(text(src="", method="NotifyEvent"))


def test_the_reasons_are_few_and_repeat_nothing_of_the_text() -> None:
    reasons = set()
    for message in MESSAGES.values():
        try:
            parse(message if isinstance(message, str) else "")
        except FrameError as exc:
            reasons.add(str(exc))
    assert reasons == {
        "not JSON",
        "not a JSON object",
        "nested too deeply",
        "src is missing or not a string",
        "src is not 1 to 100 printable characters",
        "neither a method nor a result nor an error",
        "a status without params",
    }


def test_an_odd_character_in_a_foreign_component_does_not_cost_the_frame() -> None:
    frame = parse(delta(T0, wifi={"ssid": "caf\ud83d"}, switch_2={"apower": 9}))
    assert frame.readings == (Reading("switch:2", 9.0),)


def test_the_requests_on_connect_are_these_two() -> None:
    assert BOOTSTRAP == (
        '{"id":1,"src":"collector","method":"NotifyStatus","params":{"enable":true}}',
        '{"id":2,"src":"collector","method":"Shelly.GetStatus"}',
    )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["apower", "voltage", "aenergy", "total", "output", "switch:2", "ts"])
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
frame_like = st.fixed_dictionaries(
    {"src": st.just(PUMP) | anything},
    optional={
        "method": st.sampled_from(["NotifyStatus", "NotifyFullStatus", "NotifyEvent"]) | anything,
        "params": anything,
        "result": anything,
        "error": anything,
    },
).map(json.dumps)


@given(st.text() | anything.map(json.dumps) | frame_like)
def test_any_text_is_a_frame_or_a_frame_error_and_nothing_else(message: str) -> None:
    try:
        frame = parse(message)
    except FrameError:
        return
    assert 0 < len(frame.device_id) <= 100
    for reading in frame.readings:
        values = (reading.apower_w, reading.voltage_v, reading.current_a, reading.energy_total_wh)
        assert any(value is not None for value in (*values, reading.output))
        assert all(value is None or abs(value) < float("inf") for value in values)


def test_a_message_of_thousands_of_components_has_as_many_readings_as_any_device() -> None:
    components = {f"switch_{number}": {"apower": 6.5} for number in range(3000)}
    assert len(parse(answer(**components)).readings) == MOST_COMPONENTS
