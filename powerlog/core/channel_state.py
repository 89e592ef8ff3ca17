"""The state of one channel, and the rows made from it: the types that the sampler uses.

Pure. The rules in sampler.py decide what is done with them, and when.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

import msgspec

from powerlog.core.days import Calendar
from powerlog.core.energy_bounds import ABOVE_KNOWN, LATE_S, most_wh
from powerlog.core.frame import Reading
from powerlog.core.run_state import End, Ledger, RunState

MINUTE_S = 60
Source = Literal["measured", "device", "carried"]


class Rules(msgspec.Struct, frozen=True):
    """The adjustable part of the rules. channels holds component keys ("switch:2"), "*" for all;
    the midnights of time_zone divide the days."""

    channels: frozenset[str]
    power_threshold_w: float = 5.0
    max_blind_gap_min: int = 5
    clock_tolerance_s: float = 120.0
    time_zone: str = "UTC"


class Own(NamedTuple):
    """The settings of staff for a single channel; power_threshold_w None: that of the rules."""

    logged: bool = True
    power_threshold_w: float | None = None


AS_ALL = Own()


class Sample(msgspec.Struct, frozen=True, gc=False):
    """A minute row to be written. ts is the start of the minute, Unix seconds."""

    ts: int
    device_id: str
    channel: str
    apower_w: float
    voltage_v: float
    current_a: float
    energy_total_wh: float
    source: Source


Due = Sample | RunState  # what a reading makes due


class Snapshot(msgspec.Struct, frozen=True):
    """The last known state of a channel (rule 8): its last row, and its run if one is open.

    ended_at is when the last run ended, Unix seconds, if none is open.
    """

    row: Sample
    run: RunState | None = None
    ended_at: float | None = None


class ChannelState(msgspec.Struct, gc=False):
    """The known state of one channel (rule 1), the time of its last reading and row, its runs."""

    device_id: str
    key: str
    apower_w: float | None = None
    voltage_v: float | None = None
    current_a: float | None = None
    energy_total_wh: float | None = None
    last_ts: float | None = None
    row_minute: int = -1
    # What went back to the grid; None: not reported yet. returns: it is known that there is some.
    returned_wh: float | None = None
    returns: bool = False
    # The sum of three phases: its power is net, and its counter falls by what is fed in (rule 11).
    is_sum: bool = False
    # booked_wh is the counter, less what was returned, when energy was last booked. slack_wh is by
    # how much a calculated booked_wh may be too high. blind: the power of some of the time since is
    # unknown. aged: booked_wh may be older than the last reading.
    booked_wh: float | None = None
    slack_wh: float = 0.0
    blind: bool = False
    aged: bool = False
    # Rule 11. extra_ws is how much more than the claims may have been drawn since the counter
    # changed. peak_w is the highest power on this connection. unreset_wh is where the counter would
    # stand without the reset at its last report: its value before, and what was claimed until then.
    extra_ws: float = 0.0
    peak_w: float = 0.0
    unreset_wh: float | None = None
    runs: Ledger = msgspec.field(default_factory=Ledger)

    def __post_init__(self) -> None:
        self.is_sum = self.key.startswith("em:") and self.key.count(":") == 1

    @classmethod
    def recalled(cls, past: Snapshot) -> Self:
        """Rule 8: return a channel in the state of this snapshot."""
        row, run = past.row, past.run
        channel = cls(
            row.device_id,
            row.channel,
            # Without an open run the channel was off at its last reading.
            row.apower_w if run else None,
            row.voltage_v or None,
            row.current_a or None,
            row.energy_total_wh or None,
            last_ts=float(row.ts),
            row_minute=row.ts // MINUTE_S,
        )
        if run is None:
            # A record that arrives now covers minutes in which that run went on.
            channel.last_ts = max(float(row.ts), past.ended_at or 0.0)
            return channel
        # The row has the whole counter, the run has it without what was returned.
        in_run_wh = row.energy_total_wh - (run.counter_wh or 0.0)
        channel.returns = run.counter_wh is not None and in_run_wh > most_wh(0.0, run.peak_w)
        if run.heard_at is not None and run.heard_at >= row.ts:
            channel.booked_wh = channel.runs.resume(run)
            channel.slack_wh = run.peak_w / 600  # a tenth of a minute's energy
            channel.last_ts, channel.peak_w = run.heard_at, run.peak_w
        else:
            channel._go_on_from_row(row, run)
        return channel

    def _go_on_from_row(self, row: Sample, run: RunState) -> None:
        """Rule 8: go on from the last row. The collector was killed, and nothing newer is known."""
        run = msgspec.structs.replace(run, peak_w=max(run.peak_w, row.apower_w))
        self.booked_wh = self.runs.resume(run, row.energy_total_wh, row.ts + MINUTE_S)
        self.last_ts, self.peak_w = max(float(row.ts), run.started_at), run.peak_w
        resumed_wh = self.runs.open.booked_wh if self.runs.open else 0.0
        seconds = self.last_ts - run.started_at
        # The row's counter may be of any age: its next rise may include energy from before the row.
        self.extra_ws = max(0.0, run.peak_w * seconds - resumed_wh * 3600)
        expected_wh = (1 - ABOVE_KNOWN) * row.apower_w * seconds / 3600 - row.apower_w / 60
        self.aged = resumed_wh < expected_wh

    def overlay(self, reading: Reading) -> None:
        """Rule 1: replace the values that this reading reports."""
        if reading.apower_w is not None:
            self.apower_w = reading.apower_w
        elif reading.output is False:
            self.apower_w = 0.0
        elif reading.power_lost:
            self.apower_w = None
        if reading.voltage_v is not None:
            self.voltage_v = reading.voltage_v
        if reading.current_a is not None:
            self.current_a = reading.current_a
        if reading.energy_total_wh is not None:
            self.energy_total_wh = reading.energy_total_wh
        if reading.returned_wh is not None:
            self.returned_wh = reading.returned_wh

    def forget(self) -> None:
        """Rule 1: clear all values; a full status replaces everything."""
        self.apower_w = self.voltage_v = self.current_a = self.energy_total_wh = None
        self.returned_wh, self.returns = 0.0, False  # what a full status leaves out is not there

    @property
    def counter_wh(self) -> float | None:
        """Return the counter as a row stores it."""
        if self.energy_total_wh is None or not self.is_sum:
            return self.energy_total_wh
        return self.energy_total_wh - (self.returned_wh or 0.0)

    def used_wh(self, reading: Reading) -> float | None:
        """Return all that the device has counted, less what it returned; None: not reported."""
        total_wh, returned_wh = reading.energy_total_wh, reading.returned_wh
        if returned_wh is None and self.returned_wh is None and not self.returns:
            return total_wh
        if total_wh is None:
            if returned_wh is None or self.returned_wh is None or not self.is_sum:
                return None
            total_wh = self.energy_total_wh
        if returned_wh is None:
            returned_wh = self.returned_wh
        return None if total_wh is None or returned_wh is None else total_wh - returned_wh

    def rise_wh(self, used_wh: float | None) -> float | None:
        """Return the counter's rise since energy was last booked; None if it is not known."""
        if used_wh is None or self.booked_wh is None or self.blind:
            return None
        rise_wh = used_wh - self.booked_wh
        return rise_wh if rise_wh >= 0.0 else self._fall_wh(rise_wh)

    def _fall_wh(self, rise_wh: float) -> float:
        """Return 0 for a fall that our own calculation may have caused, else the fall."""
        return 0.0 if -self.slack_wh <= rise_wh else rise_wh

    def book(self, reading: Reading, at: float) -> Sequence[RunState]:
        """Rule 12: book the energy of a new counter value. Return the runs to report."""
        used_wh, booked_wh, runs = self.used_wh(reading), self.booked_wh, self.runs
        if used_wh is None or (used_wh == booked_wh and runs.claims_ws > 0):
            return ()
        rise_wh = unreset_wh = None
        if booked_wh is not None and not self.blind:
            rise_wh = used_wh - booked_wh
            if rise_wh < 0.0:
                rise_wh = self._fall_wh(rise_wh)
            # Nearly always the rise is no more than the claims, and this check is cheap.
            usual = 0.0 <= rise_wh * 3600 <= runs.claims_ws + LATE_S * self.peak_w
            if self.unreset_wh is not None or not usual:
                rise_wh = self._believed(rise_wh, used_wh)
                if rise_wh is None:
                    unreset_wh = booked_wh + runs.claims_ws / 3600
        told = runs.book(rise_wh, used_wh, at)
        self.booked_wh, self.unreset_wh = used_wh, unreset_wh
        self.slack_wh = self.extra_ws = 0.0
        self.blind = self.aged = False
        return told

    def _believed(self, rise_wh: float, used_wh: float) -> float | None:
        """Rule 11: return the rise, or the rise since before a reset that the device has taken
        back. None: the counter was reset."""
        claimed_wh = self.runs.claims_ws / 3600
        rises = [rise_wh]
        if self.unreset_wh is not None:
            rises.append(used_wh - self.unreset_wh)
        believed = [each for each in rises if self._can_be(each)]
        return min(believed, key=lambda each: abs(each - claimed_wh), default=None)

    def _can_be(self, rise_wh: float) -> bool:
        """Rule 11: return whether the known power can have drawn this energy."""
        runs = self.runs
        if not self.is_sum:
            return 0.0 <= rise_wh <= most_wh(runs.claims_ws + self.extra_ws, self.peak_w)
        size_ws = runs.claims_ws + 2 * runs.fed_ws
        off_wh = most_wh(size_ws + self.extra_ws, self.peak_w) - size_ws / 3600
        return abs(rise_wh - runs.claims_ws / 3600) <= off_wh

    def use(self, watts: float, since: float, until: float, calendar: Calendar) -> None:
        """Rule 12: count this power (below 0: fed in) between two moments, by local days."""
        # Nearly always both lie in the day that was looked up last, and this check is cheap.
        if since < calendar.start or until >= calendar.end:
            for midnight in calendar.midnights(since, until):
                self.runs.use(watts, midnight - since)
                self.runs.pass_midnight(midnight)
                since = midnight
        self.runs.use(watts, until - since)

    def sample(
        self, minute: int, source: Source, watts: float | None, counter_wh: float | None
    ) -> Sample:
        """Return the row of this minute (rules 1 and 4)."""
        self.row_minute = minute
        return Sample(
            minute * MINUTE_S,
            self.device_id,
            self.key,
            watts or 0.0,
            self.voltage_v or 0.0,
            self.current_a or 0.0,
            counter_wh or 0.0,
            source,
        )

    def turn(self, watts: float | None, at: float, due: list[Due], end: End | None = None) -> None:
        """Rule 12: start, continue or end a run: from this moment the channel is active with this
        power, or inactive (None). end is how a run ends now; None: the known power decides."""
        runs = self.runs
        if runs.rests:
            due += runs.end_rest(at) if watts is None else runs.wake(at)
        if runs.open is None:
            if watts is not None:
                due.append(self.start(at, watts))
        elif watts is None:
            known: End = "lost contact" if self.apower_w is None else "stopped"
            due += runs.rest(at, end or known)
        elif watts > runs.open.peak_w:
            runs.open.peak_w = watts

    def start(self, at: float, watts: float) -> RunState:
        self.peak_w = max(self.peak_w, watts)
        return self.runs.start(RunState(self.device_id, self.key, at, watts, self.booked_wh))
