"""The rows in Django's admin: to browse, filter and search, never to change."""

import json
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.paginator import Paginator
from django.db import DataError, connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from rangefilter.filters import DateTimeRangeFilterBuilder

from powerlog.models import PowerLog, Run
from powerlog.stats import recent_meters

COUNTED_UP_TO = 10_000


class EstimatingPaginator(Paginator):
    """Takes the planner's estimate of how many rows there are, and counts only where it is small.

    An exact count of ten million rows takes a third of a second on every page, the estimate a
    millisecond. SQLite has none; there the rows are counted.
    """

    @cached_property
    def count(self) -> int:
        if connection.vendor == "postgresql":
            plan = self.object_list.order_by().explain(format="json")
            estimate = json.loads(plan)[0]["Plan"]["Plan Rows"] if plan else 0
            # A stale estimate must not promise rows that are gone: are there that many?
            if estimate > COUNTED_UP_TO and self.object_list[COUNTED_UP_TO:].exists():
                return estimate
        return super().count


class RecentFilter(admin.SimpleListFilter):
    """The values that had rows in the last month; the search box finds those of older rows."""

    position: int

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        values = {meter[self.position] for meter in recent_meters()}
        if chosen := self.value():
            values.add(chosen)
        return [(value, value) for value in sorted(values)]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = self.value()
        if chosen and not chosen.isprintable():  # PostgreSQL has no NUL
            return queryset.none()
        return queryset.filter(**{self.parameter_name: chosen}) if chosen else queryset


class DeviceFilter(RecentFilter):
    title, parameter_name, position = "device", "device_id", 0


class ChannelFilter(RecentFilter):
    title, parameter_name, position = "channel", "channel", 1


class LogAdmin(admin.ModelAdmin):
    """What all logs have in common: to be looked at, and never counted in full."""

    search_fields = ("device_id",)
    search_help_text = "Part of a device id, such as the last digits of its MAC address"
    paginator = EstimatingPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each of them counts the whole table
    list_per_page = 100

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)
        except (DataError, OverflowError):
            # A query string that no form of the page makes: what Django does with unknown lookups.
            if ERROR_FLAG in request.GET:
                raise
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(PowerLog)
class PowerLogAdmin(LogAdmin):
    list_display = (
        "minute",
        "device_id",
        "channel",
        "apower_w",
        "voltage_v",
        "current_a",
        "energy_total_wh",
        "source",
    )
    list_filter = (
        ("timestamp", DateTimeRangeFilterBuilder(title="minute")),
        DeviceFilter,
        ChannelFilter,
        "source",
    )
    ordering = ("-timestamp",)

    @admin.display(description="minute", ordering="timestamp")
    def minute(self, row: PowerLog) -> str:
        return f"{timezone.localtime(row.timestamp):%Y-%m-%d %H:%M}"


@admin.register(Run)
class RunAdmin(LogAdmin):
    list_display = (
        "started",
        "ended",
        "duration",
        "device_id",
        "channel",
        "energy",
        "mean",
        "peak",
        "end",
    )
    list_filter = (
        ("started_at", DateTimeRangeFilterBuilder(title="start")),
        DeviceFilter,
        ChannelFilter,
        "end",
    )
    ordering = ("-started_at",)

    @admin.display(description="started", ordering="started_at")
    def started(self, run: Run) -> str:
        return f"{timezone.localtime(run.started_at):%Y-%m-%d %H:%M:%S}"

    @admin.display(description="ended", ordering="ended_at", empty_value="still running")
    def ended(self, run: Run) -> str | None:
        if run.ended_at is None:
            return None
        started, ended = map(timezone.localtime, (run.started_at, run.ended_at))
        same_day = started.date() == ended.date()
        return f"{ended:%H:%M:%S}" if same_day else f"{ended:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="duration")
    def duration(self, run: Run) -> str | None:
        return run.ended_at and str(run.ended_at - run.started_at).partition(".")[0]

    @admin.display(description="energy (Wh)", ordering="energy_wh")
    def energy(self, run: Run) -> str | None:
        # What an open run has used is told when it ends.
        return run.ended_at and f"{run.energy_wh:.1f}"

    @admin.display(description="mean (W)", ordering="mean_w")
    def mean(self, run: Run) -> str | None:
        return run.ended_at and f"{run.mean_w:.1f}"

    @admin.display(description="peak (W)", ordering="peak_w")
    def peak(self, run: Run) -> str:
        return f"{run.peak_w:.1f}"
