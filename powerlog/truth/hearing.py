"""What a reader of all messages knows of one channel: its readings, and the gaps between them.

Pure.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from powerlog.core.channel import Rules
from powerlog.truth.curves import MINUTE_S
from powerlog.truth.lives import Life, Said


class Reading(NamedTuple):
    at: float
    said: Said
    connection: int

    @property
    def minute(self) -> int:
        return int(self.at // MINUTE_S)

    def active(self, rules: Rules) -> bool:
        return (self.said.watts or 0.0) > rules.power_threshold_w


def readings(life: Life, channel: str) -> Iterator[Reading]:
    """What is read of the channel, without what comes too late to be of a minute."""
    latest = 0.0
    for message in life.messages:
        said = message.says.get(channel)
        if said is not None and message.at >= latest:
            latest = message.at
            yield Reading(latest, said, message.connection)


def gaps(read: list[Reading]) -> list[tuple[Reading, Reading]]:
    """The readings around each full minute without one, and around each change of connection."""
    return [
        (before, after)
        for before, after in pairwise(read)
        if before.connection != after.connection or after.minute > before.minute + 1
    ]
