"""Plan how the history of one device moves to another, and say why it may not.

Nothing is written here. work.py does the work, and asks `objection` again in each transaction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Exists, Max, Min, Model, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from powerlog.localtime import Span
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run, Silence
from powerlog.reports.channels import CONTACT

States = Device.Admission
# A device cannot run under two ids at once. A few minutes are those in which one took over from the
# other, or a clock that was wrong; more are two devices.
SHARED_AT_MOST = 10
# What staff set for a channel. `logged` is missing: to switch the new device off is a new decision.
OWN = ("name", "power_threshold_w", "nominal_power_w", "flow_m3h", "price_kwh")

Counted = tuple[int, Any, Any]  # how many, the first and the last
NOTHING: Counted = (0, None, None)


class Refused(Exception):
    """The two cannot be joined. The text is a sentence for people."""


@dataclass(frozen=True)
class Part:
    """One channel of the old device: its rows, runs and day totals, and the days they span.

    known: the new device has this channel. own: the settings of staff that the new device takes
    over, by their fields. shared: minutes that both have, at most SHARED_AT_MOST + 1 of them.
    together_s: for how long both ran at once.
    """

    channel: str
    minutes: int = 0
    runs: int = 0
    days: int = 0
    first: date | None = None
    last: date | None = None
    known: bool = False
    running: bool = False
    own: dict[str, Any] = field(default_factory=dict)
    shared: int = 0
    together_s: float = 0.0


@dataclass(frozen=True)
class Plan:
    """old: None where the history is all that is left of the old device."""

    old_id: str
    new: Device
    old: Device | None
    parts: Sequence[Part]
    silences: int

    @property
    def minutes(self) -> int:
        return sum(part.minutes for part in self.parts)

    @property
    def runs(self) -> int:
        return sum(part.runs for part in self.parts)

    @property
    def shared(self) -> int:
        return sum(part.shared for part in self.parts)

    @property
    def first(self) -> date | None:
        return min((part.first for part in self.parts if part.first), default=None)

    @property
    def last(self) -> date | None:
        return max((part.last for part in self.parts if part.last), default=None)

    @property
    def heard(self) -> tuple[Span, Span] | None:
        """From when to when the old device was in contact, and the new one."""
        if self.old is None:
            return None
        both = (self.old, self.new)
        old, new = (Span(each.first_seen_at, each.last_seen_at) for each in both)
        return old, new

    @property
    def new_id(self) -> str:
        return self.new.device_id

    @property
    def days(self) -> int:
        """How many day totals: one for each channel and day."""
        return sum(part.days for part in self.parts)

    @property
    def objections(self) -> list[str]:
        """Return why the two histories cannot be one, in sentences."""
        return [sentence for part in self.parts for sentence in _objections(part)]


def plan(old_id: str, new_id: str) -> Plan:
    """Count what would move. Raises Refused, and Django's database errors."""
    lines = Device.objects.in_bulk([old_id, new_id], field_name="device_id")
    old, new = lines.get(old_id), lines.get(new_id)
    if (why := objection(old_id, new_id, old, new)) or new is None:
        raise Refused(why)
    parts = list(_parts(old_id, new_id))
    silences = Silence.objects.filter(device_id=old_id).count()
    if old is None and not parts and not silences:
        raise Refused(_("There is no device %(id)s, and no history of one.") % {"id": old_id})
    return Plan(old_id, new, old, parts, silences)


def objection(old_id: str, new_id: str, old: Device | None, new: Device | None) -> str:
    """Return why these two devices cannot be joined, whatever their histories; "": they can."""
    ids = {"old": old_id, "new": new_id}
    if old_id == new_id:
        return _("The old and the new device are the same one.")
    if new is None:
        return _("There is no device %(new)s.") % ids
    if new.admission != States.ACCEPTED:
        return (
            _(
                "%(new)s is not accepted: it is blocked, or waits. Accept it first, under access "
                "of devices."
            )
            % ids
        )
    return "" if old is None else objection_to_old(old)


def objection_to_old(old: Device) -> str:
    """Return why the history of this device cannot move now; "": it can."""
    # A device that waits for staff never counts as connected, and may be there all the same.
    there = old.connected or old.admission == States.WAITING
    if not there or timezone.now() - old.last_seen_at >= CONTACT:
        return ""
    return _(
        "%(old)s is connected now, or was until less than three minutes ago. A device that still "
        "speaks has a history of its own: disconnect it first, and wait three minutes."
    ) % {"old": old.device_id}


def stays(old: Device) -> bool:
    """Return whether its line stays: without one a blocked device could speak again."""
    return old.admission == States.BLOCKED


def own_of(theirs: Channel, ours: Channel | None) -> dict[str, Any]:
    """Return the settings of the old channel that the new one does not have."""
    values = {name: getattr(theirs, name) for name in OWN}
    return {
        name: value
        for name, value in values.items()
        if value not in ("", None) and (ours is None or getattr(ours, name) in ("", None))
    }


def _objections(part: Part) -> Iterator[str]:
    about = {"channel": part.channel, "count": SHARED_AT_MOST}
    if part.shared > SHARED_AT_MOST:
        yield (
            _(
                "Both devices have rows for the same minutes of %(channel)s, more than %(count)s "
                "of them. Two devices were active at the same time, and one history cannot hold "
                "both."
            )
            % about
        )
    elif part.together_s > SHARED_AT_MOST * 60:
        about["count"] = round(part.together_s / 60)
        yield (
            _(
                "Both devices ran at the same time on %(channel)s, for %(count)s minutes. One "
                "history cannot hold both."
            )
            % about
        )


def _parts(old_id: str, new_id: str) -> Iterator[Part]:
    rows, runs = _counted(PowerLog, old_id, "timestamp"), _counted(Run, old_id, "started_at")
    days = _counted(DayTotal, old_id, "day")
    theirs = {each.channel: each for each in Channel.objects.filter(device=old_id)}
    ours = {each.channel: each for each in Channel.objects.filter(device=new_id)}
    running = set(Run.objects.filter(device_id=old_id, ended_at=None).values_list("channel"))
    for channel in sorted({*rows, *runs, *days, *theirs}):
        known = [table.get(channel, NOTHING) for table in (rows, runs, days)]
        ends = [_date(end) for _, *both in known for end in both if end]
        own = own_of(theirs[channel], ours.get(channel)) if channel in theirs else {}
        yield Part(
            channel,
            *(count for count, _, _ in known),
            first=min(ends, default=None),
            last=max(ends, default=None),
            known=channel in ours,
            running=(channel,) in running,
            own=own,
            shared=_shared(old_id, new_id, channel),
            together_s=_together_s(old_id, new_id, channel),
        )


def _counted(model: type[Model], device_id: str, moment: str) -> dict[str, Counted]:
    """Count the rows of each channel, with the first and the last, by the unique index alone."""
    of_channels = model._default_manager.filter(device_id=device_id).order_by().values("channel")
    counted = of_channels.annotate(count=Count("*"), first=Min(moment), last=Max(moment))
    found = counted.values_list("channel", "count", "first", "last")
    return {channel: (count, first, last) for channel, count, first, last in found}


def _date(moment: datetime | date) -> date:
    return timezone.localdate(moment) if isinstance(moment, datetime) else moment


def _shared(old_id: str, new_id: str, channel: str) -> int:
    ours = PowerLog.objects.filter(device_id=new_id, channel=channel)
    ends = ours.aggregate(first=Min("timestamp"), last=Max("timestamp"))
    if ends["first"] is None:
        return 0
    theirs = PowerLog.objects.filter(device_id=old_id, channel=channel).order_by()
    meanwhile = theirs.filter(timestamp__range=(ends["first"], ends["last"]))
    # A row with the same values is the same row: a spool wrote it a second time, after a join.
    same = {name: OuterRef(name) for name in ("apower_w", "energy_total_wh")}
    others = ours.filter(timestamp=OuterRef("timestamp")).exclude(**same)
    return meanwhile.filter(Exists(others))[: SHARED_AT_MOST + 1].count()


def _together_s(old_id: str, new_id: str, channel: str) -> float:
    """Return for how long both ran at once. Rows of that time may be deleted, runs are not."""
    ours, theirs = _runs(new_id, channel), _runs(old_id, channel)
    first = ours.values_list("started_at", flat=True).first()
    if first is None:
        return 0.0
    row = PowerLog.objects.filter(device_id=old_id, channel=channel).order_by("timestamp").last()
    same = ours.filter(started_at=OuterRef("started_at"))  # written twice, as above
    later = theirs.filter(Q(ended_at__gt=first) | Q(ended_at=None)).exclude(Exists(same))
    spans = _spans(later, row and row.timestamp)
    if not spans:
        return 0.0
    meanwhile = ours.filter(started_at__lt=spans[-1].end).exclude(ended_at__lte=spans[0].start)
    return _common_s(spans, _spans(meanwhile, timezone.now()))


def _runs(device_id: str, channel: str) -> QuerySet[Run]:
    return Run.objects.filter(device_id=device_id, channel=channel).order_by("started_at")


def _spans(runs: QuerySet[Run], open_until: datetime | None) -> list[Span]:
    """Return start and end of runs. open_until ends an open run without a known contact."""
    ends = runs.values_list("started_at", "ended_at", "heard_at")
    return [
        Span(start, end or heard or max(start, open_until or start)) for start, end, heard in ends
    ]


def _common_s(ours: Sequence[Span], theirs: Sequence[Span]) -> float:
    """Return how long two lists of spans overlap. Each is in order, without overlaps of its own."""
    seconds, at, to = 0.0, 0, 0
    while at < len(ours) and to < len(theirs):
        both = ours[at].clip(theirs[to])
        seconds += both.seconds if both else 0.0
        if ours[at].end < theirs[to].end:
            at += 1
        else:
            to += 1
    return seconds
