"""The rows in Django's admin: to browse, filter and search, never to change."""

import json
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from rangefilter.filters import DateTimeRangeFilterBuilder

from powerlog.models import PowerLog
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
            plan = json.loads(self.object_list.order_by().explain(format="json"))
            estimate = plan[0]["Plan"]["Plan Rows"]
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

    def queryset(self, request: HttpRequest, queryset: QuerySet[PowerLog]) -> QuerySet[PowerLog]:
        chosen = self.value()
        return queryset.filter(**{self.parameter_name: chosen}) if chosen else queryset


class DeviceFilter(RecentFilter):
    title, parameter_name, position = "device", "device_id", 0


class ChannelFilter(RecentFilter):
    title, parameter_name, position = "channel", "channel", 1


@admin.register(PowerLog)
class PowerLogAdmin(admin.ModelAdmin):
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
    search_fields = ("device_id",)
    search_help_text = "Part of a device id, such as the last digits of its MAC address"
    ordering = ("-timestamp",)
    paginator = EstimatingPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each of them counts the whole table
    list_per_page = 100

    @admin.display(description="minute", ordering="timestamp")
    def minute(self, row: PowerLog) -> str:
        return f"{timezone.localtime(row.timestamp):%Y-%m-%d %H:%M}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: PowerLog | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PowerLog | None = None) -> bool:
        return False
