"""Fill the minutes between two readings of a channel, by rules 5 to 7 and 12 of sampler.py.

Pure, like the sampler. Times are Unix seconds; minutes are Unix time // 60.
"""

from powerlog.core.channel_state import MINUTE_S, ChannelState, Due, Rules
from powerlog.core.days import Calendar
from powerlog.core.frame import Reading, RecordedMinute

PROOF = 0.2  # rule 7
CLAIMS_WITHIN = 0.05  # rule 7: devices notify changes of about 5 %
LONGEST_GAP_MIN = 7 * 24 * 60
RECORD_MIN = 3
# Small loads are counted in quanta of about 213 mWh: 4.4 W can read as 0, 0 and 12.8 W.
QUANTUM_MWH = 250.0


class Gap:
    """The time from the channel's last reading to this one, with whole minutes between."""

    def __init__(
        self, channel: ChannelState, reading: Reading, at: float, rules: Rules, threshold_w: float
    ) -> None:
        self._channel, self._reading, self._at = channel, reading, at
        self._rules, self._threshold_w = rules, threshold_w
        self._since = at if channel.last_ts is None else channel.last_ts

    def bridge(self, calendar: Calendar, due: list[Due]) -> tuple[float, float]:
        """Add what each minute makes due.

        Return the moment up to which energy is counted, and the power in W since then.
        """
        channel, since = self._channel, self._since
        before_w = channel.apower_w or 0.0
        watts = before_w if before_w > self._threshold_w else None
        drawn_w = watts or 0.0
        first, minute = int(since // MINUTE_S) + 1, int(self._at // MINUTE_S)
        vouched = self._vouched()
        carried = watts is not None and self._goes_on(minute - first)
        # Of the minutes that no record can cover one stands for all.
        for between in range(first if carried else max(first, minute - RECORD_MIN - 1), minute):
            start = float(between * MINUTE_S)
            if between not in vouched and not (carried and watts is not None):
                if since == self._since:
                    start = since  # it ended at its last reading, not at the end of that minute
                channel.use(drawn_w, since, start, calendar)
                due += channel.runs.stop(start, "lost contact")
                since, watts, drawn_w, channel.blind = between * MINUTE_S, None, 0.0, True
                continue
            channel.use(drawn_w, since, start, calendar)
            since = start
            if between in vouched:
                watts, drawn_w = self._vouch(vouched[between], due)
            else:
                due.append(channel.sample(between, "carried", channel.apower_w, channel.counter_wh))
                channel.extra_ws += (channel.peak_w - drawn_w) * MINUTE_S  # rule 11
        return since, drawn_w

    def _vouched(self) -> dict[int, RecordedMinute]:
        """Rule 6: the minutes for which the reading's record vouches."""
        record = self._reading.record
        if record is None or not -MINUTE_S < self._at - record.minute_ts < RECORD_MIN * MINUTE_S:
            return {}
        if 0 < max(record.mwh) <= QUANTUM_MWH and 0 in record.mwh:
            return {}
        lowest_w = min(self._channel.apower_w or 0.0, self._reading.apower_w or 0.0)
        if record.returned_mwh is None and lowest_w < -self._threshold_w:
            return {}
        return {said.minute: said for said in record.complete(self._at)}

    def _vouch(self, said: RecordedMinute, due: list[Due]) -> tuple[float | None, float]:
        """Rules 6 and 12: a minute of the record. Its power if it was active, and what it drew."""
        channel = self._channel
        watts = said.mean_w if said.mean_w > self._threshold_w else None
        channel.turn(watts, float(said.minute * MINUTE_S), due, "stopped")
        if watts is not None:
            # Below 0 if the counter was reset in the meantime.
            counter_wh = max(0.0, (self._reading.energy_total_wh or 0.0) - said.counted_wh)
            due.append(channel.sample(said.minute, "device", watts, counter_wh))
        channel.peak_w = max(channel.peak_w, said.drawn_w)
        return watts, max(0.0, said.drawn_w)

    def _goes_on(self, between: int) -> bool:
        """Rules 5 and 7: whether an active channel went on as before for so many minutes."""
        if between <= self._rules.max_blind_gap_min:
            return True
        channel = self._channel
        rise_wh = channel.rise_wh(channel.used_wh(self._reading))
        if rise_wh is None or channel.aged or between > LONGEST_GAP_MIN:
            return False
        before_w = channel.apower_w or 0.0
        for share in (1 - CLAIMS_WITHIN, 1 + CLAIMS_WITHIN):
            in_gap_ws = rise_wh * 3600 - share * channel.runs.claims_ws
            mean_w = in_gap_ws / (self._at - self._since)
            if abs(mean_w - before_w) > PROOF * before_w or mean_w <= self._threshold_w:
                return False
        # Rule 11 believes what has proved a gap, also where the record has some of its minutes.
        channel.extra_ws += rise_wh * 3600
        return True
