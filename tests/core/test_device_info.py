"""What a Shelly says of itself, in whatever shape."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerlog.core.device_info import About, config, device_info
from powerlog.core.frame import Frame
from powerlog.core.protocol import REQUESTS, parse
from tests.support.frames import PUMP, text

INFO = {
    "name": "Pump house",
    "id": PUMP,
    "mac": "0A1B2C3D4E5F",
    "slot": 1,
    "model": "SPSW-104PE16EU",
    "gen": 2,
    "fw_id": "20250520-091422/1.6.2-gc8a76e2",
    "ver": "1.6.2",
    "app": "Pro4PM",
    "auth_en": True,
    "profile": None,
}


def test_device_info_is_model_firmware_and_name() -> None:
    assert device_info(INFO) == About("Pro4PM (SPSW-104PE16EU)", "1.6.2", "Pump house")


@pytest.mark.parametrize("missing", [{}, {"name": None, "model": 7, "ver": ["1"], "app": "a\0b"}])
def test_what_is_missing_or_no_text_is_empty(missing: dict[str, Any]) -> None:
    assert device_info(missing) == About("", "", "")


def test_a_name_is_cut_to_what_a_table_holds() -> None:
    about = device_info(INFO | {"name": " " + "x" * 500, "model": "m" * 99, "ver": "v" * 99})
    assert [len(about.name), len(about.model), len(about.firmware)] == [100, 60, 60]


@pytest.mark.parametrize(
    ("reported", "name"),
    [
        ("Pumpe \ufffd", "Pumpe"),
        ("Pumpe\ufffd \ufffd\ufffd", "Pumpe"),
        ("K\ufffdche", "K\ufffdche"),
        ("\ufffdl", "\ufffdl"),
        ("\ufffd", ""),
        ("x" * 99 + "\ufffdx", "x" * 99),
    ],
)
def test_of_a_text_that_was_cut_within_a_character_the_rest_is_the_name(
    reported: str, name: str
) -> None:
    assert device_info(INFO | {"name": reported}).name == name


def test_config_names_the_channels() -> None:
    about = config(
        {
            "sys": {"device": {"name": "Pump house"}},
            "switch:0": {"id": 0, "name": None, "initial_state": "match_input"},
            "switch:2": {"id": 2, "name": "Pump", "power_limit": 2800},
            "em:0": {"id": 0, "name": "Grid"},
            "wifi": {"ap": {}},
            "ws": None,
        }
    )
    phases = {"em:0:a": "Grid A", "em:0:b": "Grid B", "em:0:c": "Grid C"}
    assert about == About(channels={"switch:0": "", "switch:2": "Pump", "em:0": "Grid", **phases})


def test_a_config_of_thousands_of_components_names_no_more_than_a_device_has_channels() -> None:
    rubbish = {f"script:{number}": {"name": "x" * 90} for number in range(300)}
    many = {f"switch:{number}": {"name": f"Switch {number}"} for number in range(2900)}
    phases = {f"em:{number}": {"name": "Grid"} for number in range(2900)}
    odd = {"switch:": {"name": "a"}, "em:0:a": {"name": "b"}, "switch:99999": {"name": "c"}}
    named = config(rubbish | odd | many).channels
    assert named == {f"switch:{number}": f"Switch {number}" for number in range(64)}
    assert len(config(phases).channels or {}) == 64


def test_the_answers_come_with_what_they_are_about() -> None:
    frame = parse(text(id=3, src=PUMP, dst="collector", result=INFO))
    assert frame == Frame(PUMP, answers=3, about=device_info(INFO))
    names = {"switch:2": {"id": 2, "name": "Pump", "output": True, "apower": 3}}
    frame = parse(text(id=4, src=PUMP, dst="collector", result=names))
    assert frame == Frame(PUMP, answers=4, about=About(channels={"switch:2": "Pump"}))


def test_a_refusal_is_an_answer_as_well() -> None:
    error = {"code": 404, "message": "No handler for Shelly.GetConfig"}
    assert parse(text(id=4, src=PUMP, error=error)) == Frame(PUMP, answers=4)
    assert parse(text(id="4", src=PUMP, result=None)) == Frame(PUMP)


def event(*events: Any, method: str = "NotifyEvent") -> Frame:
    return parse(text(src=PUMP, dst="ws", method=method, params={"ts": 1.5, "events": [*events]}))


def test_an_event_says_that_names_may_have_changed() -> None:
    changed = {"component": "sys", "event": "config_changed", "restart_required": False}
    push = {"component": "input:0", "id": 0, "event": "single_push", "ts": 1.5}
    assert event(changed).config_changed
    assert event(push, changed).config_changed
    assert not event(push).config_changed
    assert not event(push | {"data": "config_changed"}).config_changed
    assert not event(changed, method="NotifyStatus").config_changed
    assert not event(changed, method="Other").config_changed


@pytest.mark.parametrize(
    "params", [None, [], "config_changed", {"events": "config_changed"}, {"events": {}}]
)
def test_a_message_that_only_holds_the_word_is_no_event(params: Any) -> None:
    message = text(src=PUMP, method="NotifyEvent", params=params, x="config_changed")
    assert parse(message) == Frame(PUMP)
    assert not event("config_changed", None, ["config_changed"]).config_changed


def test_nothing_is_asked_that_changes_anything() -> None:
    methods = [request.split('"method":"')[1].split('"')[0] for request in REQUESTS.values()]
    assert methods == ["Shelly.GetDeviceInfo", "Shelly.GetConfig"]


ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=9) | st.sampled_from(["name", "ver", "em:0"]), ANY))
def test_any_answer_tells_texts_or_nothing(result: dict[str, Any]) -> None:
    info, names = device_info(result), config(result).channels
    assert all(isinstance(each, str) for each in (info.model, info.firmware, info.name))
    assert all(each.isprintable() for each in names.values())
