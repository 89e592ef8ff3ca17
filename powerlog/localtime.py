"""Stretches of time, and the local days of TIME_ZONE among them.

Moments are aware and UTC: the difference of two of them is how long it really was, also on days on
which the clocks change, which are 23 or 25 hours long.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone

from powerlog.core.days import moment_of, start_of

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """From start to end, in UTC; start is in it, end is not."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def minutes(self) -> int:
        return round(self.seconds / 60)

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def minute(self, moment: datetime) -> float:
        """Minutes from the start to that moment."""
        return (moment - self.start).total_seconds() / 60

    def clip(self, other: "Span") -> "Span | None":
        """What both have in common."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else None


def local_moment(day: date, at: time, *, last: bool = False) -> datetime:
    """The moment of a local time of day: of two of that name in autumn the first, or the last; of
    one that does not exist in spring the moment of the jump."""
    local = datetime.combine(day, at)
    return moment_of(local, timezone.get_current_timezone(), last=last)


def local_day(day: date) -> Span:
    """From midnight to midnight."""
    return Span(_midnight(day), _midnight(day + DAY))


def local_days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=each) for each in range((last - first).days + 1))


def _midnight(day: date) -> datetime:
    return datetime.fromtimestamp(start_of(day, timezone.get_current_timezone()), UTC)


def without(span: Span, holes: list[Span]) -> list[Span]:
    """What is left of a stretch without these, in order."""
    left, start = [], span.start
    for hole in sorted(holes, key=lambda each: each.start):
        if start < min(hole.start, span.end):
            left.append(Span(start, min(hole.start, span.end)))
        start = max(start, hole.end)
    if start < span.end:
        left.append(Span(start, span.end))
    return left
