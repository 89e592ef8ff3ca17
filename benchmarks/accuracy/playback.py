"""How well the rules of sampling find out what is true: lives are played through and judged.

Pure. Each connection of a life gets a Sampler of its own, which knows of those before what a
database would: rows of which the first of a minute wins, runs of which the last version told does.
What is right and what is not is for judge.py to say.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from benchmarks.accuracy.results import Finding, Score
from benchmarks.accuracy.scenarios import Life
from benchmarks.accuracy.scoring import Judge
from powerlog.core.protocol import parse
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Rules, Sample, Sampler, Snapshot
from powerlog.simulation.curves import MINUTE_S

ALL = Rules(channels=frozenset({"*"}))


class Played(NamedTuple):
    """What came of a life, as a database would hold it: the rows of each channel by their minute
    (ts // 60), and its runs by the moment of their start."""

    rows: dict[str, dict[int, Sample]]
    runs: dict[str, dict[float, RunState]]

    def keep(self, due: Iterable[Due]) -> None:
        for each in due:
            if isinstance(each, RunState):
                self.runs.setdefault(each.channel, {})[each.started_at] = each
            else:
                self.rows.setdefault(each.channel, {}).setdefault(each.ts // MINUTE_S, each)

    def past(self) -> Iterator[Snapshot]:
        for channel, rows in self.rows.items():
            runs = self.runs.get(channel, {})
            last = runs[max(runs)] if runs else None
            if last is None or last.ended_at is None:
                yield Snapshot(rows[max(rows)], last)
            else:
                yield Snapshot(rows[max(rows)], ended_at=last.ended_at)


def play(life: Life, rules: Rules = ALL, sampler_type: type[Sampler] = Sampler) -> Played:
    """Feed a life to the rules, with a new sampler for each of its connections."""
    played = Played({}, {})
    connection, sampler = -1, None
    for message in life.messages:
        if message.connection != connection:
            connection = message.connection
            if sampler is not None:
                played.keep(sampler.leave())
            sampler = sampler_type(rules)
            for past in played.past():
                sampler.restore(past)
        played.keep(sampler.feed(parse(message.text), message.received))
    return played


def judge(life: Life, played: Played, score: Score, rules: Rules = ALL) -> None:
    """Add to the score what is right and wrong in what came of a life."""
    score.lives += 1
    score.messages += len(life.messages)
    befell, found = life.misfortune.kind, len(score.findings)
    for name in {*played.rows, *played.runs} - set(life.channels):
        no_meter = Finding("no channel", life.seed, name, life.start, "has no meter", 1.0, befell)
        score.findings.append(no_meter)
    for channel in life.channels.values():
        rows = played.rows.get(channel.name, {})
        runs = list(played.runs.get(channel.name, {}).values())
        Judge(life, channel, rows, runs, rules, score).judge()
    if befell:
        score.befallen[befell] += 1
        score.befallen_right[befell] += len(score.findings) == found
