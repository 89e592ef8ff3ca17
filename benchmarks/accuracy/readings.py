"""The readings of one channel and the gaps between them, as a reader of all messages has them.

Pure.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from math import inf
from typing import NamedTuple

from benchmarks.accuracy.results import NEAR_S
from benchmarks.accuracy.scenarios import Known, Life
from powerlog.core.channel_state import Rules
from powerlog.simulation.channel import Channel, Silence
from powerlog.simulation.curves import MINUTE_S

RECORDED_MIN = 4  # how old the minutes of a record may be


class Reading(NamedTuple):
    at: float
    known: Known
    connection: int

    @property
    def minute(self) -> int:
        return int(self.at // MINUTE_S)

    def active(self, rules: Rules) -> bool:
        return (self.known.watts or 0.0) > rules.power_threshold_w


class Loss(NamedTuple):
    """No reading of a channel follows `last` until then, while its device reports others."""

    last: Reading
    until: float


def readings(life: Life, channel: str) -> Iterator[Reading]:
    """Return the readings of the channel, without those that come too late for their minute."""
    latest = 0.0
    for message in life.messages:
        known = message.known.get(channel)
        if known is not None and message.at >= latest:
            latest = message.at
            yield Reading(latest, known, message.connection)


def gaps(read: list[Reading]) -> list[tuple[Reading, Reading]]:
    """Return the readings around each full minute without one, and around each reconnect."""
    return [
        (before, after)
        for before, after in pairwise(read)
        if before.connection != after.connection or after.minute > before.minute + 1
    ]


def losses(channel: Channel, read: list[Reading], rules: Rules) -> list[Loss]:
    """Return when contact with a channel is lost while its device is connected: the device has no
    such channel any more, or reports nothing of it for longer than a gap that is carried."""
    found = [
        Loss(before, until)
        for silence, before, until in silences(channel, read)
        if silence.alone
        and min(until, silence.until) - before.at > (rules.max_blind_gap_min + 2) * MINUTE_S
    ]
    return [*found, Loss(read[-1], inf)] if channel.gone < inf else found


def silences(channel: Channel, read: list[Reading]) -> Iterator[tuple[Silence, Reading, float]]:
    """Return each silence, the last reading before it and the moment of the first one after it."""
    moments = [reading.at for reading in read]
    for silence in channel.silences:
        after = bisect_right(moments, silence.since + NEAR_S)
        yield silence, read[after - 1], moments[after] if after < len(read) else inf


def unsigned(gaps: list[tuple[Reading, Reading]], rules: Rules) -> Iterator[tuple[range, bool]]:
    """Return the minutes of records without a sign, and whether the channel is known to feed in.

    Its power before a new connection is unknown: a database has no rows of a channel that feeds in.
    """
    for before, after in gaps:
        if after.known.void == "sign":
            sides = [after] if before.connection != after.connection else [before, after]
            feeds_in = any((each.known.watts or 0.0) < -rules.power_threshold_w for each in sides)
            since = after.minute - RECORDED_MIN
            if feeds_in:
                yield range(max(since, before.minute), after.minute), True
            else:
                yield range(since, after.minute + 1), False


def rowed(read: list[Reading], rules: Rules) -> Iterator[tuple[float, float]]:
    """Return each moment with the power from then on, as a database knows it between connections:
    by the last row, which has the first active reading of its minute."""
    row_w, minute = 0.0, -1
    for reading, after in zip(read, [*read[1:], None], strict=True):
        watts = reading.known.watts or 0.0
        if reading.active(rules) and reading.minute != minute:
            row_w, minute = watts, reading.minute
        leaves = after is not None and after.connection != reading.connection
        yield reading.at, row_w if leaves and reading.active(rules) else watts
