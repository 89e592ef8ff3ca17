"""Devices and channels as staff know them: they come by themselves, staff name and configure them.

Nothing is added or deleted by hand, and what the Shelly reports of itself cannot be changed.
"""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from powerlog.admin.joining import JoinsDevices
from powerlog.admin.lists import list_of, local
from powerlog.admin.lookups import ListFiltersOnly
from powerlog.core.contact import CONTACT_S
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run

IN_CONTACT = timedelta(seconds=CONTACT_S)


def is_connected(device: Device) -> bool:
    return device.connected and timezone.now() - device.last_seen_at < IN_CONTACT


def _ago(moment: Any) -> SafeString:
    age = timezone.now() - moment
    past = {"time": timesince(moment, depth=1)}
    words = _("just now") if age < timedelta(minutes=1) else _("%(time)s ago") % past
    return format_html('<span title="{}">{}</span>', local(moment), words)


def _history(**query: str) -> SafeString:
    links = ((_("minutes"), PowerLog), (_("runs"), Run), (_("days"), DayTotal))
    return format_html_join(
        " · ", '<a href="{}">{}</a>', ((list_of(model, **query), label) for label, model in links)
    )


class KeptByItself(ListFiltersOnly):
    """Rows appear when devices do, and stay."""

    change_list_template = "admin/powerlog/kept_list.html"
    empty_text: str
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css: ClassVar = {"all": ("powerlog/admin.css",)}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ChannelForm(forms.ModelForm):
    class Meta:
        model = Channel
        fields = (
            "name",
            "logged",
            "power_threshold_w",
            "nominal_power_w",
            "flow_m3h",
            "price_kwh",
        )
        help_texts: ClassVar = {
            "nominal_power_w": _("What it draws by its plate, to compare with."),
            "flow_m3h": _("What a pump moves in an hour, to tell cubic metres from run time."),
            "price_kwh": _("What a kilowatt hour costs, to tell the cost of a run."),
        }


class ChannelInline(admin.TabularInline):
    model = Channel
    form = ChannelForm
    fields = ("key", *ChannelForm.Meta.fields, "history")
    readonly_fields = ("key", "history")
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description=_("channel"))
    def key(self, channel: Channel) -> str:
        reported = channel.reported_name
        return f"{channel.channel} ({reported})" if reported else channel.channel

    @admin.display(description="")
    def history(self, channel: Channel) -> SafeString:
        return _history(device=channel.device_id, channel=channel.channel)


class ConnectedFilter(admin.SimpleListFilter):
    title, parameter_name = _("connection"), "connected"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("connected")), ("no", _("not connected"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        here = Q(connected=True, last_seen_at__gt=timezone.now() - IN_CONTACT)
        chosen = {"yes": here, "no": ~here}.get(self.value() or "")
        return queryset.filter(chosen) if chosen else queryset


@admin.register(Device)
class DeviceAdmin(JoinsDevices, KeptByItself):
    empty_text = _("No Shelly has connected yet. Each appears here by itself when it does.")
    list_display = (
        "called",
        "is_connected",
        "last_seen",
        "device_id",
        "model",
        "firmware",
        "address",
        "first_seen",
    )
    list_filter = (ConnectedFilter,)
    search_fields = ("name", "reported_name", "device_id", "address", "model")
    search_help_text = _("Part of a name, an id, an address or a model")
    fields = (
        "name",
        "reported_name",
        "device_id",
        "model",
        "firmware",
        "address",
        "first_seen",
        "last_seen",
        "is_connected",
        "history",
    )
    readonly_fields = fields[1:]
    inlines = (ChannelInline,)

    @admin.display(description=_("name"), ordering="name")
    def called(self, device: Device) -> str:
        return str(device)

    @admin.display(description=_("first seen"), ordering="first_seen_at")
    def first_seen(self, device: Device) -> SafeString:
        return _ago(device.first_seen_at)

    @admin.display(description=_("last seen"), ordering="last_seen_at")
    def last_seen(self, device: Device) -> SafeString:
        return _ago(device.last_seen_at)

    @admin.display(description=_("connected"), boolean=True)
    def is_connected(self, device: Device) -> bool:
        return is_connected(device)

    @admin.display(description=_("what it did"))
    def history(self, device: Device) -> SafeString:
        return _history(device=device.device_id)


@admin.register(Channel)
class ChannelAdmin(KeptByItself):
    empty_text = _("No channel is known yet. Those of a Shelly appear here when it has connected.")
    form = ChannelForm
    list_display = (
        "called",
        "channel",
        "device",
        "history",
        "logged",
        "power_threshold_w",
        "nominal_power_w",
        "flow_m3h",
        "price_kwh",
    )
    list_filter = ("logged",)
    list_select_related = ("device",)
    search_fields = (
        "name",
        "reported_name",
        "=channel",
        "device__name",
        "device__reported_name",
        "=device__device_id",
    )
    search_help_text = _(
        "Part of the name of a channel or device, a component key, or a device's id"
    )
    readonly_fields = ("device", "channel", "reported_name", "history")
    fields = ("device", "channel", "reported_name", *ChannelForm.Meta.fields, "history")

    @admin.display(description=_("name"), ordering="name")
    def called(self, channel: Channel) -> str:
        return str(channel)

    @admin.display(description=_("what it did"))
    def history(self, channel: Channel) -> SafeString:
        return _history(device=channel.device_id, channel=channel.channel)
