"""Local times and days of a time zone: which moments they mean, also where its clocks change.

Pure. Moments are Unix seconds, but for moment_of(). A day goes from midnight to midnight and is 23
or 25 hours long where clocks change. Where a clock change leaves out midnight, the day begins with
its first moment; where midnight comes twice, with the first of them.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def moment_of(local: datetime, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """Return the moment, in UTC, that a naive local time means.

    A time that comes twice (clocks are set back) means the first of the two, or the last. A time
    that does not exist (clocks are set forward) means the moment to which the clock jumps.
    """
    # fold=0 takes the offset before a change of the clock, fold=1 the one after it.
    before, after = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if before > after:  # a time that does not exist lies on the wrong side of the jump, either way
        return _jump(int(after.timestamp()), int(before.timestamp()), zone)
    return after if last else before


def _jump(since: int, until: int, zone: ZoneInfo) -> datetime:
    """Return the second after `since`, and up to `until`, at which the UTC offset changes."""

    def has_jumped(ts: int) -> bool:
        return datetime.fromtimestamp(ts, zone).utcoffset() != offset

    offset = datetime.fromtimestamp(since, zone).utcoffset()
    seconds = range(since, until + 1)
    return datetime.fromtimestamp(seconds[bisect_left(seconds, True, key=has_jumped)], UTC)


def day_of(ts: float, zone: ZoneInfo) -> date:
    # By whole seconds: datetime rounds the last half microsecond of a day into the next one.
    return datetime.fromtimestamp(ts // 1, zone).date()


def start_of(day: date, zone: ZoneInfo) -> float:
    return moment_of(datetime.combine(day, time()), zone).timestamp()


def span(ts: float, zone: ZoneInfo) -> tuple[float, float]:
    """Return the start and end of the day that contains this moment."""
    day = day_of(ts, zone)
    return start_of(day, zone), start_of(day + timedelta(days=1), zone)


def days_between(since: float, until: float, zone: ZoneInfo) -> Iterator[date]:
    """Yield the days from one moment to another, both included."""
    day, last = day_of(since, zone), day_of(until, zone)
    while day <= last:
        yield day
        day += timedelta(days=1)


class Calendar:
    """The midnights of a time zone. It keeps the last day, as most moments lie close together."""

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)
        self.start = self.end = 0.0  # of the day that was asked for last

    def midnights(self, since: float, until: float) -> Iterator[float]:
        """Yield the midnights after `since` and up to `until`, in Unix seconds."""
        while since < self.start or until >= self.end:
            if since < self.start or since >= self.end:
                self.start, self.end = span(since, self._zone)
                continue
            since = self.end
            yield since
