"""Compare the rows and runs of a life with the truth.

Pure. It does not read the messages, and uses of the rules only their promises. All times are by the
clock of the device. Each finding has the seed of its life.
"""

from math import inf

from benchmarks.accuracy.energy_bounds import Bounds, near
from benchmarks.accuracy.energy_uncertainty import Uncertainty, counted_wh
from benchmarks.accuracy.load_curves import overlap_s
from benchmarks.accuracy.playback import ALL, Played
from benchmarks.accuracy.readings import Reading, gaps, readings, unsigned
from benchmarks.accuracy.results import NEAR_S, NEAR_W, NEAR_WH, Finding, Score
from benchmarks.accuracy.run_turns import Kind, Turns, within
from benchmarks.accuracy.scenarios import Life
from powerlog.core.channel_state import Rules, Sample
from powerlog.core.run_state import RunState
from powerlog.simulation.channel import Channel
from powerlog.simulation.counters import QUANTUM_WH
from powerlog.simulation.curves import MINUTE_S
from powerlog.simulation.device import REPORTED_MOVE

PROOF = 0.2  # rule 7: so near is the mean power of a gap to the power before


def score_life(life: Life, played: Played, score: Score, rules: Rules = ALL) -> None:
    """Add to the score what is right and wrong in the result of a life."""
    score.lives += 1
    score.messages += len(life.messages)
    fault, found = life.fault.kind, len(score.findings)
    for name in {*played.rows, *played.runs} - set(life.channels):
        no_meter = Finding("no channel", life.seed, name, life.start, "has no meter", 1.0, fault)
        score.findings.append(no_meter)
    for channel in life.channels.values():
        rows = played.rows.get(channel.name, {})
        runs = list(played.runs.get(channel.name, {}).values())
        ChannelScoring(life, channel, rows, runs, rules, score).check()
    if fault:
        score.faulty[fault] += 1
        score.faulty_right[fault] += len(score.findings) == found


class ChannelScoring:
    """The comparison of one channel of a life. rows by their minute (ts // 60)."""

    def __init__(
        self,
        life: Life,
        channel: Channel,
        rows: dict[int, Sample],
        runs: list[RunState],
        rules: Rules,
        score: Score,
    ) -> None:
        self.life, self.channel, self.rules, self.score = life, channel, rules, score
        self.rows, self.runs = rows, runs
        self.readings = list(readings(life, channel.name))
        self.gaps = gaps(self.readings)
        self.turns = Turns(life, channel, self.readings, rules)
        self.losses = self.turns.losses
        # Minutes for which a record without a sign may show anything.
        self.unsure = {
            minute
            for minutes, feeds_in in unsigned(self.gaps, rules)
            for minute in minutes
            if not feeds_in and self._returned_wh(minute) > 0
        }
        uncertainty, quiet = None, life.fault.quiet
        if life.fault.kind:
            truth = channel, self.readings, self.losses, self.unsure
            uncertainty = Uncertainty(*truth, quiet, rules)
        starts = [start for start, _ in self.turns.active]
        self.bounds = Bounds(channel, self.gaps, starts, uncertainty, rules)
        self.read_minutes = {reading.minute for reading in self.readings}
        self.gap_minutes: set[int] = set()

    def check(self) -> None:
        self.score.channels += 1
        self.score.rows += len(self.rows)
        self._check_read_minutes()
        for before, after in self.gaps:
            self._check_gap(before, after)
        for minute, row in self.rows.items():
            self._check_row(minute, row)
        self._check_turns("start", sorted(run.started_at for run in self.runs))
        self._check_turns("end", sorted(run.ended_at for run in self.runs if run.ended_at))
        self._check_losses()
        self._check_unsigned()
        self._check_energy()

    def _mean_w(self, minute: int) -> float:
        return self.channel.curve.mean_w(minute * MINUTE_S, minute * MINUTE_S + MINUTE_S)

    def _returned_wh(self, minute: int) -> float:
        returned_wh = self.channel.curve.returned_wh
        return returned_wh(minute * MINUTE_S + MINUTE_S) - returned_wh(minute * MINUTE_S)

    def _fails(self, minute: int) -> bool:
        """Return whether its power is unknown in this minute, or in a part of it."""
        start, failures = minute * MINUTE_S, self.channel.failures
        return any(since < start + MINUTE_S and start < until for since, until in failures)

    def _active_s(self, minute: int, before_s: float = 0.0) -> float:
        return overlap_s(
            self.turns.known, minute * MINUTE_S - before_s, minute * MINUTE_S + MINUTE_S
        )

    def _check_read_minutes(self) -> None:
        """Check that a minute with an active reading has a row, with the values known then."""
        first_w: dict[int, float | None] = {}
        for reading in self.readings:
            if first_w.get(reading.minute) is None:
                active = reading.active(self.rules)
                first_w[reading.minute] = reading.known.watts if active else None
        record_minutes = {before.minute for before, _ in self.gaps} | self.unsure
        for minute, watts in first_w.items():
            row = self.rows.get(minute)
            by_record = minute in record_minutes or self._fails(minute)
            if watts is None and by_record and row and row.source == "device":
                continue  # the record has what no reading has; _check_row checks it
            self.score.read += 1
            if (row and row.apower_w) == watts:
                self.score.read_right += 1
            else:
                found = row and f"{row.source} {row.apower_w:g} W"
                self._find("minute with a reading", minute * MINUTE_S, f"{found} for {watts} W")

    def _check_gap(self, before: Reading, after: Reading) -> None:
        between = range(before.minute + 1, after.minute)
        self.gap_minutes.update(between)
        self._check_carried(before, after, between)
        if before.connection != after.connection and min(self.rows, default=inf) > before.minute:
            return  # the database has nothing of the channel: for the collector there is no gap
        short = len(between) <= self.rules.max_blind_gap_min and before.active(self.rules)
        for minute in between:
            if minute in after.known.recorded:
                self._check_recorded(minute)
            elif short and minute not in self.rows and self._active_s(minute) == MINUTE_S:
                self.score.holes += 1
                self._find("hole", minute * MINUTE_S, "active all the minute, in a short gap")

    def _check_carried(self, before: Reading, after: Reading, between: range) -> None:
        """Check that minutes are carried after an active reading, over a long gap with proof."""
        carried = [m for m in between if m in self.rows and self.rows[m].source == "carried"]
        if not carried:
            return
        why = ""
        if not before.active(self.rules):
            why = "after an inactive reading"
        elif any(loss.last.at <= before.at < loss.until for loss in self.losses):
            why = "though contact was lost"
        elif len(between) > self.rules.max_blind_gap_min and not self._is_proven(before, after):
            why = "without proof"
        if why:
            self._find("carried", carried[0] * MINUTE_S, why, 3)

    def _is_proven(self, before: Reading, after: Reading) -> bool:
        """Return whether the counter may show that the power over a gap is that from before."""
        gap_s = after.at - before.at
        mean_w = counted_wh(self.channel, before.at, after.at) * 3600 / gap_s
        lost_w = self.channel.counter.stepped_back_wh(before.at, after.at) * 3600 / gap_s
        quanta_w = QUANTUM_WH * 3600 / gap_s if self.channel.quantised else 0.0
        # The database has the first active reading of the last minute before a gap.
        last = self.rows.get(before.minute, self.rows.get(before.minute - 1))
        powers_w = [before.known.watts or 0.0, *([last.apower_w] if last else [])]
        return after.known.counter in ("right", "unsigned") and any(
            abs(mean_w - watts) - lost_w - quanta_w <= (PROOF + REPORTED_MOVE) * watts
            for watts in powers_w
        )

    def _check_unsigned(self) -> None:
        """Check that a record without a sign makes no row where the channel feeds in."""
        for minutes, feeds_in in unsigned(self.gaps, self.rules):
            for minute in minutes:
                row = self.rows.get(minute)
                if feeds_in and row and row.source == "device":
                    self._find("record without a sign", minute * MINUTE_S, "it feeds in", 5)

    def _check_recorded(self, minute: int) -> None:
        """Check that a minute of the record has a row if its mean power is above the threshold."""
        true_w, row = self._mean_w(minute), self.rows.get(minute)
        wanted = true_w > self.rules.power_threshold_w
        if abs(true_w - self.rules.power_threshold_w) < NEAR_W or self._fails(minute):
            return
        if wanted and row is None and self.channel.quantised:
            return  # it was less than a quantum
        self.score.recorded += 1
        if (row is not None and row.source == "device") if wanted else row is None:
            self.score.recorded_right += 1
            return
        found = row and f"{row.source} {row.apower_w:g} W"
        self._find("minute of the record", minute * MINUTE_S, f"{found} for {true_w:.3f} W")

    def _check_row(self, minute: int, row: Sample) -> None:
        """Check that what a row claims is true."""
        at, seen = minute * MINUTE_S, self._active_s(minute, NEAR_S)
        if row.energy_total_wh < 0 and self.channel.name != "em:0":  # which is net
            self._find("negative counter", at, f"{row.energy_total_wh:g} Wh")
        if row.source == "carried":
            self.score.carried += 1
            self.score.carried_inactive += not seen
            if minute not in self.gap_minutes:
                self._find("carried", at, "where there is no gap", 3)
            return
        if row.source == "device" and self.life.fault.clock_off_s:
            self._find("record of a refused clock", at, f"{row.apower_w:g} W", 5)
        if row.source == "device" and (minute in self.unsure or self._fails(minute)):
            return
        read = minute in self.read_minutes or row.source == "device"
        if not seen or not read or at > self.readings[-1].at:
            self.score.invented[row.source] += 1
            self._find("invented", at, f"{row.source} {row.apower_w:g} W", 5)
        rounding_w, true_w = 13.0 if self.channel.quantised else NEAR_W, self._mean_w(minute)
        if row.source == "device" and abs(row.apower_w - true_w) > rounding_w:
            self._find("wrong power", at, f"{row.apower_w:g} for {true_w:.3f} W", 5)

    def _check_turns(self, kind: Kind, found: list[float]) -> None:
        """Check that each turn while connected is found, and no other."""
        expected = list(self.turns.expected(kind))
        for turn in expected:
            self.score.turns += 1
            if within(found, turn) is not None:
                self.score.turns_right += 1
            else:
                self._find(f"missed {kind} of a run", turn.at, "while connected", 3)
        true = self.turns.of(kind)
        for at in found:
            if near(true, at) is None and not self._in_gap(at):
                self.score.turns_false += 1
                self._find(f"false {kind} of a run", at, "nothing turned, no gap", 3)

    def _check_losses(self) -> None:
        """Check that a run ends where contact is lost, with that as its end."""
        for last, _ in self.losses:
            for run in self.runs:
                ended = run.ended_at is not None and abs(run.ended_at - last.at) <= NEAR_S
                if ended and last.active(self.rules) and run.end != "lost contact":
                    self._find("end of a run", last.at, f"{run.end}, but contact was lost", 3)

    def _in_gap(self, at: float) -> bool:
        """Return whether the truth of this moment is unknowable."""
        row = self.rows.get(int(at // MINUTE_S))
        if row and row.source == "device" and self.channel.fails(at):
            return True
        first, last = self.readings[0].at, self.readings[-1].at
        return (
            at <= first + NEAR_S
            or at >= last
            or at // MINUTE_S in self.unsure
            or any(
                before.minute * MINUTE_S <= at <= after.at + NEAR_S for before, after in self.gaps
            )
        )

    def _check_energy(self) -> None:
        """Compare the energy of the runs with what was used from their starts to their ends."""
        bounds = [self.bounds.of(run, run.ended_at or self.life.end) for run in self.runs]
        found_wh = sum(run.energy_wh for run in self.runs)
        least_wh, most_wh = sum(least for least, _ in bounds), sum(most for _, most in bounds)
        off_wh = max(0.0, found_wh - most_wh) + min(0.0, found_wh - least_wh)
        self.score.energy_wh.append(off_wh)
        if abs(off_wh) > NEAR_WH:
            self._find("energy", self.life.end, f"off by {off_wh:+.3f} Wh", abs(off_wh))

    def _find(self, kind: str, at: float, why: str, weight: float = 1.0) -> None:
        seed, fault = self.life.seed, self.life.fault.kind
        finding = Finding(kind, seed, self.channel.name, at, why, weight, fault)
        self.score.findings.append(finding)
