"""The judge of what the rules of sampling made of a life.

Pure. It does not read the messages, and knows of the rules only what they promise; it compares
with the truth, in the device's clock, and what it finds wrong it names with the life's seed.
"""

from math import inf

from benchmarks.accuracy.energy_bounds import Bounds, near
from benchmarks.accuracy.energy_uncertainty import Doubts, counted_wh
from benchmarks.accuracy.load_curves import overlap_s
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


class Judge:
    """Of one channel of a life. rows by their minute (ts // 60)."""

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
        # Of which a record without a sign may tell anything.
        self.unsure = {
            minute
            for minutes, feeds_in in unsigned(self.gaps, rules)
            for minute in minutes
            if not feeds_in and self._returned_wh(minute) > 0
        }
        doubts = None
        if life.misfortune.kind:
            quiet = life.misfortune.quiet
            doubts = Doubts(channel, self.readings, self.losses, self.unsure, quiet, rules)
        starts = [start for start, _ in self.turns.active]
        self.bounds = Bounds(channel, self.gaps, starts, doubts, rules)
        self.read_minutes = {reading.minute for reading in self.readings}
        self.gap_minutes: set[int] = set()

    def judge(self) -> None:
        self.score.channels += 1
        self.score.rows += len(self.rows)
        self._judge_read_minutes()
        for before, after in self.gaps:
            self._judge_gap(before, after)
        for minute, row in self.rows.items():
            self._judge_row(minute, row)
        self._judge_turns("start", self._starts())
        self._judge_turns("end", self._ends())
        self._judge_losses()
        self._judge_unsigned()
        self._judge_energy()

    def _mean_w(self, minute: int) -> float:
        return self.channel.curve.mean_w(minute * MINUTE_S, minute * MINUTE_S + MINUTE_S)

    def _returned_wh(self, minute: int) -> float:
        returned_wh = self.channel.curve.returned_wh
        return returned_wh(minute * MINUTE_S + MINUTE_S) - returned_wh(minute * MINUTE_S)

    def _fails(self, minute: int) -> bool:
        """Whether its power is not known in this minute, or in a part of it."""
        start, failures = minute * MINUTE_S, self.channel.failures
        return any(since < start + MINUTE_S and start < until for since, until in failures)

    def _active_s(self, minute: int, before_s: float = 0.0) -> float:
        return overlap_s(
            self.turns.known, minute * MINUTE_S - before_s, minute * MINUTE_S + MINUTE_S
        )

    def _judge_read_minutes(self) -> None:
        """A minute with a reading has a row if one of them saw it active, with what was known."""
        first_w: dict[int, float | None] = {}
        for reading in self.readings:
            if first_w.get(reading.minute) is None:
                active = reading.active(self.rules)
                first_w[reading.minute] = reading.said.watts if active else None
        told_by_record = {before.minute for before, _ in self.gaps} | self.unsure
        for minute, watts in first_w.items():
            row = self.rows.get(minute)
            by_record = minute in told_by_record or self._fails(minute)
            if watts is None and by_record and row and row.source == "device":
                continue  # the record told what nobody had seen; _judge_row looks at it
            self.score.read += 1
            if (row and row.apower_w) == watts:
                self.score.read_right += 1
            else:
                said = row and f"{row.source} {row.apower_w:g} W"
                self._find("minute with a reading", minute * MINUTE_S, f"{said} for {watts} W")

    def _judge_gap(self, before: Reading, after: Reading) -> None:
        between = range(before.minute + 1, after.minute)
        self.gap_minutes.update(between)
        self._judge_carried(before, after, between)
        if before.connection != after.connection and min(self.rows, default=inf) > before.minute:
            return  # the database knows nothing of the channel: to the collector there is no gap
        short = len(between) <= self.rules.max_blind_gap_min and before.active(self.rules)
        for minute in between:
            if minute in after.said.recorded:
                self._judge_recorded(minute)
            elif short and minute not in self.rows and self._active_s(minute) == MINUTE_S:
                self.score.holes += 1
                self._find("hole", minute * MINUTE_S, "active all the minute, in a short gap")

    def _judge_carried(self, before: Reading, after: Reading, between: range) -> None:
        """A minute is carried after an active reading, and over a long gap only with proof."""
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
        """Whether the mean power over a gap is that from before, as the counter may show it."""
        gap_s = after.at - before.at
        mean_w = counted_wh(self.channel, before.at, after.at) * 3600 / gap_s
        lost_w = self.channel.counter.stepped_back_wh(before.at, after.at) * 3600 / gap_s
        quanta_w = QUANTUM_WH * 3600 / gap_s if self.channel.quantised else 0.0
        # The database knows of the last minute before a gap what was read of it first.
        last = self.rows.get(before.minute, self.rows.get(before.minute - 1))
        powers_w = [before.said.watts or 0.0, *([last.apower_w] if last else [])]
        return after.said.counter in ("right", "unsigned") and any(
            abs(mean_w - watts) - lost_w - quanta_w <= (PROOF + REPORTED_MOVE) * watts
            for watts in powers_w
        )

    def _judge_unsigned(self) -> None:
        """What feeds in before a gap or after it has no row by a record without a sign."""
        for minutes, feeds_in in unsigned(self.gaps, self.rules):
            for minute in minutes:
                row = self.rows.get(minute)
                if feeds_in and row and row.source == "device":
                    self._find("record without a sign", minute * MINUTE_S, "it feeds in", 5)

    def _judge_recorded(self, minute: int) -> None:
        """A minute of the device's record has a row if its mean power is above the threshold."""
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
        said = row and f"{row.source} {row.apower_w:g} W"
        self._find("minute of the record", minute * MINUTE_S, f"{said} for {true_w:.3f} W")

    def _judge_row(self, minute: int, row: Sample) -> None:
        """Whatever row there is: what it claims must have been so."""
        at, seen = minute * MINUTE_S, self._active_s(minute, NEAR_S)
        if row.energy_total_wh < 0 and self.channel.name != "em:0":  # which is net
            self._find("negative counter", at, f"{row.energy_total_wh:g} Wh")
        if row.source == "carried":
            self.score.carried += 1
            self.score.carried_inactive += not seen
            if minute not in self.gap_minutes:
                self._find("carried", at, "where there is no gap", 3)
            return
        if row.source == "device" and self.life.misfortune.clock_off_s:
            self._find("record of a refused clock", at, f"{row.apower_w:g} W", 5)
        if row.source == "device" and (minute in self.unsure or self._fails(minute)):
            return
        read = minute in self.read_minutes or row.source == "device"
        if not seen or not read or at > self.readings[-1].at:
            self.score.invented[row.source] += 1
            self._find("invented", at, f"{row.source} {row.apower_w:g} W", 5)
        if row.source == "device" and abs(row.apower_w - self._mean_w(minute)) > self._rounding_w():
            self._find("wrong power", at, f"{row.apower_w:g} for {self._mean_w(minute):.3f} W", 5)

    def _rounding_w(self) -> float:
        return 13.0 if self.channel.quantised else NEAR_W

    def _starts(self) -> list[float]:
        return sorted(run.started_at for run in self.runs)

    def _ends(self) -> list[float]:
        return sorted(run.ended_at for run in self.runs if run.ended_at is not None)

    def _judge_turns(self, kind: Kind, told: list[float]) -> None:
        """Every turn while connected is told, and none is told that was none."""
        expected = list(self.turns.expected(kind))
        for turn in expected:
            self.score.turns += 1
            if within(told, turn) is not None:
                self.score.turns_right += 1
            else:
                self._find(f"missed {kind} of a run", turn.at, "while connected", 3)
        true = self.turns.of(kind)
        for at in told:
            if near(true, at) is None and not self._in_gap(at):
                self.score.turns_false += 1
                self._find(f"false {kind} of a run", at, "nothing turned, no gap", 3)

    def _judge_losses(self) -> None:
        """What was active when contact was lost ended there, and says so."""
        for last, _ in self.losses:
            for run in self.runs:
                ended = run.ended_at is not None and abs(run.ended_at - last.at) <= NEAR_S
                if ended and last.active(self.rules) and run.end != "lost contact":
                    self._find("end of a run", last.at, f"{run.end}, but contact was lost", 3)

    def _in_gap(self, at: float) -> bool:
        """Whether at this moment nobody could know better."""
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

    def _judge_energy(self) -> None:
        """What the runs say they used, beside what was used from their starts to their ends."""
        bounds = [self.bounds.of(run, run.ended_at or self.life.end) for run in self.runs]
        told_wh = sum(run.energy_wh for run in self.runs)
        least_wh, most_wh = sum(least for least, _ in bounds), sum(most for _, most in bounds)
        off_wh = max(0.0, told_wh - most_wh) + min(0.0, told_wh - least_wh)
        self.score.energy_wh.append(off_wh)
        if abs(off_wh) > NEAR_WH:
            self._find("energy", self.life.end, f"off by {off_wh:+.3f} Wh", abs(off_wh))

    def _find(self, kind: str, at: float, why: str, weight: float = 1.0) -> None:
        seed, befell = self.life.seed, self.life.misfortune.kind
        finding = Finding(kind, seed, self.channel.name, at, why, weight, befell)
        self.score.findings.append(finding)
