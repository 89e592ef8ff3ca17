"""The short way of the parser: of every message it makes what the way for all shapes makes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerlog.core import fast_path, protocol
from powerlog.core.frame import Frame, FrameError
from tests.support.frames import PUMP, T0, delta, full, meter

odd = st.sampled_from([None, True, "5", [], {}, -1e12, 1e12, 10**400, float("nan"), 1e999])
numbers = st.floats(-1e13, 1e13) | st.integers(-(10**13), 10**13)
triples = st.lists(numbers, min_size=3, max_size=3)
energies = st.fixed_dictionaries(
    {},
    optional={
        "total": numbers | odd,
        "minute_ts": st.sampled_from([T0, float(T0), T0 + 60]) | odd,
        "by_minute": triples | st.lists(odd, max_size=4) | odd,
        "more": odd,
    },
)
components = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(),
        "apower": numbers | odd,
        "voltage": numbers | odd,
        "current": numbers,
        "output": st.booleans() | odd,
        "aenergy": energies | odd,
        "ret_aenergy": energies | odd,
        "temperature": st.just({"tC": 51.2}),
    },
)
names = st.sampled_from([*(f"switch:{n}" for n in (0, 1, 2, 3, 4, "02")), "pm1:0", "sys", "ts"])
messages = st.fixed_dictionaries(
    {"src": st.sampled_from([PUMP, "", "a\0", "x" * 101]) | odd},
    optional={
        "dst": st.just("ws"),
        "method": st.sampled_from(["NotifyStatus", "NotifyFullStatus", "NotifyEvent"]) | odd,
        "params": st.dictionaries(names, components | odd | numbers) | odd,
        "result": odd,
        "id": odd,
    },
)


def outcome(parse: Any, text: str) -> Any:
    try:
        frame = parse(text)
    except FrameError as exc:
        return str(exc)
    readings = {each.channel: each for each in frame.readings}
    return frame.device_id, frame.ts, frame.full, readings, frame.texts


@given(messages)
def test_both_ways_make_the_same_of_a_message(message: dict[str, Any]) -> None:
    text = json.dumps(message)
    assert outcome(protocol.parse, text) == outcome(protocol.parse_any, text)


@given(st.dictionaries(names.filter(lambda name: name[:6] == "switch"), components, max_size=4))
def test_both_ways_make_the_same_of_switches(params: dict[str, Any]) -> None:
    text = json.dumps({"src": PUMP, "method": "NotifyStatus", "params": {"ts": T0 + 0.5, **params}})
    assert outcome(protocol.parse, text) == outcome(protocol.parse_any, text)


def test_a_notification_of_switches_goes_the_short_way() -> None:
    frame = fast_path.parse(delta(T0, switch_0=meter(1.0), switch_2=meter(430.0, 100.0)))
    assert isinstance(frame, Frame)
    assert frame == protocol.parse_any(delta(T0, switch_0=meter(1.0), switch_2=meter(430.0, 100.0)))


@pytest.mark.parametrize(
    "text",
    [
        full(T0, switch_0=meter(1.0)),
        delta(T0, switch_0=meter(1.0), wifi={"rssi": -60}),
        delta(T0, pm1_0={"apower": 5.0}),
        delta(T0, switch_0={"apower": "5"}),
        "[1]",
        "\ud800",
    ],
)
def test_everything_else_does_not(text: str) -> None:
    assert fast_path.parse(text) is None
