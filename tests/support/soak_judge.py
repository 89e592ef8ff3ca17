"""What a collector to which everything happened has written, beside what one without faults would.

The rules play what the devices have sent, as it was sent: that is what should be there. What was
said while the collector was off, or within two seconds before a SIGKILL, nobody may have heard:
there a row may be missing if the device cannot vouch for its minute, or come from its record, and
of a run that starts or ends there the energy may be missing.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from benchmarks.accuracy.playback import ALL, Played
from benchmarks.accuracy.results import NEAR_S, NEAR_W, NEAR_WH
from powerlog.core.protocol import parse
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Sample, Sampler
from tests.support.chaos import Span
from tests.support.fleet import Sent, Shelly

IN_MEMORY_S = 2.0  # what a SIGKILL may cost
VOUCHED_MIN = 3
BACK_S = 5.0  # from a device's connection to the first reading that it can be asked about


def should_be(sent: Sequence[Sent]) -> Played:
    """What the rules make of it, without faults."""
    played = Played({}, {})
    sampler = Sampler(ALL)
    for before, now in pairwise([None, *sent]):
        if before is not None and now.connection != before.connection:
            played.keep(sampler.leave())
            sampler = Sampler(ALL)
            for past in played.past():
                sampler.restore(past)
        played.keep(sampler.feed(parse(now.text), now.at))
    played.keep(sampler.leave())
    return played


class Unheard:
    """When nobody may have heard what one device said: (since, until, the span of the fault)."""

    def __init__(self, shelly: Shelly, offs: Sequence[Span]) -> None:
        self.spans: list[tuple[float, float, Span]] = []
        for off in offs:
            since = off.since - (IN_MEMORY_S if off.what == "SIGKILL" else 0.0)
            back = next((at for at in shelly.connected if at > off.since), float("inf"))
            self.spans.append((since, back, off))

    def within(self, since: float, until: float) -> list[Span]:
        return [off for start, end, off in self.spans if start < until and since < end]

    def around(self, at: float) -> list[tuple[float, float]]:
        """From when to when nobody may have heard it, where this moment is among that."""
        return [(start, end) for start, end, _ in self.spans if start < at < end]

    def vouched(self, minute: int) -> bool:
        """Whether the device's record covers this minute when it is back."""
        backs = [end for start, end, _ in self.spans if start < minute * 60 + 60 <= end]
        return all(minute + VOUCHED_MIN >= end // 60 for end in backs)


class Score:
    """The sums over all devices."""

    def __init__(self, outages: Sequence[Span], offs: Sequence[Span]) -> None:
        self.outages, self.offs = outages, offs
        self.count: Counter[str] = Counter()
        self.energy_wh: list[float] = []
        self.findings: list[str] = []

    def judge(self, shelly: Shelly, found: Played) -> None:
        should, unheard = should_be(shelly.sent), Unheard(shelly, self.offs)
        self.count["devices"] += 1
        self.count["connections"] += len(shelly.connected)
        self.count["messages"] += len(shelly.sent)
        for channel in sorted({*should.rows, *found.rows, *should.runs, *found.runs}):
            one = _Channel(self, shelly, channel, unheard)
            one.judge_rows(should.rows.get(channel, {}), found.rows.get(channel, {}))
            one.judge_runs(
                list(should.runs.get(channel, {}).values()),
                list(found.runs.get(channel, {}).values()),
            )

    def kills_in_outages(self, offs: Sequence[Span]) -> list[Span]:
        return [
            off
            for off in offs
            if off.what == "SIGKILL"
            and any(out.since <= off.since <= out.until + 2 for out in self.outages)
        ]

    def table(self) -> str:
        count = self.count
        worst, mean = max(map(abs, self.energy_wh)), sum(map(abs, self.energy_wh))
        away_s = sum(out.until - out.since for out in self.outages)
        off_s = sum(off.until - off.since for off in self.offs)
        lines = {
            "devices": f"{count['devices']}: {count['channels']} channels, "
            f"{count['messages']} messages, {count['connections']} connections",
            "database away": f"{len(self.outages)} times, {away_s:.0f} s",
            "collector off": f"{len(self.offs)} times, {off_s:.0f} s",
            "rows": f"{count['rows']}",
            "as without faults": f"{count['same']} of {count['rows']}",
            "right, from what was heard": f"{count['otherwise right']}",
            "twice": f"{count['twice']}",
            "wrong": f"{count['wrong']}",
            "invented": f"{count['invented']}",
            "missing": f"{count['missing']}, and {count['unknowable']} that nobody could know",
            "turns of runs": f"{count['turns right']} of {count['turns']}, and "
            f"{count['turns unheard']} that nobody heard",
            "turns that were none": f"{count['false turn']}",
            "energy": f"worst {worst:.3f} Wh, mean {mean / len(self.energy_wh):.3f} Wh, "
            f"{count['energy off']} beyond {NEAR_WH:g} Wh",
            "turns for a SIGKILL in an outage": f"{count['excused']} differ",
        }
        return "\n".join(f"{name:<33}{value}" for name, value in lines.items())


class _Channel:
    """One channel of one device."""

    def __init__(self, score: Score, shelly: Shelly, channel: str, unheard: Unheard) -> None:
        self.score, self.count = score, score.count
        self.shelly, self.channel, self.unheard = shelly, channel, unheard
        self.load = shelly.simulated.loads[int(channel[-1])]
        self.count["channels"] += 1
        self.unknown_wh = 0.0  # drawn around turns that nobody heard

    def judge_rows(self, should: dict[int, Sample], found: dict[int, Sample]) -> None:
        self.count["rows"] += len(found)
        for minute in sorted({*should, *found}):
            expected, row = should.get(minute), found.get(minute)
            start = minute * 60.0
            if row == expected:
                self.count["same"] += 1
            elif row is None:
                if self.unheard.within(start, start + 60) and not self._knowable(minute):
                    self.count["unknowable"] += 1
                else:
                    self._find("missing", start, f"{expected}")
            elif self.unheard.within(start - 60, start + 60) and self._is_true(row):
                self.count["otherwise right"] += 1
            else:
                self._find("wrong" if expected else "invented", start, f"{row} for {expected}")

    def _knowable(self, minute: int) -> bool:
        return self.unheard.vouched(minute) and self._mean_w(minute) > ALL.power_threshold_w

    def _mean_w(self, minute: int) -> float:
        return self._drawn_wh(minute * 60.0, minute * 60.0 + 60) * 60

    def _drawn_wh(self, since: float, until: float) -> float:
        until = min(until, self.shelly.sent[-1].at)
        return self.load.drawn_wh(until) - self.load.drawn_wh(since)

    def _is_true(self, row: Sample) -> bool:
        """What the device said in that minute, or its record of it; carried: what it said last."""
        minute = row.ts // 60
        if row.source == "device":
            return abs(row.apower_w - self._mean_w(minute)) < NEAR_W
        said = [
            reading.apower_w
            for each in self.shelly.sent
            if (row.source == "carried" or each.at // 60 == minute) and each.at < row.ts + 60
            for reading in parse(each.text).readings
            if reading.channel == self.channel and reading.apower_w is not None
        ]
        return row.apower_w in said

    def judge_runs(self, should: list[RunState], found: list[RunState]) -> None:
        """Every turn is told, and none that was none; and so is the energy of all runs."""
        starts, ends = sorted(run.started_at for run in found), _ends(found)
        true_starts, true_ends = [run.started_at for run in should], _ends(should)
        differ = self._judge_missing("start", true_starts, starts)
        differ |= self._judge_missing("end", true_ends, ends)
        differ |= self._judge_false("start", starts, true_starts, starts)
        differ |= self._judge_false("end", ends, true_ends, starts)
        off_wh = sum(run.energy_wh for run in found) - sum(run.energy_wh for run in should)
        self.score.energy_wh.append(off_wh)
        if abs(off_wh) > NEAR_WH + self.unknown_wh:
            self.count["energy off"] += 1
            if not differ:
                self._find("energy", true_starts[0] if should else 0.0, f"off by {off_wh:+.3f} Wh")

    def _judge_missing(self, kind: str, true: list[float], told: list[float]) -> bool:
        differ = False
        for at in true:
            self.count["turns"] += 1
            if _near(told, at):
                self.count["turns right"] += 1
            elif unheard := self.unheard.around(at):
                self.count["turns unheard"] += 1
                self.unknown_wh += sum(self._drawn_wh(*span) for span in unheard)
            else:
                differ = True
                self._differs("missing turn", at, at, kind)
        return differ

    def _judge_false(
        self, kind: str, told: list[float], true: list[float], starts: list[float]
    ) -> bool:
        differ = False
        for at in told:
            if _near(true, at) or self.unheard.within(at - NEAR_S, at):
                continue
            differ = True
            # A run that was cut in two is as wrong at its end as at the next start.
            cut_at = min((start for start in starts if start > at), default=at)
            self._differs("false turn", at, cut_at, kind)
        return differ

    def _differs(self, kind: str, at: float, cut_at: float, why: str) -> None:
        """A turn that is not as it should be: allowed where a SIGKILL fell into an outage."""
        if self.score.kills_in_outages(self.unheard.within(cut_at - BACK_S, cut_at)):
            self.count["excused"] += 1
        else:
            self._find(kind, at, f"{why} of a run")

    def _find(self, kind: str, at: float, why: str) -> None:
        self.count[kind] += 1
        self.score.findings.append(
            f"{kind}: {self.shelly.simulated.device_id} {self.channel} at {at:.1f}: {why}"
        )


def _ends(runs: Sequence[RunState]) -> list[float]:
    return [run.ended_at for run in runs if run.ended_at is not None]


def _near(moments: Sequence[float], at: float) -> bool:
    return any(abs(moment - at) <= NEAR_S for moment in moments)
