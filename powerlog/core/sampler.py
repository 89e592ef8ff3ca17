"""The rules of sampling: which minutes become rows, and when a channel ran.

Pure: no Django, no clock, no logging; the moment of receipt is an argument. A Sampler is the
memory of one connection. Feed it the connection's frames in the order of their arrival, and it
returns what each of them makes due: Samples (rows) and Runs.

 1. KNOWN STATE. Per device and channel: apower, voltage, current, energy total, output. A full
    status replaces it (a channel that it leaves out is forgotten), a delta overlays it. What is
    not reported changes nothing. Output off without an apower means 0 W. An apower that is null
    (the meter fails) is unknown from then on. A channel of which a frame reports none of the five
    has no reading in it. What was never reported is stored as 0; while the apower is not known
    there is no row.
 2. TIME. A reading happens at the frame's ts where that is within the clock tolerance of the
    moment of receipt, else at the moment of receipt. A frame without ts (an answer) happens at
    the moment of receipt by the device's clock: shifted by as much as its last trusted ts was.
    Within a channel time never runs back. A late reading adds to what is known (a socket
    delivers in order, so its values are the newest whatever its stamp says) but makes no row and
    moves no time. Later than two tolerances (and a minute) cannot be: every stamp is within one
    of the moment of receipt, so the collector's own clock was set back, and time starts anew.
 3. ACTIVE is apower > threshold, strictly.
 4. ONE ROW A MINUTE. The first active reading in a minute makes that minute's row, at once, with
    the values known at that reading. Later readings of the minute leave it alone.
 5. SHORT GAPS. Active at the last reading, in minute L, and the next reading (active or not) in
    minute M: the minutes between, if there are 1 to max_blind_gap_min of them, each get a row
    with the values known before the gap.
 6. THE DEVICE'S OWN MINUTES come first. For those between L and M that the reading's minute
    record covers, it decides, whatever was known: mean power above the threshold makes a row
    with that power, the voltage and current from before, and the counter as it stood at the
    start of that minute; below it there is none. A record decides nothing where it is one quantum
    of a small load beside zeros, where its time is not the reading's, where the device's clock is
    refused (2), and where it has no sign (what was returned is not reported for the same minutes)
    while the power on either side of the gap is negative beyond the threshold.
 7. LONG GAPS, longer than in 5, are filled as in 5 and 6 only where the counter, known on both
    sides, proves it: its mean power over the gap above the threshold and within 20 % of the
    power before. What was used between the counter's last report and the gap is subtracted
    first, and the proof must hold with that 5 % higher and lower. Else they stay gaps, but for
    the minutes that the device vouches for (6). A gap of more than a week is never filled: no
    counter proves a week.
 8. RECONNECTS are gaps like any other: restore() brings back what the database knows of a channel,
    its last row and its open run, or when the last one ended, before the first reading; leave()
    returns the open runs at the end.
 9. PROVENANCE. A row says how it was obtained: "measured" (4), "device" (6), "carried" (5, 7).
10. IDEMPOTENCE. A sampler gives a minute of a channel once and in the order of time. Across
    connections the database's unique key does: the first row wins.
11. COUNTERS. A falling counter was reset or stepped back, and so was one that rises by more than
    the known power can have drawn since it last spoke. The energy of that time is the integral
    of the known power, never negative and never a spike; the counter goes on from its new value,
    or from its old one where the next report takes the reset back. The most that can have been
    drawn is 1.2 times the integral, in which the higher of two readings holds between them (in
    minutes that are carried, the highest power of the connection), and a minute of the highest
    power of the connection, and 0.5 Wh; a rise that proves a gap (7) is believed. A counter that
    repeats its value has not spoken. What was returned to the grid is subtracted; where a restored
    channel (8) is known to return some, its counter has not spoken before this part is reported.
    The sum of three phases ("em:0") has net power: its counter is import less export, falls by
    what is fed in, and may differ from the integral of the net power by as much either way.
12. RUNS. A run starts at the first active reading after inactivity and ends at the first inactive
    one. In a gap the device's minutes (6) count as readings at their starts; a minute of which
    nothing is known ends the run at its last active reading, as lost contact. Its energy is what
    the counter rose by while it was active; where one rise covers several runs, each has its
    share by its own power and time. No more than thirty runs of a channel start in a minute: the
    last of them goes on through what follows in it, ends where that ends, and bears the number of
    its starts. No more than sixty ended runs wait for the counter; those before them keep the
    energy of their power and time. A run whose power becomes unknown (1) ends at that moment, as
    lost contact; one whose channel a full status leaves out, at its last reading, as lost contact.
    A run is reported when it starts and ends, when the counter speaks for the first time after
    either or starts again (at most once a minute), when the connection ends (8), and when it has
    passed a local midnight, with what it had used until then: a day's energy.
13. STAFF may give a channel a threshold of its own, or switch it off: then it is as if it were not
    there, its run ends at its last reading as lost contact. It holds from the next reading on.
14. A SILENT CHANNEL. A channel that has had no reading for seven minutes, and for longer than rule
    5 reaches, while its device has spoken all the time, is no longer known: its run ends at its
    last reading, as lost contact.

    last reading   this reading, minute M       minutes between         becomes
    any            active, M has no row         -                       row M "measured"       (4)
    any            inactive, or M has a row     -                       -
    any            any                          vouched for, active     row "device"           (6)
    any            any                          vouched for, inactive   -                      (6)
    active         any                          others, short or proven row "carried"       (5, 7)
    active         any                          others, long            -                      (7)
    any            late                         -                       -, values taken        (2)
"""

from collections.abc import Iterable, Mapping

import msgspec

from powerlog.core.channel_state import (
    AS_ALL,
    MINUTE_S,
    ChannelState,
    Due,
    Own,
    Rules,
    Snapshot,
)
from powerlog.core.channel_state import (
    Sample as Sample,
)
from powerlog.core.contact import SILENT_S
from powerlog.core.days import Calendar
from powerlog.core.device_state import DeviceState
from powerlog.core.frame import Frame, Reading
from powerlog.core.gaps import Gap
from powerlog.core.run_state import RunState

SILENT_MIN = 7  # rule 14
MAX_CHANNELS = 64  # of a device on one connection; far more than any has


class Sampler:
    """The state of one connection."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._devices: dict[str, DeviceState] = {}
        self._calendar = Calendar(rules.time_zone)
        # Rule 13: the settings of staff by (device_id, channel). Replaced as a whole.
        self.own: Mapping[tuple[str, str], Own] = {}

    def restore(self, past: Snapshot) -> None:
        """Rule 8: restore a channel from before this connection. A channel that already has had a
        reading on it is left as it is."""
        channels = self._device(past.row.device_id).channels
        known = channels.get(past.row.channel)
        if known is None or known.last_ts is None:
            channels[past.row.channel] = ChannelState.recalled(past)

    def leave(self) -> list[RunState]:
        """Rule 8: return the open runs in their present state, when the connection ends."""
        return [
            run
            for device in self._devices.values()
            for channel in device.channels.values()
            for run in channel.runs.leave(channel.last_ts, channel.booked_wh)
        ]

    def known(self, device_id: str) -> list[tuple[ChannelState, float]]:
        """Return a device's channels and their thresholds in W; any thread may read them."""
        device = self._devices.get(device_id)
        channels = list(device.channels.values()) if device else []
        return [(channel, self._threshold_w(channel)) for channel in channels]

    def last_words(self, frame: Frame, now: float, known: Iterable[Snapshot]) -> list[Due]:
        """Rule 8: return what is due if the process ends while this frame waits for its restore."""
        for past in known:
            self.restore(past)
        return self.feed(frame, now) + self.leave()

    def device(self, device_id: str) -> DeviceState | None:
        """Return the state of this device if it has reported a channel; read it only."""
        return self._devices.get(device_id)

    def strangers(self, frame: Frame) -> list[str]:
        """Return the channels of this frame that are new to the connection, each only once.

        restore() them now, before the frame is fed.
        """
        if not frame.readings:
            return []
        device = self._device(frame.device_id)
        new = []
        for reading in frame.readings:  # nearly always none is new, and this check is cheap
            key = reading.channel
            if key not in device.channels and self._wants(frame.device_id, key):
                new.append(key)
        if new:
            del new[max(0, MAX_CHANNELS - len(device.channels)) :]
            for key in new:
                device.channels[key] = ChannelState(frame.device_id, key)
        return new

    def feed(self, frame: Frame, now: float) -> list[Due]:
        """Return what this frame makes due: rows, per channel in the order of minutes, and runs.

        now is the moment of receipt in Unix seconds by the collector's clock.
        """
        due: list[Due] = []
        device = self._devices.get(frame.device_id)
        if not frame.readings and not frame.full:
            if device and now >= device.look_at:
                self._look_at_channels(device, frame, now + device.clock_offset_s, due)
            return due
        if device is None:
            device = self._device(frame.device_id)
        at = device.moment(frame.ts, now, self._rules.clock_tolerance_s)
        if frame.full:
            self._forget_missing(device, frame, due)
        if at >= device.look_at:
            self._look_at_channels(device, frame, at, due)
        for reading in frame.readings:
            channel = device.channels.get(reading.channel)
            if channel is None:
                full_up = len(device.channels) >= MAX_CHANNELS
                if full_up or not self._wants(frame.device_id, reading.channel):
                    continue
                channel = ChannelState(frame.device_id, reading.channel)
                device.channels[reading.channel] = channel
            elif self.own and not self._wants(frame.device_id, reading.channel):
                due += channel.runs.stop(channel.last_ts or at, "lost contact")
                del device.channels[reading.channel]
                continue
            if device.clock_refused and reading.record:
                reading = msgspec.structs.replace(reading, record=None)  # rule 6
            self._take(device, channel, reading, frame.full, at, due)
        return due

    def _look_at_channels(
        self, device: DeviceState, frame: Frame, at: float, due: list[Due]
    ) -> None:
        """Rules 13 and 14, once a minute: end the runs of channels that are silent, or unwanted."""
        if at - device.look_at > SILENT_S:
            device.speaks_since = at
        device.look_at = at + MINUTE_S
        # Two minutes more than may lie between: the readings are within a minute each.
        limit_s = max(self._rules.max_blind_gap_min + 2, SILENT_MIN) * MINUTE_S
        spoken_s = at - device.speaks_since
        present = {reading.channel for reading in frame.readings}
        for key, channel in list(device.channels.items()):
            last = channel.last_ts
            due += channel.runs.end_rest(at)
            if not self._wants(frame.device_id, key):
                due += channel.runs.stop(last or at, "lost contact")
                del device.channels[key]
            elif last is not None and key not in present and min(spoken_s, at - last) > limit_s:
                self._lose(channel, due)

    def _device(self, device_id: str) -> DeviceState:
        device = self._devices.get(device_id)
        if device is None:
            device = self._devices[device_id] = DeviceState()
        return device

    def _wants(self, device_id: str, channel: str) -> bool:
        if channel not in self._rules.channels and "*" not in self._rules.channels:
            return False
        return self.own.get((device_id, channel), AS_ALL).logged

    def _forget_missing(self, device: DeviceState, frame: Frame, due: list[Due]) -> None:
        """Rule 1: forget the channels that a full status leaves out."""
        present = {reading.channel for reading in frame.readings}
        for key, channel in device.channels.items():
            if key not in present:
                self._lose(channel, due)

    def _lose(self, channel: ChannelState, due: list[Due]) -> None:
        """Rules 12 to 14: end the run at the last reading; nothing is known after it."""
        due += channel.runs.rest(channel.last_ts or 0.0, "lost contact")
        channel.forget()

    def _take(
        self,
        device: DeviceState,
        channel: ChannelState,
        reading: Reading,
        full: bool,
        at: float,
        due: list[Due],
    ) -> None:
        """Take one reading: count the time since the last one, overlay it, add what is due."""
        last, late = channel.last_ts, False
        if last is not None and at < last:
            if last - at > max(2 * self._rules.clock_tolerance_s, MINUTE_S):
                self._start_anew(device, channel, due)
            else:
                at, late = last, True
        if channel.last_ts is not None:
            self._pass(channel, reading, at, due)
        if full:
            channel.forget()
        channel.overlay(reading)
        if reading.energy_total_wh is not None or reading.returned_wh is not None:
            due += channel.book(reading, at)
        channel.last_ts = at
        # Rule 3: the power of an active channel, else None.
        watts, threshold_w = channel.apower_w, self._rules.power_threshold_w
        if self.own:
            threshold_w = self._threshold_w(channel)
        if watts is not None and watts <= threshold_w:
            watts = None
        runs = channel.runs
        # Nearly always it goes on with a power that it has had before, and this check is cheap.
        if runs.open is None or watts is None or runs.rests or watts > runs.open.peak_w:
            channel.turn(watts, at, due)
        if watts is not None and not late and (minute := int(at // MINUTE_S)) > channel.row_minute:
            due.append(channel.sample(minute, "measured", watts, channel.counter_wh))

    def _start_anew(self, device: DeviceState, channel: ChannelState, due: list[Due]) -> None:
        """Rule 2: end the run and restart time: the collector's own clock was set back."""
        due += channel.runs.stop(channel.last_ts or 0.0, "lost contact")
        channel.last_ts, channel.row_minute = None, -1
        device.speaks_since = device.look_at = 0.0

    def _threshold_w(self, channel: ChannelState) -> float:
        if not self.own:
            return self._rules.power_threshold_w
        own_w = self.own.get((channel.device_id, channel.key), AS_ALL).power_threshold_w
        return self._rules.power_threshold_w if own_w is None else own_w

    def _pass(self, channel: ChannelState, reading: Reading, at: float, due: list[Due]) -> None:
        """Count the time since the last reading for the rows (rules 5 to 7) and the run (12)."""
        since, drawn_w = channel.last_ts or at, channel.apower_w or 0.0
        if drawn_w < 0.0 and not channel.is_sum:
            drawn_w = 0.0
        now_w = reading.apower_w
        if now_w is not None and (now_w > drawn_w or channel.is_sum):
            channel.extra_ws += abs(now_w - drawn_w) * (at - since)  # rule 11
            if now_w > channel.peak_w:
                channel.peak_w = now_w
        # Nearly always the gap is under a minute, with no whole minute in it: a cheap check.
        if at - since > MINUTE_S and int(since // MINUTE_S) + 1 < int(at // MINUTE_S):
            gap = Gap(channel, reading, at, self._rules, self._threshold_w(channel))
            since, drawn_w = gap.bridge(self._calendar, due)
        if drawn_w > 0 or (drawn_w and channel.is_sum):
            channel.use(drawn_w, since, at, self._calendar)
        elif channel.apower_w is None and at > since:
            channel.blind = True
