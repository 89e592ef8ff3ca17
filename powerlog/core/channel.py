"""What is known of one channel, and the row that is made of it: the nouns of the sampler.

Pure. What is to be done with them, and when, is for the rules in sampler.py to say.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

import msgspec

from powerlog.core.days import Calendar
from powerlog.core.frame import Reading
from powerlog.core.runs import Ledger, Run

MINUTE_S = 60
Source = Literal["measured", "device", "carried"]


class Rules(msgspec.Struct, frozen=True):
    """The adjustable part of the rules. channels holds component keys ("switch:2"), "*" for all;
    time_zone is the one whose midnights divide the days."""

    channels: frozenset[str]
    power_threshold_w: float = 5.0
    max_blind_gap_min: int = 5
    clock_tolerance_s: float = 120.0
    time_zone: str = "UTC"


class Own(NamedTuple):
    """What staff want of a single channel; power_threshold_w None: as of all others."""

    logged: bool = True
    power_threshold_w: float | None = None


AS_ALL = Own()


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


class Past(msgspec.Struct, frozen=True):
    """What the database knows of a channel (rule 8): its last row, and its run if one is open."""

    row: Sample
    run: Run | None = None


class Channel(msgspec.Struct, gc=False):
    """What is known of one channel (rule 1), when it last spoke, its last row and its runs."""

    device_id: str
    key: str
    apower_w: float | None = None
    voltage_v: float | None = None
    current_a: float | None = None
    energy_total_wh: float | None = None
    last_ts: float | None = None
    row_minute: int = -1
    returned_wh: float = 0.0
    # Where the counter, less what was returned, stood when energy was last booked; by how much this
    # may be too high, where it is reckoned; and whether some of the time since is not known.
    booked_wh: float | None = None
    slack_wh: float = 0.0
    blind: bool = False
    runs: Ledger = msgspec.field(default_factory=Ledger)

    @classmethod
    def recalled(cls, past: Past) -> Self:
        """Rule 8: a channel as it was when it was heard of last."""
        row, run = past.row, past.run
        channel = cls(
            row.device_id,
            row.channel,
            # Without an open run the channel was off when it was last heard of.
            row.apower_w if run else None,
            row.voltage_v or None,
            row.current_a or None,
            row.energy_total_wh or None,
            last_ts=float(row.ts),
            row_minute=row.ts // MINUTE_S,
        )
        if run and run.heard_at is not None and run.heard_at >= row.ts:
            channel.booked_wh = channel.runs.resume(run)
            channel.slack_wh = run.peak_w / 600  # a tenth of a minute's energy
            channel.last_ts = run.heard_at
        elif run:
            # Nobody told how it stood when the contact ended: the last row is all that is known.
            run = msgspec.structs.replace(run, peak_w=max(run.peak_w, row.apower_w))
            channel.booked_wh = channel.runs.resume(run, row.energy_total_wh, row.ts + MINUTE_S)
            channel.last_ts = max(float(row.ts), run.started_at)
        return channel

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
        if reading.returned_wh is not None:
            self.returned_wh = reading.returned_wh

    def forget(self) -> None:
        """Rule 1: a full status is about to say everything anew."""
        self.apower_w = self.voltage_v = self.current_a = self.energy_total_wh = None

    def used_wh(self, reading: Reading) -> float | None:
        """What the device has counted in all, less what it returned; None: it does not say."""
        if reading.energy_total_wh is None:
            return None
        returned = self.returned_wh if reading.returned_wh is None else reading.returned_wh
        return reading.energy_total_wh - returned

    def rise_wh(self, used_wh: float | None) -> float | None:
        """Rule 11: what was used since energy was last booked; None where no counter says it."""
        if used_wh is None or self.booked_wh is None:
            return None
        rise = used_wh - self.booked_wh
        if rise >= 0.0:
            return rise
        return 0.0 if rise >= -self.slack_wh else None

    def book(self, reading: Reading) -> Sequence[Run]:
        """Rule 12: if the counter speaks, book what it says. The runs that are to be told."""
        used_wh = self.used_wh(reading)
        if used_wh is None:
            return ()
        told = self.runs.book(None if self.blind else self.rise_wh(used_wh), used_wh)
        self.booked_wh, self.slack_wh, self.blind = used_wh, 0.0, False
        return told

    def use(self, watts: float, since: float, until: float, calendar: Calendar) -> None:
        """Rule 12: so much was drawn from then until then."""
        if not calendar.same_day(since, until):
            for midnight in calendar.midnights(since, until):
                self.runs.use(watts, midnight - since)
                self.runs.pass_midnight(midnight)
                since = midnight
        self.runs.use(watts, until - since)

    def sample(
        self, minute: int, source: Source, watts: float | None, counter_wh: float | None
    ) -> Sample:
        """The row of this minute (rules 1 and 4)."""
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

    def start(self, at: float, watts: float) -> Run:
        return self.runs.start(Run(self.device_id, self.key, at, watts, self.booked_wh))


class Device(msgspec.Struct):
    """One device's channels, and how far its clock is ahead of the collector's (rule 2)."""

    channels: dict[str, Channel] = {}  # msgspec copies a mutable default
    clock_offset_s: float = 0.0
