"""The content of a message: a Frame of one device, with a Reading of each channel that it reports.

Pure: the types that protocol.py makes from text.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from powerlog.core.device_info import About

BEYOND_ANY_METER = 1e12  # in any unit; a column holds it, and a sum of such values as well


class FrameError(ValueError):
    """The text is not a frame of this protocol. The message gives the reason in a few words."""


class ChannelKey(NamedTuple):
    """The name of a channel among all devices."""

    device_id: str
    channel: str


class RecordedMinute(NamedTuple):
    """A minute (ts // 60) of the device's record: its mean power, the energy drawn in it, and what
    the device has counted since its start."""

    minute: int
    mean_w: float
    drawn_w: float
    counted_wh: float


class MinuteRecord(msgspec.Struct, frozen=True, gc=False):
    """The device's own record of three minutes: mWh, the newest first; as it is on the wire.

    mwh counts both directions; returned_mwh is the part of it that went back to the grid. Without
    that part (None) the record has no sign: it gives an amount, not a direction.
    """

    minute_ts: float
    mwh: tuple[float, float, float]
    returned_mwh: tuple[float, float, float] | None = None

    def complete(self, at: float) -> Iterator[RecordedMinute]:
        """Yield the complete minutes, newest first, of a record received at this Unix time."""
        newest, second = divmod(int(self.minute_ts), 60)
        # From firmware 1.2 on minute_ts is a full minute, and the first of the three is the minute
        # before it. Up to 1.1 the first is the minute that contains minute_ts. It is still running,
        # except in the notification on the full minute, whose minute_ts ends in :59.
        running = second > 0 and not (second == 59 and at // 60 > newest)
        if second == 0:
            newest -= 1
        since_mwh = 0.0
        back = self.returned_mwh or (0.0, 0.0, 0.0)
        for age, (mwh, returned) in enumerate(zip(self.mwh, back, strict=True)):
            since_mwh += mwh
            if age or not running:
                drawn_w = (mwh - returned) * 0.06
                mean_w = round(drawn_w - returned * 0.06, 5)
                yield RecordedMinute(newest - age, mean_w, drawn_w, since_mwh / 1000)


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What one frame reports of one channel; None is "not reported". Never all None.

    channel is the component key ("switch:2"), or a phase of a three-phase meter ("em:0:a").
    energy_total_wh is the device's cumulative counter, of both directions where the device counts
    what it returns to the grid; returned_wh is that part. For the sum of three phases ("em:0")
    energy_total_wh counts the import alone, and returned_wh the export beside it.
    power_lost is True where the device reports its power as null (its meter fails).
    """

    channel: str
    apower_w: float | None = None
    voltage_v: float | None = None
    current_a: float | None = None
    energy_total_wh: float | None = None
    output: bool | None = None
    returned_wh: float | None = None
    record: MinuteRecord | None = None
    power_lost: bool | None = None


class Frame(msgspec.Struct, frozen=True):
    """One message of one device.

    ts is the device's own clock in Unix seconds, or None where the frame has none; it may be an
    uptime or plainly wrong. full: the readings replace what is known instead of overlaying it.
    config_changed: an event says that settings have changed, maybe names.
    texts names the values that are texts where the protocol has numbers ("switch:0.apower"): they
    are in no reading.
    """

    device_id: str
    ts: float | None = None
    full: bool = False
    readings: tuple[Reading, ...] = ()
    answers: int | None = None
    about: About | None = None
    config_changed: bool = False
    texts: tuple[str, ...] = ()
