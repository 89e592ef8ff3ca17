"""Numbers that arrive as texts: found in components of every kind, named, and never taken."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerlog.core import protocol
from powerlog.core.frame import Frame, Reading
from powerlog.core.text_numbers import DEEPEST, LONGEST_NAME, MOST_NAMES, without_texts
from tests.core.test_fast_path import components, names
from tests.support.frames import PUMP, STATUS, T0, answer, delta, full, meter

TEXT_METER = {
    "id": 0,
    "source": "init",
    "output": True,
    "apower": "433.8",
    "voltage": "229.1",
    "current": "2.631",
    "aenergy": {"total": "12.5", "by_minute": ["0.0", "1", 2], "minute_ts": str(T0)},
    "ret_aenergy": {"total": "0"},
}
IN_A_SWITCH = (
    "apower",
    "voltage",
    "current",
    "aenergy.total",
    "aenergy.by_minute",
    "aenergy.minute_ts",
    "ret_aenergy.total",
)


def test_a_meter_that_speaks_in_texts_is_named_value_by_value_and_not_read() -> None:
    frame = protocol.parse(full(T0, switch_0=TEXT_METER, wifi={"ssid": "5"}))
    assert frame == Frame(
        PUMP,
        float(T0),
        True,
        (Reading("switch:0", output=True),),
        texts=tuple(f"switch:0.{name}" for name in IN_A_SWITCH),
    )


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        (delta(T0, switch_2={"apower": "433.8"}), {"switch:2.apower"}),
        (delta(T0, pm1_0={"apower": "", "voltage": 230.0}), {"pm1:0.apower"}),
        (delta(T0, em_0={"a_act_power": "5.1", "n_current": None}), {"em:0.a_act_power"}),
        (delta(T0, em_0={"total_act_power": "433,8"}), {"em:0.total_act_power"}),
        (delta(T0, emdata_0={"total_act": "9", "c_total_act_energy": "9"}), None),
        (delta(T0, em1_1={"act_power": "nan", "current": "n/a"}), None),
        (delta(T0, em1data_1={"total_act_energy": "0x10"}), {"em1data:1.total_act_energy"}),
        (answer(light_0={"apower": "6"}), {"light:0.apower"}),
        (
            delta(T0, device_status={"switch:1": {"apower": "12"}}),
            {"device_status.switch:1.apower"},
        ),
        (f'{{"src":"{PUMP}","method":"NotifyStatus","params":{{"ts":"{T0}"}}}}', {"ts"}),
        # Python's own decoder reads this one: NaN is not JSON.
        (f'{{"src":"{PUMP}","method":"NotifyStatus","params":{{"cct:0":'
         '{"apower":"5","voltage":NaN}}}', {"cct:0.apower"}),
    ],
)  # fmt: skip
def test_texts_are_found_in_every_kind_of_meter(message: str, texts: set[str] | None) -> None:
    frame = protocol.parse(message)
    assert all(reading.apower_w is None for reading in frame.readings)
    assert len(frame.texts) == 2 if texts is None else set(frame.texts) == texts


def test_what_is_a_number_beside_them_is_read() -> None:
    frame = protocol.parse(delta(T0, switch_0={"apower": 433.8, "voltage": "229"}, em1_0={}))
    assert frame.readings == (Reading("switch:0", 433.8),)
    assert frame.texts == ("switch:0.voltage",)


@pytest.mark.parametrize("status", STATUS.values(), ids=STATUS)
def test_no_model_speaks_in_texts(status: dict[str, Any]) -> None:
    assert protocol.parse(full(T0, **status)).texts == ()


def as_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_texts(each) for name, each in value.items()}
    if isinstance(value, list):
        return [as_texts(each) for each in value]
    return str(value) if type(value) in (int, float) else value


@given(st.dictionaries(names, components, max_size=4))
def test_a_number_as_a_text_is_as_if_it_were_not_there(params: dict[str, Any]) -> None:
    message = {"src": PUMP, "method": "NotifyFullStatus", "params": as_texts(params)}
    frame = protocol.parse(json.dumps(message))
    for reading in frame.readings:
        numbers = (reading.apower_w, reading.voltage_v, reading.current_a, reading.energy_total_wh)
        assert set(numbers) == {None}


def test_it_looks_no_deeper_than_the_parser_reads() -> None:
    nested: Any = "5"
    for _ in range(DEEPEST + 100):
        nested = {"apower": nested}
    found: list[str] = []
    assert without_texts({"switch:0": meter(5.0)} | {"x": nested}, found)["x"] == nested
    assert found == []


def test_names_weigh_no_more_than_the_message_that_has_them() -> None:
    component = {"apower": "1", "x": {f"x{number}": {"voltage": "1"} for number in range(2000)}}
    found: list[str] = []
    without_texts({"x" * 30_000: component}, found)
    assert len(found) == MOST_NAMES
    assert max(map(len, found)) <= LONGEST_NAME + len(".voltage")
