"""The current runs of one channel, and how the counter's energy is booked on them (rule 12).

Pure, like the sampler, whose rules decide when a run starts and ends. A counter changes about once
a minute, but a pump may stop at any time. Until the counter changes again, a run keeps its power x
time as a claim; the rise of the counter is then divided by these claims. If the counter is unknown,
or its rise is more than the known power can have drawn (rule 11), the claim itself is the energy.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from powerlog.core.energy_bounds import most_wh

End = Literal["", "stopped", "lost contact"]

# Rule 12. No load is switched on more often than every two seconds for long. A relay that chatters,
# or a client that wants to fill the table, would make thousands of runs a minute.
STARTS_A_MINUTE = 30
# The most ended runs that wait for the counter, which changes about once a minute. Earlier ones
# keep the energy of their power and time.
UNSETTLED_AT_MOST = 2 * STARTS_A_MINUTE


class RunState(msgspec.Struct, gc=False):
    """A span of activity, identified by (device_id, channel, started_at); Unix seconds.

    Open while ended_at is None and end is "". booked_wh is its energy up to the moment at which the
    counter, less what was returned to the grid, stood at counter_wh (None: never reported);
    claim_ws is its power x time since. heard_at is the last contact with an open run whose
    connection has ended. at_midnights has (midnight, Wh until then) for each local midnight that it
    has passed; claims_at_midnights has (midnight, claim_ws then) for those since the counter spoke.
    starts is 1, or how often it was switched on if rule 12 has merged runs into it.
    """

    device_id: str
    channel: str
    started_at: float
    peak_w: float
    counter_wh: float | None = None
    booked_wh: float = 0.0
    claim_ws: float = 0.0
    ended_at: float | None = None
    end: End = ""
    heard_at: float | None = None
    at_midnights: tuple[tuple[float, float], ...] = ()
    claims_at_midnights: tuple[tuple[float, float], ...] = ()
    starts: int = 1

    def book(self, wh_per_claim: float) -> None:
        """Turn the claims into used energy: this many Wh for each claimed Ws."""
        if self.claims_at_midnights:
            self.at_midnights += tuple(
                (midnight, self.booked_wh + claim_ws * wh_per_claim)
                for midnight, claim_ws in self.claims_at_midnights
            )
            self.claims_at_midnights = ()
        self.booked_wh += self.claim_ws * wh_per_claim
        self.claim_ws = 0.0

    @property
    def midnights(self) -> tuple[tuple[float, float], ...]:
        """Return (midnight, Wh until then) for all midnights passed, as far as known now."""
        claimed = copy_of(self)
        claimed.book(1 / 3600)
        return claimed.at_midnights

    @property
    def energy_wh(self) -> float:
        return self.booked_wh + self.claim_ws / 3600

    @property
    def mean_w(self) -> float:
        """Return the mean power from start to end; the peak for an open or momentary run."""
        seconds = (self.ended_at or self.started_at) - self.started_at
        return self.energy_wh * 3600 / seconds if seconds > 0 else self.peak_w


class Ledger(msgspec.Struct, gc=False):
    """The open run, and the ended runs whose energy the counter has not reported yet.

    Methods return copies of runs in their present state, to be written.
    """

    open: RunState | None = None
    fresh: bool = False  # the counter has not changed since the open run started
    unsettled: list[RunState] = []  # msgspec copies a mutable default
    # All that was claimed since the counter spoke, also while nothing ran. Of a counter that falls
    # by what is fed in, less that; fed_ws is then this part.
    claims_ws: float = 0.0
    fed_ws: float = 0.0
    # Of this minute (Unix time // 60): how many runs have started in it. The last that may rests
    # where it has become inactive: since when, and how it ends unless it goes on in this minute.
    minute: int = -1
    starts: int = 0
    rests: tuple[float, End] | None = None
    told_minute: int = -1  # of the last time that the open run was told for the counter's sake

    def resume(self, run: RunState, counter_wh: float = 0.0, until: float = 0.0) -> float | None:
        """Go on with a restored open run, whose last row has this counter and ends at `until`.

        Return the counter to go on from. The row's counter may be older than the one that the run
        was written with. One from before a reset is more than the run can have used: it is ignored.
        """
        self.open = run = msgspec.structs.replace(
            run, heard_at=None, at_midnights=run.midnights, claims_at_midnights=()
        )
        if run.counter_wh is None:
            return counter_wh or None
        most = most_wh(run.peak_w * (until - run.started_at), run.peak_w)
        if run.counter_wh < counter_wh <= run.counter_wh + most:
            run.booked_wh += counter_wh - run.counter_wh
            run.counter_wh = counter_wh
        return run.counter_wh

    def start(self, run: RunState) -> RunState:
        """Open this run. Calculate its counter up to now: earlier energy belongs to other runs."""
        run.counter_wh = self._reckoned(run.counter_wh)
        self.open, self.fresh = run, True
        if (minute := int(run.started_at // 60)) != self.minute:
            self.minute, self.starts = minute, 0
        self.starts += 1
        return copy_of(run)

    def leave(self, at: float | None, counter_wh: float | None) -> list[RunState]:
        """Return the open run at the end of a connection, with its claim booked as energy.

        counter_wh is the counter when energy was last booked.
        """
        run = self.open
        if run is None:
            return []
        if self.rests:
            return self.stop(*self.rests)
        counter_wh = self._reckoned(counter_wh)
        left = msgspec.structs.replace(run, counter_wh=counter_wh, heard_at=at)
        left.book(1 / 3600)
        return [left]

    def _reckoned(self, counter_wh: float | None) -> float | None:
        """Return what the counter should be now, from its last value and the claims since."""
        return None if counter_wh is None else counter_wh + self.claims_ws / 3600

    def use(self, watts: float, seconds: float) -> None:
        """Count this power for this time, for the open run if there is one; below 0: fed in."""
        claim_ws, run = watts * seconds, self.open
        self.claims_ws += claim_ws
        if claim_ws < 0:
            self.fed_ws -= claim_ws
        elif run is not None:
            run.claim_ws += claim_ws

    def pass_midnight(self, at: float) -> None:
        """End a local day. What the open run has used so far belongs to that day."""
        run = self.open
        if run is not None and not self.rests:
            run.claims_at_midnights += ((at, run.claim_ws),)

    def rest(self, at: float, end: End) -> list[RunState]:
        """End the open run, or let it rest if too many have started in this minute."""
        if self.open is None or self.rests:
            return []
        if self.starts >= STARTS_A_MINUTE and int(at // 60) == self.minute:
            self.rests = (at, end)
            return []
        return self.stop(at, end)

    def wake(self, at: float) -> list[RunState]:
        """Continue the resting run, or end it if it has rested since an earlier minute."""
        if self.rests and int(at // 60) == self.minute and self.open is not None:
            self.open.starts += 1
            self.rests = None
        return self.end_rest(at)

    def end_rest(self, at: float) -> list[RunState]:
        """End a run that has rested since an earlier minute."""
        if self.rests is None or int(at // 60) == self.minute:
            return []
        return self.stop(*self.rests)

    def stop(self, at: float, end: End) -> list[RunState]:
        """End the open run, if there is one. A resting run ends where it began to rest."""
        run = self.open
        if run is None:
            return []
        if self.rests:
            (at, end), self.rests = self.rests, None
        # A restored run may have begun after the start of its last minute.
        run.ended_at, run.end = max(at, run.started_at), end
        self.open = None
        if run.claim_ws:
            self.unsettled.append(run)
            del self.unsettled[:-UNSETTLED_AT_MOST]
        return [copy_of(run)]

    def book(self, rise_wh: float | None, counter_wh: float, at: float = 0.0) -> Sequence[RunState]:
        """Book a new counter value; rise_wh None: the energy used is unknown.

        Return the runs that it settles and, once a minute, the open run if its written state is out
        of date.
        """
        run = self.open
        passed = run is not None and bool(run.claims_at_midnights)
        tells = self.fresh and int(at // 60) != self.told_minute
        if rise_wh is not None and not (tells or self.unsettled or passed):
            # Nearly always: one run at most, and nothing to report (a fifth of the time).
            if run is not None:
                run.booked_wh += run.claim_ws * self._wh_per_claim(rise_wh)
                run.claim_ws, run.counter_wh = 0.0, counter_wh
            self.claims_ws = self.fed_ws = 0.0
            return ()
        runs = [*self.unsettled, run] if run is not None else self.unsettled
        wh_per_claim = self._wh_per_claim(rise_wh)
        self.claims_ws = self.fed_ws = 0.0
        for run in runs:
            run.book(wh_per_claim)
            run.counter_wh = counter_wh
        told, self.unsettled = self.unsettled, []
        # From here on resume() can use the counter alone: no other run has a share in the rise.
        self.fresh = self.open is not None and (self.fresh or passed or rise_wh is None)
        if self.open is not None and self.fresh and (passed or int(at // 60) != self.told_minute):
            told.append(copy_of(self.open))
            self.fresh, self.told_minute = False, int(at // 60)
        return told

    def _wh_per_claim(self, rise_wh: float | None) -> float:
        """Return how many Wh each claimed Ws is worth: by power x time itself, or by the counter's
        rise."""
        if rise_wh is None or self.claims_ws + self.fed_ws <= 0:
            return 1 / 3600
        if not self.fed_ws:
            return rise_wh / self.claims_ws
        # Claims of both signs: the difference from the counter is shared by their size.
        size_ws = self.claims_ws + 2 * self.fed_ws
        return max(0.0, 1 / 3600 + (rise_wh - self.claims_ws / 3600) / size_ws)


def copy_of(run: RunState) -> RunState:
    return msgspec.structs.replace(run)
