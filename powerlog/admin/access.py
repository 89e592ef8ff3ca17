"""The admin pages on which staff decide who may send: pending and blocked devices, and tokens.

Each decision is one click and an entry in the history of the device. It holds in every process
within half a minute. A token is shown once, in the answer to the click that made it, and not kept.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from powerlog.admin.lookups import ListFiltersOnly
from powerlog.devices.access import digest, new_token
from powerlog.models import Access, Device

States = Device.Admission


class TokenFilter(admin.SimpleListFilter):
    title, parameter_name = _("token of its own"), "token"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("yes")), ("no", _("no"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "yes":
            return queryset.exclude(token_hash="")
        return queryset.filter(token_hash="") if self.value() == "no" else queryset


@admin.register(Access)
class AccessAdmin(ListFiltersOnly):
    list_display = (
        "device_id",
        "called",
        "admission",
        "token",
        "model",
        "address",
        "says",
        "last_seen_at",
        "decide",
    )
    list_display_links = None
    list_filter = ("admission", TokenFilter)
    search_fields = ("device_id", "name", "reported_name", "address", "model")
    search_help_text = _("Part of an id, a name, an address or a model")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ("accept", "block", "forget", "make_token", "withdraw_token")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Access | None = None) -> bool:
        return False

    @admin.display(description=_("name"))
    def called(self, device: Access) -> str:
        name = str(device)
        return "" if name == device.device_id else name

    @admin.display(description=_("token"), boolean=True)
    def token(self, device: Access) -> bool:
        return bool(device.token_hash)

    @admin.display(description=_("decide"))
    def decide(self, device: Access) -> SafeString:
        """Return a button for each decision: the list is already a form."""
        fitting = [
            ("accept", _("Accept"), device.admission != States.ACCEPTED),
            ("block", _("Block"), device.admission != States.BLOCKED),
            ("forget", _("Forget"), device.admission != States.ACCEPTED),
            ("make_token", _("New token") if device.token_hash else _("Make token"), True),
            ("withdraw_token", _("Withdraw token"), bool(device.token_hash)),
        ]
        return format_html_join(
            " ",
            '<button type="submit" class="button" name="{}" value="{}">{}</button>',
            ((name, device.pk, label) for name, label, fits in fitting if fits),
        )

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        shown = self.list_display
        return shown if self.has_change_permission(request) else shown[:-1]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        asked = next((name for name in self.actions if name in request.POST), None)
        if request.method != "POST" or asked is None:
            return super().changelist_view(request, extra_context)
        if not self.has_change_permission(request):
            raise PermissionDenied
        key = request.POST[asked]
        chosen = self.get_queryset(request).filter(pk=key if key.isdecimal() else None)
        decision: Callable[..., HttpResponse | None] = getattr(self, asked)
        return decision(request, chosen) or HttpResponseRedirect(request.get_full_path())

    @admin.action(description=_("Accept: it may speak"), permissions=["change"])
    def accept(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._decide(request, queryset, States.ACCEPTED, "Accepted.")

    @admin.action(description=_("Block: it is cut off"), permissions=["change"])
    def block(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._decide(request, queryset, States.BLOCKED, "Blocked.")

    @admin.action(description=_("Forget those that wait or are blocked"), permissions=["change"])
    def forget(self, request: HttpRequest, queryset: QuerySet) -> None:
        with transaction.atomic():
            devices = self._locked(queryset.exclude(admission=States.ACCEPTED))
            self._remember(request, devices, "Forgotten.", DELETION)
            Device.objects.filter(pk__in=[each.pk for each in devices]).delete()
        self._say(request, devices, _("forgotten; one that is still there waits again"))

    @admin.action(description=_("Make a token for it alone"), permissions=["change"])
    def make_token(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        made = []
        with transaction.atomic():
            devices = self._locked(queryset)
            for device in devices:
                token = new_token()
                device.token_hash = digest(token)
                made.append((device, token))
            Device.objects.bulk_update(devices, ["token_hash"])
            self._remember(request, devices, "Given a new token.")
        scheme = "wss" if request.is_secure() else "ws"
        context = self.admin_site.each_context(request) | {
            "title": _("Tokens, shown this once"),
            "opts": self.opts,
            "made": made,
            "address": f"{scheme}://{request.get_host()}/ws/",
        }
        return render(
            request, "admin/powerlog/tokens.html", context
        )  # never cached, as all of the admin

    @admin.action(description=_("Withdraw its token"), permissions=["change"])
    def withdraw_token(self, request: HttpRequest, queryset: QuerySet) -> None:
        with transaction.atomic():
            devices = self._locked(queryset.exclude(token_hash=""))
            Device.objects.filter(pk__in=[each.pk for each in devices]).update(token_hash="")
            self._remember(request, devices, "Its token was withdrawn.")
        self._say(request, devices, _("without a token of its own"))

    def _decide(self, request: HttpRequest, queryset: QuerySet, state: str, word: str) -> None:
        with transaction.atomic():
            devices = self._locked(queryset.exclude(admission=state))
            chosen = Device.objects.filter(pk__in=[each.pk for each in devices])
            chosen.update(admission=state, says="")
            self._remember(request, devices, word)
        self._say(request, devices, States(state).label)

    def _locked(self, queryset: QuerySet) -> list[Device]:
        keys = list(queryset.values_list("pk", flat=True))
        return list(Device.objects.select_for_update().filter(pk__in=keys).order_by("pk"))

    def _remember(
        self, request: HttpRequest, devices: list[Device], word: str, flag: int = CHANGE
    ) -> None:
        LogEntry.objects.log_actions(request.user.pk, devices, flag, word)

    def _say(self, request: HttpRequest, devices: list[Device], what: str) -> None:
        sentence = ngettext(
            "%(count)s device is %(what)s. It takes effect within half a minute.",
            "%(count)s devices are %(what)s. It takes effect within half a minute.",
            len(devices),
        )
        level = messages.SUCCESS if devices else messages.INFO
        self.message_user(request, sentence % {"count": len(devices), "what": what}, level)
