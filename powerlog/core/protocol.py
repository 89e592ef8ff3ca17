"""What a Shelly says: the text of one WebSocket message becomes a Frame, or a FrameError.

Pure: no Django, no clock, no logging. The promise: any text whatsoever gives a Frame or raises
FrameError, and nothing else. A value that is missing, null or not a finite number is None in the
Reading, and a power that is null sets power_lost; what that means is decided by the rules in
sampler.py.

Three shapes carry readings: the `params` of NotifyFullStatus and NotifyStatus, the same wrapped
once more in `params.device_status` (some gateways), and the `result` of Shelly.GetStatus. Every
other well-formed frame (events, errors, answers to other requests) is a Frame without readings.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from powerlog.core import device_info, fast_path, text_numbers
from powerlog.core.components import MOST_COMPONENTS, NUMBER, RELAYS
from powerlog.core.frame import BEYOND_ANY_METER, Frame, FrameError, MinuteRecord, Reading

# Each request keeps its id when it is sent again, so that a late answer is still matched to it.
STATUS, INFO, CONFIG = 2, 3, 4
# Sent on connect, in this order. Shellys answer the first with error 404 ("No handler for
# NotifyStatus") and notify all the same; other firmware of the field wants to be asked.
BOOTSTRAP = (
    '{"id":1,"src":"collector","method":"NotifyStatus","params":{"enable":true}}',
    '{"id":2,"src":"collector","method":"Shelly.GetStatus"}',
)
# What to ask after that; when, request_schedule.py says.
REQUESTS = {
    INFO: '{"id":3,"src":"collector","method":"Shelly.GetDeviceInfo"}',
    CONFIG: '{"id":4,"src":"collector","method":"Shelly.GetConfig"}',
}
_ABOUT = {INFO: device_info.device_info, CONFIG: device_info.config}
CONFIG_CHANGED = "config_changed"
MAX_DEVICE_ID = 100
# Longer texts, in characters, are left to Python's decoder alone. msgspec is quicker, but takes
# 20 ms for 64 KB of such numbers as 2.2250738585072011e-308, where Python takes 1.2 ms.
LONG = 2048


class _Message(msgspec.Struct):
    """The fields of a JSON-RPC message that matter here, each of any type."""

    id: Any = None
    src: Any = None
    method: Any = None
    params: Any = None
    result: Any = msgspec.UNSET  # "result": null is a success, no result is none
    error: Any = None


_decoder = msgspec.json.Decoder(_Message)


class _TextError(Exception):
    """A value is a text where the protocol has a number."""


def parse(text: str) -> Frame:
    """Return the Frame of this message. Raise FrameError, and nothing else, if it is not one."""
    frame = fast_path.parse(text) if len(text) < LONG else None
    if frame is None:
        return parse_any(text)
    _check(frame.device_id)
    return frame


def parse_any(text: str) -> Frame:
    """Return the Frame of a message of any shape. Raise FrameError."""
    message = _decode(text)
    try:
        return _frame(message, text)
    except _TextError:  # so rare that such a message may be read twice
        names: list[str] = []
        params = text_numbers.without_texts(message.params, names)
        result = text_numbers.without_texts(message.result, names)
        frame = _frame(msgspec.structs.replace(message, params=params, result=result), text)
        return msgspec.structs.replace(frame, texts=tuple(names))


def _frame(message: _Message, text: str) -> Frame:
    device_id = message.src
    if not isinstance(device_id, str):
        raise FrameError("src is missing or not a string")
    _check(device_id)
    if isinstance(message.method, str):
        if message.method in ("NotifyStatus", "NotifyFullStatus"):
            return _status(device_id, message.method == "NotifyFullStatus", message.params)
        # Gateways send many events: for nearly all of them this search is the only cost.
        changed = CONFIG_CHANGED in text and _config_changed(message)
        return Frame(device_id, config_changed=changed)
    if message.result is msgspec.UNSET and message.error is None:
        raise FrameError("neither a method nor a result nor an error")
    return _answer(device_id, message)


def _answer(device_id: str, message: _Message) -> Frame:
    number = message.id if type(message.id) is int else None
    if not isinstance(message.result, dict):
        return Frame(device_id, answers=number)
    if number in _ABOUT:
        return Frame(device_id, answers=number, about=_ABOUT[number](message.result))
    # The answer to any other request than Shelly.GetStatus is a part, if a status at all.
    readings = _readings(message.result)
    full = bool(readings) and number == STATUS
    return Frame(device_id, full=full, readings=readings, answers=number)


def _config_changed(message: _Message) -> bool:
    events = message.params.get("events") if isinstance(message.params, dict) else None
    return (
        message.method == "NotifyEvent"
        and isinstance(events, list)
        and any(isinstance(each, dict) and each.get("event") == CONFIG_CHANGED for each in events)
    )


def _check(device_id: str) -> None:
    if not (0 < len(device_id) <= MAX_DEVICE_ID and device_id.isprintable()):
        raise FrameError(f"src is not 1 to {MAX_DEVICE_ID} printable characters")


def _decode(text: str) -> _Message:
    try:
        if len(text) < LONG:
            return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        pass  # msgspec is strict JSON; Python's decoder knows the dialect that devices speak
    try:
        lenient = json.loads(text)
        return msgspec.convert(lenient, _Message)
    except RecursionError:
        raise FrameError("nested too deeply") from None
    except msgspec.ValidationError:
        raise FrameError("not a JSON object") from None
    except ValueError:
        raise FrameError("not JSON") from None


def _status(device_id: str, full: bool, params: Any) -> Frame:
    if not isinstance(params, dict):
        raise FrameError("a status without params")
    components = params
    if isinstance(wrapped := params.get("device_status"), dict):
        components = params | wrapped
    return Frame(device_id, _number(params.get("ts")), full, _readings(components))


def _readings(components: dict[str, Any]) -> tuple[Reading, ...]:
    """Return the readings of the first MOST_COMPONENTS components that meter."""
    readings: dict[str, Reading] = {}
    left = MOST_COMPONENTS
    for key, component in components.items():
        kind, _, number = key.partition(":")
        if not isinstance(component, dict) or not NUMBER.fullmatch(number):
            continue
        if kind in RELAYS:
            found = [_relay(key, component)]
        elif kind in _METERS:
            found = _METERS[kind](number, component)
        else:
            continue
        left -= 1
        if left < 0:
            break
        for reading in found:
            if _reports(reading):
                before = readings.get(reading.channel)
                readings[reading.channel] = _merged(before, reading) if before else reading
    return tuple(readings.values())


def _relay(key: str, component: dict[str, Any]) -> Reading:
    output = component.get("output")
    energy, returned = component.get("aenergy"), component.get("ret_aenergy")
    energy = energy if isinstance(energy, dict) else {}
    returned = returned if isinstance(returned, dict) else {}
    return Reading(
        key,
        _number(component.get("apower")),
        _number(component.get("voltage")),
        _number(component.get("current")),
        _number(energy.get("total")),
        output if isinstance(output, bool) else None,
        _number(returned.get("total")),
        _record(energy, returned),
        _is_null(component, "apower"),
    )


def _record(energy: dict[str, Any], returned: dict[str, Any]) -> MinuteRecord | None:
    """Return the minute record, or None if it is not three numbers with a time."""
    minute_ts, mwh = _number(energy.get("minute_ts")), _triple(energy.get("by_minute"))
    if minute_ts is None or mwh is None:
        return None
    if returned.get("minute_ts") != energy["minute_ts"]:
        return MinuteRecord(minute_ts, mwh)
    return MinuteRecord(minute_ts, mwh, _triple(returned.get("by_minute")))


def _triple(values: Any) -> tuple[float, float, float] | None:
    if not isinstance(values, list) or len(values) != 3:
        return None
    first, second, third = map(_number, values)
    return None if first is None or second is None or third is None else (first, second, third)


def _phases(number: str, component: dict[str, Any]) -> list[Reading]:
    """Return the readings of an em: three phases, and their sum without a voltage."""
    total = _measured(f"em:{number}", component, "total_")
    return [total, *(_measured(f"em:{number}:{phase}", component, f"{phase}_") for phase in "abc")]


def _phase_counters(number: str, component: dict[str, Any]) -> list[Reading]:
    total = Reading(
        f"em:{number}",
        energy_total_wh=_number(component.get("total_act")),
        returned_wh=_number(component.get("total_act_ret")),
    )
    phases = [
        Reading(
            f"em:{number}:{phase}",
            energy_total_wh=_number(component.get(f"{phase}_total_act_energy")),
        )
        for phase in "abc"
    ]
    return [total, *phases]


def _measured(channel: str, component: dict[str, Any], prefix: str = "") -> Reading:
    values = (component.get(prefix + name) for name in ("act_power", "voltage", "current"))
    lost = _is_null(component, f"{prefix}act_power")
    return Reading(channel, *map(_number, values), power_lost=lost)


# The energy of em and em1 is in a sister component; both are readings of one channel.
_METERS: dict[str, Callable[[str, dict[str, Any]], list[Reading]]] = {
    "em": _phases,
    "emdata": _phase_counters,
    "em1": lambda number, component: [_measured(f"em1:{number}", component)],
    "em1data": lambda number, component: [
        Reading(f"em1:{number}", energy_total_wh=_number(component.get("total_act_energy")))
    ],
}


def _reports(reading: Reading) -> bool:
    if not (
        reading.apower_w
        is reading.voltage_v
        is reading.current_a
        is reading.energy_total_wh
        is reading.output
        is reading.power_lost
        is None
    ):
        return True
    # A relay's total counts both directions and changes as well. The sum of phases may report its
    # export alone.
    return reading.returned_wh is not None and reading.channel.startswith("em:")


def _merged(first: Reading, second: Reading) -> Reading:
    """Return one reading with the values of both; the second wins."""
    reported = {
        name: value
        for name in Reading.__struct_fields__
        if (value := getattr(second, name)) is not None
    }
    return msgspec.structs.replace(first, **reported)


def _is_null(component: dict[str, Any], name: str) -> bool | None:
    """Return True if the value is present and null, else None."""
    return True if component.get(name, 0) is None else None


def _number(value: Any) -> float | None:
    """Return the value if it is a finite number that a meter can report, else None."""
    if type(value) is not float and type(value) is not int:  # a bool is an int, but no number
        if type(value) is str:
            raise _TextError
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < BEYOND_ANY_METER else None
