"""All channels, a line each, first those that need attention.

What the order needs is read for all channels at once. What only a line shows is read for the lines
of one page: the sparkline of the thousandth channel is not needed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.paginator import Page, Paginator
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from powerlog.core.frame import ChannelKey
from powerlog.dashboard import formatting
from powerlog.dashboard.channel_status import State, state
from powerlog.dashboard.sparklines import BUCKET_MIN, sparks
from powerlog.localtime import DAY, local_day
from powerlog.models import DayTotal, PowerLog, Run
from powerlog.reports import channels
from powerlog.reports.channels import Meter
from powerlog.reports.run_usage import Spent, known

PAGE = 50
GIVEN_UP = timedelta(days=30)  # silent for longer, a device is gone and no trouble any more
HOUR = timedelta(hours=1)
MANY_STARTS = 10  # within an hour: a pump that wears itself out
LONG = timedelta(hours=2)
TIMES_AS_LONG = 4  # as its runs of four weeks on average
SILENT, CYCLING, TOO_LONG, RUNNING, QUIET, UNMETERED, GONE = range(7)  # in the order of the page
NUMBERS = re.compile("([0-9]{1,9})")


@dataclass(frozen=True)
class Ranked:
    """A channel with its place in the order, and the reason for it."""

    meter: Meter
    rank: int
    why: str = ""


@dataclass(frozen=True)
class Line:
    """A channel's line on the page; spark is an SVG path."""

    meter: Meter
    state: State
    why: str
    spent: Spent
    spark: str

    @property
    def run_time(self) -> str:
        return formatting.duration(self.spent.seconds) if self.spent.seconds else formatting.DASH

    @property
    def energy(self) -> str:
        return formatting.energy(self.spent.wh) if self.spent.seconds else formatting.DASH

    @property
    def heard(self) -> str:
        """Return the last contact: "just now" while the device is in contact."""
        return _("just now") if self.meter.in_contact(self.state.now) else self.state.ago

    @property
    def hint(self) -> str:
        """Return what may be wrong with a channel that has never run."""
        return self.state.detail if self.state.kind == "new" else ""


@dataclass(frozen=True)
class Overview:
    """A page of lines, and how many channels there are in all, running and in trouble."""

    lines: Sequence[Line]
    page: Page
    count: int
    running: int
    troubled: int
    query: str
    quarters: int

    @property
    def is_long(self) -> bool:
        return self.count > PAGE // 2


def overview(
    everybody: Sequence[Meter], now: datetime, query: str = "", page: str = "1"
) -> Overview:
    ranked = rank(everybody, now)
    found = [each for each in ranked if _matches(each.meter, query)]
    shown = Paginator(found, PAGE).get_page(page)
    return Overview(
        lines=_lines(shown.object_list, now),
        page=shown,
        count=len(ranked),
        running=sum(each.rank in (CYCLING, TOO_LONG, RUNNING) for each in ranked),
        troubled=sum(each.rank in (SILENT, CYCLING, TOO_LONG) for each in ranked),
        query=query,
        quarters=local_day(timezone.localdate(now)).minutes // BUCKET_MIN,
    )


def rank(everybody: Sequence[Meter], now: datetime) -> list[Ranked]:
    """Return the channels in the order in which they need attention, then by name."""
    open_since = {
        (device_id, channel): started_at
        for device_id, channel, started_at in Run.objects.filter(ended_at__isnull=True)
        .order_by()
        .values_list("device_id", "channel", "started_at")
    }
    cycling = _cycling(now)
    too_long = _too_long(open_since, now)
    ranked = [_rank(each, open_since, cycling, too_long, now) for each in everybody]
    return sorted(ranked, key=lambda each: (each.rank, _by_number(each.meter)))


def _by_number(meter: Meter) -> list[tuple[int, str]]:
    """Return a sort key by which field 9 comes before field 10."""
    text = f"{meter.device_name} {meter.device_id} {meter.name}".lower()
    return [(int(part) if part.isdecimal() else -1, part) for part in NUMBERS.split(text)]


def _rank(
    meter: Meter,
    open_since: Mapping[ChannelKey, datetime],
    cycling: Mapping[ChannelKey, int],
    too_long: Mapping[ChannelKey, str],
    now: datetime,
) -> Ranked:
    in_contact = meter.in_contact(now)
    if not in_contact and (meter.heard_at is None or now - meter.heard_at > GIVEN_UP):
        return Ranked(meter, GONE)
    if not meter.reports_power and meter.key not in open_since:
        return Ranked(meter, UNMETERED)
    if not in_contact:
        return Ranked(meter, SILENT)
    if starts := cycling.get(meter.key):
        return Ranked(meter, CYCLING, _("%(count)s starts in the last hour") % {"count": starts})
    if why := too_long.get(meter.key):
        return Ranked(meter, TOO_LONG, why)
    return Ranked(meter, RUNNING if meter.key in open_since else QUIET)


def _cycling(now: datetime) -> dict[ChannelKey, int]:
    started = Run.objects.filter(started_at__gt=now - HOUR).order_by()
    counted = started.values_list("device_id", "channel").annotate(times=Sum("starts"))
    often = counted.filter(times__gte=MANY_STARTS)
    return {(device_id, channel): starts for device_id, channel, starts in often}


def _too_long(open_since: Mapping[ChannelKey, datetime], now: datetime) -> dict[ChannelKey, str]:
    """Return the channels that have run much longer than usual. A pump that never stops is none."""
    long = {key: now - since for key, since in open_since.items() if now - since > LONG}
    totals = DayTotal.objects.filter(
        device_id__in={device_id for device_id, _ in long},
        day__gte=timezone.localdate(now) - 28 * DAY,
    ).order_by()
    sums = totals.values_list("device_id", "channel").annotate(Sum("run_s"), Sum("runs"))
    why = {}
    for device_id, channel, run_s, runs in sums:
        seconds = long.get((device_id, channel), timedelta()).total_seconds()
        if runs and seconds > TIMES_AS_LONG * run_s / runs > 0:
            said = {
                "time": formatting.duration(seconds),
                "usual": formatting.duration(run_s / runs),
            }
            why[device_id, channel] = _("running for %(time)s, usually %(usual)s") % said
    return why


def _matches(meter: Meter, query: str) -> bool:
    """Return whether every word of the query is in a name or an id."""
    text = f"{meter.device_name} {meter.name} {meter.device_id} {meter.channel}".lower()
    return all(word in text for word in query.lower().split())


def _lines(ranked: Sequence[Ranked], now: datetime) -> list[Line]:
    keys = [each.meter.key for each in ranked]
    today, span = timezone.localdate(now), local_day(timezone.localdate(now))
    runs = channels.newest(Run, keys)
    running = [key for key, run in runs.items() if run.ended_at is None]
    rows = channels.newest(PowerLog, running)
    totals = DayTotal.objects.filter(day=today, device_id__in={key[0] for key in keys})
    told = {(each.device_id, each.channel): each for each in totals}
    pictures = sparks(keys, span)
    lines = []
    for each in ranked:
        key, run = each.meter.key, runs.get(each.meter.key)
        total = told.get(key) or DayTotal()
        spent = Spent(total.run_s, total.energy_wh)
        if run is not None:
            spent += known(run, each.meter, rows.get(key), now).untold(span)
        how = state(each.meter, run, now)
        lines.append(Line(each.meter, how, each.why, spent, pictures.get(key, "")))
    return lines
