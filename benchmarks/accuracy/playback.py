"""Play a life through the rules of sampling.

Pure. Each connection of a life gets a Sampler of its own, which gets the past from what a database
would have: the first row of each minute, and the last version of each run.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from benchmarks.accuracy.scenarios import Life
from powerlog.core.protocol import parse
from powerlog.core.run_state import RunState
from powerlog.core.sampler import Due, Rules, Sample, Sampler, Snapshot
from powerlog.simulation.curves import MINUTE_S

ALL = Rules(channels=frozenset({"*"}))


class Played(NamedTuple):
    """The result of a life, as a database would have it: the rows of each channel by their minute
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
