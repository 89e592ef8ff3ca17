"""The figures of a pump's day, from its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import fmean

from django.utils import timezone

from powerlog.models import PowerLog

RECENT = timedelta(days=31)


@dataclass(frozen=True)
class PumpDay:
    """One local day of one channel: what it did, from midnight (start) to midnight (end), in UTC.

    rows are the day's active minutes in order. Of a day without rows every figure is None; the
    energy is None as well where the counter was reported less than twice.
    """

    start: datetime
    end: datetime
    rows: Sequence[PowerLog]

    @property
    def minutes_active(self) -> int:
        return len(self.rows)

    @property
    def first(self) -> datetime | None:
        return self.rows[0].timestamp if self.rows else None

    @property
    def last(self) -> datetime | None:
        """The end of the last active minute."""
        return self.rows[-1].timestamp + timedelta(minutes=1) if self.rows else None

    @property
    def peak_w(self) -> float | None:
        return max((row.apower_w for row in self.rows), default=None)

    @property
    def mean_w(self) -> float | None:
        """Mean power while active."""
        return fmean(row.apower_w for row in self.rows) if self.rows else None

    @property
    def energy_wh(self) -> float | None:
        """What the device's counter rose by between the first and the last row of the day.

        A falling counter was reset or stepped back: that step counts as nothing.
        """
        totals = [row.energy_total_wh for row in self.rows if row.energy_total_wh]
        if len(totals) < 2:
            return None
        return sum(max(0.0, after - before) for before, after in pairwise(totals))


def local_moment(day: date, hour: int) -> datetime:
    """That hour of a day of TIME_ZONE, in UTC: differences within one zone ignore its changes."""
    return timezone.make_aware(datetime.combine(day, time(hour))).astimezone(UTC)


def pump_day(device_id: str, channel: str, day: date) -> PumpDay:
    """That day of TIME_ZONE; 23 or 25 hours long where the clocks change."""
    start, end = local_moment(day, 0), local_moment(day + timedelta(days=1), 0)
    rows = PowerLog.objects.filter(
        device_id=device_id, channel=channel, timestamp__gte=start, timestamp__lt=end
    )
    return PumpDay(start, end, list(rows.order_by("timestamp")))


def recent_meters() -> list[tuple[str, str]]:
    """(device_id, channel) of all that had a row in the last 31 days, in order.

    Bounded in time because a DISTINCT over the whole table would read all of it.
    """
    recent = PowerLog.objects.filter(timestamp__gte=timezone.now() - RECENT)
    return list(
        recent.order_by("device_id", "channel").values_list("device_id", "channel").distinct()
    )


def last_day(device_id: str, channel: str) -> date | None:
    """The last local day on which this channel has a row."""
    last = (
        PowerLog.objects.filter(device_id=device_id, channel=channel).order_by("-timestamp").first()
    )
    return timezone.localdate(last.timestamp) if last else None


def last_meter() -> tuple[str, str] | None:
    """(device_id, channel) of the newest row of all."""
    return PowerLog.objects.order_by("-timestamp").values_list("device_id", "channel").first()
