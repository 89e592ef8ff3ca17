"""The judge of what the rules of sampling made of a life.

Pure. It does not read the messages, and knows of the rules only what they promise; it compares
with the truth, in the device's clock, and what it finds wrong it names with the life's seed.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from math import inf
from typing import NamedTuple

from powerlog.core.runs import Run
from powerlog.sampler import Rules, Sample
from powerlog.truth.curves import MINUTE_S, overlap_s
from powerlog.truth.lives import Life, Said
from powerlog.truth.voice import Channel

NEAR_S = 1.0  # a run's turns are true within it
NEAR_W = 0.01  # what rounding may cost a minute's mean power
NEAR_WH = 1.0  # so far off may the energy of a channel's runs be


class Finding(NamedTuple):
    """Something wrong in the life of this seed. at: Unix seconds. weight: the worse, the more."""

    kind: str
    seed: int
    channel: str
    at: float
    why: str
    weight: float = 1.0


class Score:
    """The sums over all lives that were judged."""

    def __init__(self) -> None:
        self.lives = self.messages = self.channels = self.rows = 0
        self.read = self.read_right = 0
        self.recorded = self.recorded_right = 0
        self.carried = self.carried_inactive = 0
        self.invented = {"measured": 0, "device": 0}
        self.holes = 0
        self.turns = self.turns_right = self.turns_false = 0
        self.energy_wh: list[float] = []
        self.findings: list[Finding] = []

    def worst(self, count: int) -> list[Finding]:
        return sorted(self.findings, key=lambda finding: -finding.weight)[:count]

    def table(self) -> str:
        beyond = sum(abs(off) > NEAR_WH for off in self.energy_wh)
        worst = max(map(abs, self.energy_wh), default=0.0)
        mean = sum(map(abs, self.energy_wh)) / max(1, len(self.energy_wh))
        lines = {
            "lives": f"{self.lives}: {self.channels} channels, {self.messages} messages",
            "rows": f"{self.rows}",
            "minutes with a reading": _part(self.read_right, self.read),
            "minutes of the device's record": _part(self.recorded_right, self.recorded),
            "invented, measured": f"{self.invented['measured']}",
            "invented, device": f"{self.invented['device']}",
            "carried": f"{self.carried}, of which {self.carried_inactive} were not active",
            "holes": f"{self.holes}",
            "turns of runs": _part(self.turns_right, self.turns),
            "turns that were none": f"{self.turns_false}",
            "energy": f"worst {worst:.3f} Wh, mean {mean:.3f} Wh, {beyond} beyond {NEAR_WH:g} Wh",
        }
        return "\n".join(f"{name:<31}{value}" for name, value in lines.items())


def _part(right: int, of: int) -> str:
    return f"{right} of {of} right ({100 * right / of if of else 100:.4g} %)"


class _Reading(NamedTuple):
    at: float
    said: Said
    connection: int

    @property
    def minute(self) -> int:
        return int(self.at // MINUTE_S)


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
        self.readings = list(self._in_order())
        self.gaps = [
            (before, after)
            for before, after in pairwise(self.readings)
            if before.connection != after.connection or after.minute > before.minute + 1
        ]

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

    def _in_order(self) -> Iterator[_Reading]:
        """What is read of the channel, without what comes too late to be of a minute."""
        latest = 0.0
        for message in self.life.messages:
            said = message.says.get(self.channel.name)
            if said is not None and message.at >= latest:
                latest = message.at
                yield _Reading(latest, said, message.connection)

    def _is_active(self, reading: _Reading) -> bool:
        return (reading.said.watts or 0.0) > self.rules.power_threshold_w

    def _mean_w(self, minute: int) -> float:
        return self.channel.curve.mean_w(minute * MINUTE_S, minute * MINUTE_S + MINUTE_S)

    def _active_s(self, minute: int, before_s: float = 0.0) -> float:
        return overlap_s(self.active, minute * MINUTE_S - before_s, minute * MINUTE_S + MINUTE_S)

    def _judge_read_minutes(self) -> None:
        """A minute with a reading has a row if one of them saw it active, with what was known."""
        first_w: dict[int, float | None] = {}
        for reading in self.readings:
            if first_w.get(reading.minute) is None:
                active = self._is_active(reading)
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

    def _judge_gap(self, before: _Reading, after: _Reading) -> None:
        if before.connection != after.connection and min(self.rows, default=inf) > before.minute:
            return  # the database knows nothing of the channel: to the collector there is no gap
        between = range(before.minute + 1, after.minute)
        short = len(between) <= self.rules.max_blind_gap_min and self._is_active(before)
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
                if _near(told, at) is not None:
                    self.score.turns_right += 1
                else:
                    self._find(f"missed {kind} of a run", at, "while connected", 3)
        for at in told:
            if _near(true, at) is None and not self._in_gap(at):
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
        bounds = [self._bounds_wh(run) for run in self.runs]
        told_wh = sum(run.energy_wh for run in self.runs)
        least_wh, most_wh = sum(least for least, _ in bounds), sum(most for _, most in bounds)
        off_wh = max(0.0, told_wh - most_wh) + min(0.0, told_wh - least_wh)
        self.score.energy_wh.append(off_wh)
        if abs(off_wh) > NEAR_WH:
            self._find("energy", self.life.end, f"off by {off_wh:+.3f} Wh", abs(off_wh))

    def _bounds_wh(self, run: Run) -> tuple[float, float]:
        """What was used in a run, as exactly as anybody can know it."""
        curve, counter = self.channel.curve, self.channel.counter
        until = self.life.end if run.ended_at is None else run.ended_at
        # What a device measures it says up to a second after it has switched on.
        turned = _near([start for start, _ in self.active], run.started_at)
        since = run.started_at if turned is None else turned
        used_wh = curve.drawn_wh(until) - curve.drawn_wh(since)
        # A counter that steps back by less than it rose since it last spoke is believed.
        least_wh, most_wh = used_wh - counter.stepped_back_wh(since, until), used_wh
        for before, after in self.gaps:
            unclear = self._unclear_wh(run, until, before, after)
            least_wh, most_wh = least_wh - unclear[0], most_wh + unclear[1]
        return least_wh, most_wh

    def _unclear_wh(
        self, run: Run, until: float, before: _Reading, after: _Reading
    ) -> tuple[float, float]:
        """What a run may be told too low and too high for what nobody knows of a gap."""
        used_wh = self.channel.curve.drawn_wh
        last_minute = before.minute * MINUTE_S
        known_until = before.at if self._is_active(before) else last_minute
        if known_until <= run.started_at < after.at:
            # The record tells of full minutes, nobody what was used in the rest of the last.
            rest = max(run.started_at, after.minute * MINUTE_S)
            return used_wh(after.at) - used_wh(rest), run.peak_w * (after.at - rest) / 3600
        lost = run.end == "lost contact" and until >= last_minute
        if run.started_at > before.at or (until <= before.at and not lost):
            return 0.0, 0.0
        if self.channel.counter.forgotten_wh(last_minute, after.at):
            return 0.0, run.peak_w * (after.at - last_minute) / 3600
        # Of when a database last heard of a channel it knows the minute; and a counter tells what
        # was used in a gap, but not by which run.
        end = before.at if until <= before.at else after.at
        return 0.0, max(0.0, used_wh(end) - used_wh(until))

    def _find(self, kind: str, at: float, why: str, weight: float = 1.0) -> None:
        self.score.findings.append(
            Finding(kind, self.life.seed, self.channel.name, at, why, weight)
        )


def _near(moments: list[float], at: float) -> float | None:
    """The first of these, in order, that is near this moment."""
    index = bisect_left(moments, at - NEAR_S)
    return moments[index] if index < len(moments) and moments[index] <= at + NEAR_S else None
