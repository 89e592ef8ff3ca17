"""Which minutes become rows: the rules of sampling, all of them, and nowhere else.

Pure: no Django, no clock, no logging; the moment of receipt is an argument. A Sampler is the
memory of one connection. Feed it the connection's frames in the order of their arrival, and it
answers with the Samples (the rows) that each of them makes due.

 1. KNOWN STATE. Per device and channel: apower, voltage, current, energy total, output. A full
    status replaces it (a channel that it leaves out is forgotten), a delta overlays it. What is
    not reported changes nothing. Output off without an apower means 0 W. A channel of which a
    frame reports none of the five has no reading in it. What was never reported is stored as 0;
    before the first known apower there is no row.
 2. TIME. A reading happens at the frame's ts where that is within the clock tolerance of the
    moment of receipt, else at the moment of receipt. A frame without ts (an answer) happens at
    the moment of receipt by the device's clock: shifted by as much as its last trusted ts was.
    Within a channel time never runs back. A late reading adds to what is known (a socket
    delivers in order, so its values are the newest whatever its stamp says) but makes no row and
    moves no time. Later than two tolerances cannot be: by rule 2 every stamp is within one of
    the moment of receipt, so the collector's own clock was set back, and time starts anew.
 3. ACTIVE is apower > threshold, strictly.
 4. ONE ROW A MINUTE. The first active reading in a minute makes that minute's row, at once, with
    the values known at that reading. Later readings of the minute leave it alone.
 5. SHORT GAPS. Active at the last reading, in minute L, and the next reading (active or not) in
    minute M: the minutes between, if there are 1 to max_blind_gap_min of them, each get a row
    with the values known before the gap. More than that stay a gap.
 9. PROVENANCE. A row says how it was obtained: "measured" (4) or "carried" (5).
10. IDEMPOTENCE. A sampler gives a minute of a channel once and in the order of time. Across
    connections the database's unique key does: the first row wins.

The numbers are those of the collector's design. Those not here yet: 6 to 8 (the device's own
minute record, long gaps, reconnects) belong where 5 is applied, in _Channel.gap, 11 and 12
(counters, runs) where a reading is taken, in Sampler._take.

    last reading   this reading, minute M      becomes
    any            active, M has no row        row M "measured"                       (4)
    any            active, M has a row         -
    any            inactive                    -
    active in L    any, 0 < M-L-1 <= max       rows L+1 … M-1 "carried", before M's   (5)
    active in L    any, M-L-1 > max            no rows between
    any            late                        - , values taken                       (2)
"""

from typing import Literal

import msgspec

from powerlog.protocol import Frame, Reading

MINUTE_S = 60
Source = Literal["measured", "carried"]


class Rules(msgspec.Struct, frozen=True):
    """The adjustable part of the rules. channels holds component keys: "switch:2"."""

    channels: frozenset[str]
    power_threshold_w: float = 5.0
    max_blind_gap_min: int = 5
    clock_tolerance_s: float = 120.0


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One row to be: a channel's minute. ts is the start of the minute, Unix seconds."""

    ts: int
    device_id: str
    channel: str
    apower_w: float
    voltage_v: float
    current_a: float
    energy_total_wh: float
    source: Source


class _Channel(msgspec.Struct, gc=False):
    """What is known of one channel (rule 1), when it last spoke, and its last row's minute."""

    apower_w: float | None = None
    voltage_v: float | None = None
    current_a: float | None = None
    energy_total_wh: float | None = None
    last_ts: float | None = None
    row_minute: int = -1

    def overlay(self, reading: Reading) -> None:
        """Rule 1: what is reported replaces what was known."""
        if reading.apower_w is not None:
            self.apower_w = reading.apower_w
        elif reading.output is False:
            self.apower_w = 0.0
        if reading.voltage_v is not None:
            self.voltage_v = reading.voltage_v
        if reading.current_a is not None:
            self.current_a = reading.current_a
        if reading.energy_total_wh is not None:
            self.energy_total_wh = reading.energy_total_wh

    def forget(self) -> None:
        """Rule 1: a full status is about to say everything anew."""
        self.apower_w = self.voltage_v = self.current_a = self.energy_total_wh = None

    def active(self, rules: Rules) -> bool:
        """Rule 3."""
        return self.apower_w is not None and self.apower_w > rules.power_threshold_w

    def gap(self, minute: int, rules: Rules) -> range:
        """Rule 5: the minutes before this one that are carried over from the last reading."""
        if self.last_ts is None or not self.active(rules):
            return range(0)
        first = int(self.last_ts // MINUTE_S) + 1
        return range(first, minute) if minute - first <= rules.max_blind_gap_min else range(0)

    def sample(self, minute: int, device_id: str, channel: str, source: Source) -> Sample:
        """The row of this minute with the values known now (rules 1 and 4)."""
        self.row_minute = minute
        return Sample(
            minute * MINUTE_S,
            device_id,
            channel,
            self.apower_w or 0.0,
            self.voltage_v or 0.0,
            self.current_a or 0.0,
            self.energy_total_wh or 0.0,
            source,
        )


class _Device(msgspec.Struct):
    """One device's channels, and how far its clock is ahead of the collector's (rule 2)."""

    channels: dict[str, _Channel] = {}  # msgspec copies a mutable default
    clock_offset_s: float = 0.0


class Sampler:
    """The state of one connection, which usually is one device; a gateway may speak for several."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._devices: dict[str, _Device] = {}

    def feed(self, frame: Frame, now: float) -> list[Sample]:
        """The rows that this frame makes due, in the order of their minutes per channel.

        now is the moment of receipt in Unix seconds by the collector's clock.
        """
        samples: list[Sample] = []
        if not frame.readings and not frame.full:
            return samples
        device = self._devices.get(frame.device_id)
        if device is None:
            device = self._devices[frame.device_id] = _Device()
        if frame.full:
            self._forget_missing(device, frame)
        at = self._moment(device, frame.ts, now)
        for reading in frame.readings:
            if reading.channel in self._rules.channels:
                self._take(device, frame, reading, at, samples)
        return samples

    def _moment(self, device: _Device, ts: float | None, now: float) -> float:
        """Rule 2: when the frame's readings happened, Unix seconds."""
        if ts is None:
            return now + device.clock_offset_s
        trusted = abs(ts - now) <= self._rules.clock_tolerance_s
        device.clock_offset_s = ts - now if trusted else 0.0
        return ts if trusted else now

    def _forget_missing(self, device: _Device, frame: Frame) -> None:
        """Rule 1: a channel that a full status leaves out is no longer there."""
        present = {reading.channel for reading in frame.readings}
        for key, channel in device.channels.items():
            if key not in present:
                channel.forget()

    def _take(
        self, device: _Device, frame: Frame, reading: Reading, at: float, samples: list[Sample]
    ) -> None:
        """Rules 1, 2, 4 and 5 for one reading."""
        rules = self._rules
        channel = device.channels.get(reading.channel)
        if channel is None:
            channel = device.channels[reading.channel] = _Channel()
        late_s = 0.0 if channel.last_ts is None else channel.last_ts - at
        if late_s > 2 * rules.clock_tolerance_s:
            channel.last_ts, channel.row_minute, late_s = None, -1, 0.0
        minute = int(at // MINUTE_S)
        if late_s <= 0:
            for between in channel.gap(minute, rules):
                samples.append(channel.sample(between, frame.device_id, reading.channel, "carried"))
        if frame.full:
            channel.forget()
        channel.overlay(reading)
        if late_s > 0:
            return
        channel.last_ts = at
        if minute > channel.row_minute and channel.active(rules):
            samples.append(channel.sample(minute, frame.device_id, reading.channel, "measured"))
