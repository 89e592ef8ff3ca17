"""The columns of the three lists: local times, units, and the way from a day to its minutes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from powerlog.admin.lists import LogAdmin, list_of, number
from powerlog.dashboard import formatting
from powerlog.models import DayTotal, PowerLog, Run
from powerlog.search.forms import DaySearch, LogSearch, RunSearch


def _local(moment: datetime, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    return timezone.localtime(moment).strftime(pattern)


def _duration(length: timedelta) -> str:
    """Return 75 h 03 min as 75:03:00: without days, as in a log book of working hours."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


@admin.register(PowerLog)
class PowerLogAdmin(LogAdmin):
    search = LogSearch
    empty_text = _(
        "No minute has been logged yet. Once a Shelly has connected, each minute in which one of "
        "its channels draws more than its threshold makes a row here."
    )
    list_display = (
        "minute",
        "device",
        "channel_name",
        "power",
        "voltage",
        "current",
        "counter",
        "how_obtained",
    )

    @admin.display(description=_("minute"))
    def minute(self, row: PowerLog) -> str:
        return _local(row.timestamp, "%Y-%m-%d %H:%M")

    @admin.display(description=_("power (W)"))
    def power(self, row: PowerLog) -> SafeString | None:
        return number(row.apower_w)

    @admin.display(description=_("voltage (V)"))
    def voltage(self, row: PowerLog) -> SafeString | None:
        return number(row.voltage_v or None)  # 0: never reported

    @admin.display(description=_("current (A)"))
    def current(self, row: PowerLog) -> SafeString | None:
        return number(row.current_a or None, 3)

    @admin.display(description=_("counter (Wh)"))
    def counter(self, row: PowerLog) -> SafeString | None:
        return number(row.energy_total_wh or None)

    @admin.display(description=_("source"))
    def how_obtained(self, row: PowerLog) -> str:
        return row.get_source_display()


@admin.register(Run)
class RunAdmin(LogAdmin):
    search = RunSearch
    empty_text = _(
        "No channel has run yet. A run is a stretch in which a channel stays above its threshold; "
        "it appears here when it starts."
    )
    list_display = (
        "started",
        "device",
        "channel_name",
        "ended",
        "duration",
        "energy",
        "mean",
        "peak",
        "how_it_ended",
    )

    def get_exclude(self, request: HttpRequest, obj: Run | None = None) -> tuple[str, ...]:
        return ("midnights", "starts") if obj is None or obj.starts == 1 else ("midnights",)

    def note(self, rows: Sequence[Run]) -> str:
        return formatting.why_merged() if any(run.starts > 1 for run in rows) else ""

    @admin.display(description=_("started"))
    def started(self, run: Run) -> str:
        return _local(run.started_at)

    @admin.display(description=_("ended"))
    def ended(self, run: Run) -> str:
        if run.ended_at is None:
            if run.heard_at is None:
                return _("still running")
            return _("last heard %(time)s") % {"time": _local(run.heard_at)}
        same_day = _local(run.started_at, "%x") == _local(run.ended_at, "%x")
        return _local(run.ended_at, "%H:%M:%S") if same_day else _local(run.ended_at)

    @admin.display(description=_("duration"))
    def duration(self, run: Run) -> SafeString:
        """Return the run's duration, linked to its minutes."""
        until = run.ended_at or run.heard_at or timezone.now()
        span = LogSearch.between(timezone.localtime(run.started_at), timezone.localtime(until))
        address = list_of(PowerLog, device=run.device_id, channel=run.channel, **span)
        length = _duration(until - run.started_at)
        link = format_html('<a href="{}">{}</a>', address, length)
        if not run.ended_at:
            link = format_html("{} {}", link, _("so far"))
        merged = formatting.merged(run.starts)
        return format_html("{}, {}", link, merged) if merged else link

    @admin.display(description=_("energy (Wh)"))
    def energy(self, run: Run) -> SafeString | None:
        # The energy of an open run is complete when it ends.
        return number(run.energy_wh if run.ended_at else None)

    @admin.display(description=_("mean (W)"))
    def mean(self, run: Run) -> SafeString | None:
        return number(run.mean_w if run.ended_at else None)

    @admin.display(description=_("peak (W)"))
    def peak(self, run: Run) -> SafeString | None:
        return number(run.peak_w)

    @admin.display(description=_("how it ended"))
    def how_it_ended(self, run: Run) -> str:
        return run.get_end_display() if run.ended_at else _("still running")


@admin.register(DayTotal)
class DayTotalAdmin(LogAdmin):
    search = DaySearch
    empty_text = _("No day has a total yet. The first minute that is logged makes one.")
    list_display = (
        "local_day",
        "device",
        "channel_name",
        "minutes",
        "filled",
        "run_count",
        "run_time",
        "energy",
        "mean",
        "peak",
    )

    @admin.display(description=_("day"))
    def local_day(self, total: DayTotal) -> str:
        return f"{total.day:%Y-%m-%d}"

    @admin.display(description=_("active (min)"))
    def minutes(self, total: DayTotal) -> SafeString:
        return self._linked(PowerLog, LogSearch, total, total.active_minutes)

    @admin.display(description=_("filled"))
    def filled(self, total: DayTotal) -> int:
        return total.filled_minutes

    @admin.display(description=_("runs"))
    def run_count(self, total: DayTotal) -> SafeString:
        return self._linked(Run, RunSearch, total, total.runs)

    @admin.display(description=_("run time"))
    def run_time(self, total: DayTotal) -> str:
        return _duration(timedelta(seconds=total.run_s))

    @admin.display(description=_("energy (Wh)"))
    def energy(self, total: DayTotal) -> SafeString | None:
        return number(total.energy_wh)

    @admin.display(description=_("mean (W)"))
    def mean(self, total: DayTotal) -> SafeString | None:
        return number(total.mean_w)

    @admin.display(description=_("peak (W)"))
    def peak(self, total: DayTotal) -> SafeString | None:
        return number(total.peak_w)

    def _linked(
        self,
        model: type[PowerLog | Run],
        search: type[LogSearch | RunSearch],
        total: DayTotal,
        n: int,
    ) -> SafeString | str:
        span = search.between(total.day, total.day)
        address = list_of(model, device=total.device_id, channel=total.channel, **span)
        return format_html('<a href="{}">{}</a>', address, n) if n else "0"
