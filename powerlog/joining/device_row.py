"""Move what a device has beside its rows and runs: its channels, its silences, and its line."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import QuerySet

from powerlog.core.contact import SILENT_S
from powerlog.database.sql import WRITER
from powerlog.joining.plan import own_of, stays
from powerlog.localtime import Span, without
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run, Silence


class Pair(NamedTuple):
    """old: None where the history is all that is left of the old device."""

    old_id: str
    new_id: str
    old: Device | None
    new: Device


def fix_spans(pair: Pair) -> None:
    """Correct the last contact of the old device, and the first of the new one, by their rows.

    A line has less than the rows if a process was killed, or if staff had deleted the device. Call
    it before any row moves: later the rows do not show whose they were. A second call changes
    nothing.
    """
    if pair.old is None:
        return
    last = max([pair.old.last_seen_at, *_last_signs(pair.old_id)])
    first = min([pair.new.first_seen_at, *_first_signs(pair.new_id, last)])
    _line(pair.old_id).update(last_seen_at=last)
    _line(pair.new_id).update(first_seen_at=first)


def join_lines(pair: Pair) -> None:
    """Give the new device what it lacks, and remove the old line. The last step."""
    _join_silences(pair)
    _join_channels(pair)
    old, new = pair.old, pair.new
    if old is None:
        return
    _line(pair.new_id).update(
        name=new.name or old.name,
        first_seen_at=min(old.first_seen_at, new.first_seen_at),
        last_seen_at=max(old.last_seen_at, new.last_seen_at),
    )
    if not stays(old):
        _line(pair.old_id).delete()


def _join_channels(pair: Pair) -> None:
    ours = {each.channel: each for each in _channels(pair.new_id)}
    for theirs in _channels(pair.old_id):
        mine = ours.get(theirs.channel)
        which = Channel.objects.using(WRITER).filter(pk=mine.pk if mine else theirs.pk)
        which.update(**(own_of(theirs, mine) if mine else {"device": pair.new_id}))
    _channels(pair.old_id).delete()


def _join_silences(pair: Pair) -> None:
    theirs, ours = _silences(pair.old_id), _silences(pair.new_id)
    together = {*theirs, *ours}
    if pair.old is not None:
        old, new = (Span(each.first_seen_at, each.last_seen_at) for each in (pair.old, pair.new))
        together = common_silences(old, theirs, new, ours)
    silences = Silence.objects.using(WRITER)
    silences.filter(device_id=pair.old_id).delete()
    gone = [each.start for each in {*ours} - together]
    silences.filter(device_id=pair.new_id, since__in=gone).delete()
    silences.bulk_create(
        [
            Silence(device_id=pair.new_id, since=each.start, until=each.end)
            for each in together - {*ours}
        ],
        ignore_conflicts=True,
    )


def common_silences(
    old: Span, theirs: Sequence[Span], new: Span, ours: Sequence[Span]
) -> set[Span]:
    """Return the spans without contact to either device, from the first contact to the last.

    old and new: from the first contact of each device to its last.
    """
    both = Span(min(old.start, new.start), max(old.end, new.end))
    heard = [*without(old, [*theirs]), *without(new, [*ours])]
    common = {each for each in without(both, heard) if each.seconds > SILENT_S}
    return common | {each for each in (*theirs, *ours) if both.clip(each) is None}


def _last_signs(device_id: str) -> Iterator[datetime]:
    for channel in _known_channels(device_id):
        of_channel = {"device_id": device_id, "channel": channel}
        rows = PowerLog.objects.using(WRITER).filter(**of_channel).order_by("-timestamp")
        runs = Run.objects.using(WRITER).filter(**of_channel).order_by("-started_at")
        yield from rows.values_list("timestamp", flat=True)[:1]
        for ends in runs.values_list("started_at", "ended_at", "heard_at")[:1]:
            yield max(filter(None, ends))


def _first_signs(device_id: str, after: datetime) -> Iterator[datetime]:
    for channel in _known_channels(device_id):
        of_channel = {"device_id": device_id, "channel": channel}
        for model, moment in ((PowerLog, "timestamp"), (Run, "started_at")):
            later = model.objects.using(WRITER).filter(**of_channel, **{f"{moment}__gt": after})
            yield from later.order_by(moment).values_list(moment, flat=True)[:1]


def _known_channels(device_id: str) -> QuerySet:
    """Return channels that have a history, with or without a line."""
    totals = DayTotal.objects.using(WRITER).filter(device_id=device_id)
    return totals.order_by().values_list("channel", flat=True).distinct()


def _line(device_id: str) -> QuerySet[Device]:
    return Device.objects.using(WRITER).filter(device_id=device_id)


def _channels(device_id: str) -> QuerySet[Channel]:
    return Channel.objects.using(WRITER).filter(device=device_id)


def _silences(device_id: str) -> list[Span]:
    found = Silence.objects.using(WRITER).filter(device_id=device_id)
    return [Span(*each) for each in found.values_list("since", "until")]
