"""What a Shelly says: the text of one WebSocket message becomes a Frame, or a FrameError.

Pure: no Django, no clock, no logging. The promise: any text whatsoever gives a Frame or raises
FrameError, and nothing else. A value that is missing, null or not a finite number is None in the
Reading; what that means is for the rules in sampler.py to say.

Three shapes carry readings: the `params` of NotifyFullStatus and NotifyStatus, the same wrapped
once more in `params.device_status` (some gateways), and the `result` of Shelly.GetStatus. Every
other well-formed frame (events, errors, answers to other requests) is a Frame without readings.
"""

import json
import math
from typing import Any

import msgspec

# Sent on connect, in this order. Shellys answer the first with error 404 ("No handler for
# NotifyStatus") and notify all the same; other firmware of the field wants to be asked.
BOOTSTRAP = (
    '{"id":1,"src":"collector","method":"NotifyStatus","params":{"enable":true}}',
    '{"id":2,"src":"collector","method":"Shelly.GetStatus"}',
)
MAX_DEVICE_ID = 100


class FrameError(ValueError):
    """The text is not a frame of this protocol. The message says why, in a few words."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What one frame reports of one channel; None is "not reported". Never all None.

    channel is the component key ("switch:2"); energy_total_wh the device's cumulative counter.
    """

    channel: str
    apower_w: float | None = None
    voltage_v: float | None = None
    current_a: float | None = None
    energy_total_wh: float | None = None
    output: bool | None = None


class Frame(msgspec.Struct, frozen=True):
    """One message of one device.

    ts is the device's own clock in Unix seconds, or None where the frame has none; it may be an
    uptime or plainly wrong. full: the readings replace what is known instead of overlaying it.
    """

    device_id: str
    ts: float | None = None
    full: bool = False
    readings: tuple[Reading, ...] = ()


class _Message(msgspec.Struct):
    """The fields of a JSON-RPC message that matter here, of whatever type they arrive."""

    src: Any = None
    method: Any = None
    params: Any = None
    result: Any = msgspec.UNSET  # "result": null is a success, no result is none
    error: Any = None


_decoder = msgspec.json.Decoder(_Message)


def parse(text: str) -> Frame:
    """The Frame that this message is. Raises FrameError, and nothing else, where it is none."""
    message = _decode(text)
    device_id = message.src
    if not isinstance(device_id, str):
        raise FrameError("src is missing or not a string")
    if not (0 < len(device_id) <= MAX_DEVICE_ID and device_id.isprintable()):
        raise FrameError(f"src is not 1 to {MAX_DEVICE_ID} printable characters")
    if isinstance(message.method, str):
        if message.method in ("NotifyStatus", "NotifyFullStatus"):
            return _status(device_id, message.method == "NotifyFullStatus", message.params)
        return Frame(device_id)
    if isinstance(message.result, dict):
        readings = _readings(message.result)
        # Only a status has meters in it; the answer to any other request replaces nothing.
        return Frame(device_id, full=bool(readings), readings=readings)
    if message.result is msgspec.UNSET and message.error is None:
        raise FrameError("neither a method nor a result nor an error")
    return Frame(device_id)


def _decode(text: str) -> _Message:
    try:
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
    wrapped = params.get("device_status")
    readings = _readings(params)
    if isinstance(wrapped, dict):
        readings += _readings(wrapped)
    return Frame(device_id, _number(params.get("ts")), full, readings)


def _readings(components: dict[str, Any]) -> tuple[Reading, ...]:
    found = (
        _reading(key, value)
        for key, value in components.items()
        if isinstance(value, dict) and ":" in key
    )
    return tuple(reading for reading in found if reading is not None)


def _reading(channel: str, component: dict[str, Any]) -> Reading | None:
    apower = _number(component.get("apower"))
    voltage = _number(component.get("voltage"))
    current = _number(component.get("current"))
    energy = component.get("aenergy")
    total = _number(energy.get("total")) if isinstance(energy, dict) else None
    output = component.get("output")
    if not isinstance(output, bool):
        output = None
    if apower is voltage is current is total is output is None:
        return None
    return Reading(channel, apower, voltage, current, total, output)


def _number(value: Any) -> float | None:
    """A finite float, or None: null, text, true, NaN, infinity and 400 digits are no numbers."""
    if type(value) is not float and type(value) is not int:  # a bool is an int, but no number
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
