"""The fast path for nearly every message: a NotifyStatus with switches and nothing else.

Decoding by type costs 3 µs of CPU for three switches; protocol.py, which takes every shape, needs
10. A message with any field of another name or type is left to protocol.py. Both return the same
Frame for the same message, and a property test checks it.
"""

from typing import Annotated, Literal

import msgspec

from powerlog.core.frame import BEYOND_ANY_METER, Frame, MinuteRecord, Reading

Number = Annotated[float, msgspec.Meta(gt=-BEYOND_ANY_METER, lt=BEYOND_ANY_METER)]


class _Energy(msgspec.Struct, gc=False):
    total: Number | None = None
    minute_ts: Number | None = None
    by_minute: tuple[Number, Number, Number] | None = None


class _Switch(msgspec.Struct, gc=False):
    # Not `| None`: a power that is null is a failing meter, which is left to the long way.
    apower: Number = None  # type: ignore[assignment]
    voltage: Number | None = None
    current: Number | None = None
    output: bool | None = None
    aenergy: _Energy | None = None
    ret_aenergy: _Energy | None = None


class _Params(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    ts: Number | None = None
    switch_0: _Switch | None = msgspec.field(default=None, name="switch:0")
    switch_1: _Switch | None = msgspec.field(default=None, name="switch:1")
    switch_2: _Switch | None = msgspec.field(default=None, name="switch:2")
    switch_3: _Switch | None = msgspec.field(default=None, name="switch:3")


class _Message(msgspec.Struct, gc=False):
    src: str
    method: Literal["NotifyStatus"]
    params: _Params


_decoder = msgspec.json.Decoder(_Message)


def parse(text: str) -> Frame | None:
    """Return the Frame, its device_id not yet checked; None if the message has another shape."""
    try:
        message = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    params = message.params
    readings = []
    if switch := params.switch_0:
        _read("switch:0", switch, readings)
    if switch := params.switch_1:
        _read("switch:1", switch, readings)
    if switch := params.switch_2:
        _read("switch:2", switch, readings)
    if switch := params.switch_3:
        _read("switch:3", switch, readings)
    return Frame(message.src, params.ts, False, tuple(readings))


def _read(channel: str, switch: _Switch, readings: list[Reading]) -> None:
    total = returned = record = None
    if energy := switch.aenergy:
        total = energy.total
        if energy.minute_ts is not None and energy.by_minute is not None:
            record = MinuteRecord(energy.minute_ts, energy.by_minute)
    if back := switch.ret_aenergy:
        returned = back.total
        if record and back.by_minute and back.minute_ts == record.minute_ts:
            record = MinuteRecord(record.minute_ts, record.mwh, back.by_minute)
    if (
        switch.apower is None
        and switch.voltage is None
        and switch.current is None
        and total is None
        and switch.output is None
    ):
        return
    readings.append(
        Reading(
            channel,
            switch.apower,
            switch.voltage,
            switch.current,
            total,
            switch.output,
            returned,
            record,
        )
    )
