"""The runs of one channel in the making, and how the counter's energy is booked on them (rule 12).

Pure, like the sampler whose rules say when a run starts and ends. A counter speaks about once a
minute, a pump stops when it likes: until the counter speaks again a run keeps its power x time as
a claim, and what the counter rose by is divided by these claims. Where the counter does not say,
or rose by what the known power cannot have drawn (rule 11), the claim itself is the energy.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from powerlog.core.energy_bounds import most_wh

End = Literal["", "stopped", "lost contact"]

# Rule 12. No load is switched on more often than every two seconds for good; a relay that chatters,
# or a caller that wants to fill the table, would make thousands of runs a minute.
STARTS_A_MINUTE = 30
# So many ended runs wait for the counter, which speaks about once a minute. Those before them keep
# the energy of their power and time.
UNSETTLED_AT_MOST = 2 * STARTS_A_MINUTE


class RunState(msgspec.Struct, gc=False):
    """A stretch of activity, named by (device_id, channel, started_at); Unix seconds.

    Open while ended_at is None and end is "". booked_wh is its energy up to the moment at which the
    counter, less what was returned to the grid, stood at counter_wh (None: never reported);
    claim_ws is its power x time since. heard_at is the last moment of contact with an open run,
    where that is over. at_midnights has (midnight, Wh until then) of each local midnight that it
    has passed; of those since the counter spoke, claims_at_midnights (midnight, claim_ws then).
    starts is 1, or how often it was switched on where rule 12 has merged what followed.
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
        """What is claimed becomes what was used: so many Wh for each Ws."""
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
        """(midnight, Wh until then) of all, as far as it is known now."""
        claimed = copy_of(self)
        claimed.book(1 / 3600)
        return claimed.at_midnights

    @property
    def energy_wh(self) -> float:
        return self.booked_wh + self.claim_ws / 3600

    @property
    def mean_w(self) -> float:
        """Mean power from start to end; of an open or momentary run, its peak."""
        seconds = (self.ended_at or self.started_at) - self.started_at
        return self.energy_wh * 3600 / seconds if seconds > 0 else self.peak_w


class Ledger(msgspec.Struct, gc=False):
    """The open run, and the ended ones of which the counter has not yet said what they used.

    What it returns is a copy, as the run stands now: to be told to others.
    """

    open: RunState | None = None
    fresh: bool = False  # the counter has not spoken since the open run started
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
        """Go on with an open run of the past, whose last row has this counter and ends at `until`.

        Returns the counter to go on from. The row's may be older than what the run was told with;
        from before a reset it is more than the run can have used, and is not believed.
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
        """Open this run. Its counter is reckoned up to now: what others used is not its own."""
        run.counter_wh = self._reckoned(run.counter_wh)
        self.open, self.fresh = run, True
        if (minute := int(run.started_at // 60)) != self.minute:
            self.minute, self.starts = minute, 0
        self.starts += 1
        return copy_of(run)

    def leave(self, at: float | None, counter_wh: float | None) -> list[RunState]:
        """The open run as it stands at the end of a connection, its claim for granted.

        counter_wh is where the counter stood when energy was last booked.
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
        """What the counter would say now, which last said this."""
        return None if counter_wh is None else counter_wh + self.claims_ws / 3600

    def use(self, watts: float, seconds: float) -> None:
        """So much was drawn for so long, by the open run if there is one; below 0: fed in."""
        claim_ws, run = watts * seconds, self.open
        self.claims_ws += claim_ws
        if claim_ws < 0:
            self.fed_ws -= claim_ws
        elif run is not None:
            run.claim_ws += claim_ws

    def pass_midnight(self, at: float) -> None:
        """A local day ends here. What the open run has used so far is that day's."""
        run = self.open
        if run is not None and not self.rests:
            run.claims_at_midnights += ((at, run.claim_ws),)

    def rest(self, at: float, end: End) -> list[RunState]:
        """End the open run, or let it rest where too many have started in this minute."""
        if self.open is None or self.rests:
            return []
        if self.starts >= STARTS_A_MINUTE and int(at // 60) == self.minute:
            self.rests = (at, end)
            return []
        return self.stop(at, end)

    def wake(self, at: float) -> list[RunState]:
        """The channel is active while the open run rests: it goes on, or has ended before."""
        if self.rests and int(at // 60) == self.minute and self.open is not None:
            self.open.starts += 1
            self.rests = None
        return self.end_rest(at)

    def end_rest(self, at: float) -> list[RunState]:
        """End a run that rests since an earlier minute."""
        if self.rests is None or int(at // 60) == self.minute:
            return []
        return self.stop(*self.rests)

    def stop(self, at: float, end: End) -> list[RunState]:
        """End the open run; nothing where there is none. One that rests has ended before."""
        run = self.open
        if run is None:
            return []
        if self.rests:
            (at, end), self.rests = self.rests, None
        # A run of the past may have begun after the start of its last minute.
        run.ended_at, run.end = max(at, run.started_at), end
        self.open = None
        if run.claim_ws:
            self.unsettled.append(run)
            del self.unsettled[:-UNSETTLED_AT_MOST]
        return [copy_of(run)]

    def book(self, rise_wh: float | None, counter_wh: float, at: float = 0.0) -> Sequence[RunState]:
        """The counter has come to this; rise_wh None: it does not say what was used.

        Returns the runs that are settled by it, and, once a minute, the open one where what is told
        of it is out of date.
        """
        run = self.open
        passed = run is not None and bool(run.claims_at_midnights)
        tells = self.fresh and int(at // 60) != self.told_minute
        if rise_wh is not None and not (tells or self.unsettled or passed):
            # Nearly always: one run at most, and nothing of it to tell (a fifth of the time).
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
        # From here on resume() can calculate by the counter alone: no other run shares in the rise.
        self.fresh = self.open is not None and (self.fresh or passed or rise_wh is None)
        if self.open is not None and self.fresh and (passed or int(at // 60) != self.told_minute):
            told.append(copy_of(self.open))
            self.fresh, self.told_minute = False, int(at // 60)
        return told

    def _wh_per_claim(self, rise_wh: float | None) -> float:
        """How many Wh each claimed Ws is worth: by power x time itself, or by what the counter says
        that all of it was."""
        if rise_wh is None or self.claims_ws + self.fed_ws <= 0:
            return 1 / 3600
        if not self.fed_ws:
            return rise_wh / self.claims_ws
        # Claims of both signs: what the counter differs by is shared by their size.
        size_ws = self.claims_ws + 2 * self.fed_ws
        return max(0.0, 1 / 3600 + (rise_wh - self.claims_ws / 3600) / size_ws)


def copy_of(run: RunState) -> RunState:
    return msgspec.structs.replace(run)
