"""The judge of what the rules of sampling made of a life.

Pure. It does not read the messages, and knows of the rules only what they promise; it compares
with the truth, in the device's clock, and what it finds wrong it names with the life's seed.
"""

from math import inf

from powerlog.core.channel import Rules, Sample
from powerlog.core.runs import Run
from powerlog.truth.curves import MINUTE_S, overlap_s
from powerlog.truth.energy import Bounds, near
from powerlog.truth.findings import NEAR_S, NEAR_W, NEAR_WH, Finding, Score
from powerlog.truth.hearing import Reading, gaps, readings
from powerlog.truth.lives import Life
from powerlog.truth.words import Channel


class Judge:
    """Of one channel of a life. rows by their minute (ts // 60)."""

    def __init__(
        self,
        life: Life,
        channel: Channel,
        rows: dict[int, Sample],
        runs: list[Run],
        rules: Rules,
        score: Score,
    ) -> None:
        self.life, self.channel, self.rules, self.score = life, channel, rules, score
        self.rows, self.runs = rows, runs
        self.active = channel.curve.above(rules.power_threshold_w)
        self.readings = list(readings(life, channel.name))
        self.gaps = gaps(self.readings)
        starts = [start for start, _ in self.active]
        self.bounds = Bounds(channel, self.gaps, starts, rules)

    def judge(self) -> None:
        self.score.channels += 1
        self.score.rows += len(self.rows)
        self._judge_read_minutes()
        for before, after in self.gaps:
            self._judge_gap(before, after)
        for minute, row in self.rows.items():
            self._judge_row(minute, row)
        self._judge_turns("start", [start for start, _ in self.active], self._starts())
        self._judge_turns("end", [end for _, end in self.active], self._ends())
        self._judge_energy()

    def _mean_w(self, minute: int) -> float:
        return self.channel.curve.mean_w(minute * MINUTE_S, minute * MINUTE_S + MINUTE_S)

    def _active_s(self, minute: int, before_s: float = 0.0) -> float:
        return overlap_s(self.active, minute * MINUTE_S - before_s, minute * MINUTE_S + MINUTE_S)

    def _judge_read_minutes(self) -> None:
        """A minute with a reading has a row if one of them saw it active, with what was known."""
        first_w: dict[int, float | None] = {}
        for reading in self.readings:
            if first_w.get(reading.minute) is None:
                active = reading.active(self.rules)
                first_w[reading.minute] = reading.said.watts if active else None
        last_before_gap = {before.minute for before, _ in self.gaps}
        for minute, watts in first_w.items():
            row = self.rows.get(minute)
            if watts is None and minute in last_before_gap and row and row.source == "device":
                continue  # the record told what nobody had seen; _judge_row looks at it
            self.score.read += 1
            if (row and row.apower_w) == watts:
                self.score.read_right += 1
            else:
                said = row and f"{row.source} {row.apower_w:g} W"
                self._find("minute with a reading", minute * MINUTE_S, f"{said} for {watts} W")

    def _judge_gap(self, before: Reading, after: Reading) -> None:
        if before.connection != after.connection and min(self.rows, default=inf) > before.minute:
            return  # the database knows nothing of the channel: to the collector there is no gap
        between = range(before.minute + 1, after.minute)
        short = len(between) <= self.rules.max_blind_gap_min and before.active(self.rules)
        for minute in between:
            if minute in after.said.recorded:
                self._judge_recorded(minute)
            elif short and minute not in self.rows and self._active_s(minute) == MINUTE_S:
                self.score.holes += 1
                self._find("hole", minute * MINUTE_S, "active all the minute, in a short gap")

    def _judge_recorded(self, minute: int) -> None:
        """A minute of the device's record has a row if its mean power is above the threshold."""
        true_w, row = self._mean_w(minute), self.rows.get(minute)
        wanted = true_w > self.rules.power_threshold_w
        if abs(true_w - self.rules.power_threshold_w) < NEAR_W:
            return
        self.score.recorded += 1
        if (row is not None and row.source == "device") if wanted else row is None:
            self.score.recorded_right += 1
            return
        said = row and f"{row.source} {row.apower_w:g} W"
        self._find("minute of the record", minute * MINUTE_S, f"{said} for {true_w:.3f} W")

    def _judge_row(self, minute: int, row: Sample) -> None:
        """Whatever row there is: what it claims must have been so."""
        at, seen = minute * MINUTE_S, self._active_s(minute, NEAR_S)
        if row.source == "carried":
            self.score.carried += 1
            self.score.carried_inactive += not seen
        elif not seen:
            self.score.invented[row.source] += 1
            self._find("invented", at, f"{row.source} {row.apower_w:g} W", 5)
        if row.source == "device" and abs(row.apower_w - self._mean_w(minute)) > self._rounding_w():
            self._find("wrong power", at, f"{row.apower_w:g} for {self._mean_w(minute):.3f} W", 5)
        if row.energy_total_wh < 0:
            self._find("negative counter", at, f"{row.energy_total_wh:g} Wh")

    def _rounding_w(self) -> float:
        return 13.0 if self.channel.quantised else NEAR_W

    def _starts(self) -> list[float]:
        return sorted(run.started_at for run in self.runs)

    def _ends(self) -> list[float]:
        return sorted(run.ended_at for run in self.runs if run.ended_at is not None)

    def _judge_turns(self, kind: str, true: list[float], told: list[float]) -> None:
        """Every turn while connected is told, and none is told that was none."""
        for at in true:
            if self.life.connected(at, NEAR_S) and at > self.life.start + NEAR_S:
                self.score.turns += 1
                if near(told, at) is not None:
                    self.score.turns_right += 1
                else:
                    self._find(f"missed {kind} of a run", at, "while connected", 3)
        for at in told:
            if near(true, at) is None and not self._in_gap(at):
                self.score.turns_false += 1
                self._find(f"false {kind} of a run", at, "nothing turned, no gap", 3)

    def _in_gap(self, at: float) -> bool:
        """Whether at this moment nobody could know better."""
        first, last = self.readings[0].at, self.readings[-1].at
        return (
            at <= first + NEAR_S
            or at >= last
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
        self.score.findings.append(
            Finding(kind, self.life.seed, self.channel.name, at, why, weight)
        )
