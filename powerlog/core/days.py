"""Local days: from midnight to midnight of a time zone, 23 or 25 hours long where clocks change.

Pure. Moments are Unix seconds. Where a clock change leaves out midnight, the day begins with its
first moment; where midnight comes twice, with the first of them.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def day_of(ts: float, zone: ZoneInfo) -> date:
    # By whole seconds: datetime rounds the last half microsecond of a day into the next one.
    return datetime.fromtimestamp(ts // 1, zone).date()


def start_of(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()


def span(ts: float, zone: ZoneInfo) -> tuple[float, float]:
    """Start and end of the day in which this moment lies."""
    day = day_of(ts, zone)
    return start_of(day, zone), start_of(day + timedelta(days=1), zone)


def days_between(since: float, until: float, zone: ZoneInfo) -> Iterator[date]:
    """The days from one moment to another, both included."""
    day, last = day_of(since, zone), day_of(until, zone)
    while day <= last:
        yield day
        day += timedelta(days=1)


class Calendar:
    """The midnights of a time zone, for whoever asks about moments that mostly lie together."""

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)
        self._start = self._end = 0.0  # of the day that was asked for last

    def midnights(self, since: float, until: float) -> Iterator[float]:
        """Those after the one moment and up to the other, in Unix seconds."""
        while not self.same_day(since, until):
            if since < self._start or since >= self._end:
                self._start, self._end = span(since, self._zone)
                continue
            since = self._end
            yield since

    def same_day(self, since: float, until: float) -> bool:
        """Nearly always, and cheap to see; False may also mean that it was not yet looked up."""
        return self._start <= since and until < self._end
