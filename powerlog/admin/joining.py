"""The pages on which staff move the history of a device to another: choose, look, confirm.

Looking changes nothing. A join of a few seconds happens at once after the confirmation; for a
longer one the page shows the command.
"""

import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from powerlog.admin.join_notes import notes
from powerlog.admin.lists import local
from powerlog.dashboard import formatting
from powerlog.database.sql import STATEMENT_LIMIT_S, WRITER
from powerlog.joining.plan import Part, Plan, Refused, objection_to_old, plan
from powerlog.joining.steps import Moved, join
from powerlog.models import Channel, Device

AT_ONCE = 30_000  # minutes and runs: about four seconds
PAGE_S = 15.0  # half of what a page may take at most
MOST_OFFERED = 20
PERMISSIONS = ("powerlog.change_device", "powerlog.delete_device")
# One at a time in each process: it takes a connection besides those of the pages.
working = threading.Lock()


class JoinsDevices(admin.ModelAdmin):
    """The part of DeviceAdmin that joins devices."""

    change_form_template = "admin/powerlog/device.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.join_view)
        return [path("<int:pk>/join/", view, name="powerlog_device_join"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        allowed = {"may_join": request.user.has_perms(PERMISSIONS)}
        return super().change_view(request, object_id, form_url, allowed | (extra_context or {}))

    def join_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perms(PERMISSIONS):
            raise PermissionDenied
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "POST"])
        old = get_object_or_404(Device, pk=pk)
        confirmed = request.method == "POST"
        new_id = (request.POST if confirmed else request.GET).get("under", "")
        if not new_id:
            return self._choose(request, old, objection_to_old(old))
        try:
            planned = plan(old.device_id, new_id if new_id.isprintable() else "")
            if confirmed and not planned.objections and _is_small(planned):
                return self._join(request, planned)
        except Refused as exc:
            return self._choose(request, old, str(exc))
        return self._confirm(request, old, planned)

    def _choose(self, request: HttpRequest, old: Device, refusal: str) -> HttpResponse:
        asked = request.GET.get("q", "").strip()
        found = _offered(old)
        if not asked.isprintable():  # PostgreSQL has no NUL
            found = found.none()
        elif asked:
            found, _distinct = self.get_search_results(request, found, asked)
        offered = list(found[: MOST_OFFERED + 1])
        context = {
            "title": _("Which device continues the history of %(old)s?") % {"old": old},
            "refusal": refusal,
            "possible": not objection_to_old(old),
            "search_help": self.search_help_text,
            "asked": asked,
            "offered": [(each, local(each.last_seen_at)) for each in offered[:MOST_OFFERED]],
            "more": len(offered) > MOST_OFFERED,
        }
        return self._page(request, old, "admin/powerlog/join_choose.html", context)

    def _confirm(self, request: HttpRequest, old: Device, planned: Plan) -> HttpResponse:
        user = request.user.get_username()
        context = {
            "title": _("Continue the history of %(old)s under %(new)s")
            % {"old": old, "new": planned.new},
            "new": planned.new,
            "parts": [_shown(part) for part in planned.parts],
            "notes": list(notes(planned)),
            "objections": planned.objections,
            "command": "" if _is_small(planned) else command(planned, user),
        }
        return self._page(request, old, "admin/powerlog/join_confirm.html", context)

    def _page(
        self, request: HttpRequest, old: Device, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        every = self.admin_site.each_context(request) | {"opts": self.opts, "old": old}
        return render(request, template, every | context)

    def _join(self, request: HttpRequest, planned: Plan) -> HttpResponse:
        again = f"{request.path}?{urlencode({'under': planned.new_id})}"
        if not working.acquire(blocking=False):
            self.message_user(
                request, _("Two devices are being joined already. Try again."), messages.WARNING
            )
            return HttpResponseRedirect(again)
        try:
            moved = _joined(planned, request.user.pk)
        finally:
            working.release()
        about = {"old": planned.old_id} | _counted(moved)
        if not moved.over:
            sentence = _(
                "The database is slow, and this is not finished: %(minutes)s and %(runs)s have "
                "moved so far. Confirm it once more to go on."
            )
            self.message_user(request, sentence % about, messages.WARNING)
            return HttpResponseRedirect(again)
        sentence = _("The history of %(old)s continues here: %(minutes)s and %(runs)s have moved.")
        self.message_user(request, sentence % about, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:powerlog_device_change", args=[planned.new.pk]))


def command(planned: Plan, user: str) -> str:
    """Return the command, safe to paste into a shell: the ids come from strangers."""
    arguments = [f"--by={user}", "--", planned.old_id, planned.new_id]
    return shlex.join([".venv/bin/python", "manage.py", "join_devices", *arguments])


def _is_small(planned: Plan) -> bool:
    return planned.minutes + planned.runs <= AT_ONCE


def _joined(planned: Plan, user_id: int) -> Moved:
    """Join them, for PAGE_S at most."""
    moved, began = Moved(), time.monotonic()
    with _writer():
        for moved in join(planned, user_id):
            if moved.over or time.monotonic() - began > PAGE_S:
                break
    return moved


@contextmanager
def _writer() -> Iterator[None]:
    """Give this thread the writer's connection, with the limit that statements of pages have."""
    connection = connections[WRITER]
    options = connection.settings_dict["OPTIONS"].get("options", "")
    try:
        if connection.vendor == "postgresql" and "statement_timeout" not in options:
            with connection.cursor() as cursor:
                cursor.execute(f"SET statement_timeout = {STATEMENT_LIMIT_S * 1000}")
        yield
    finally:
        connection.close()


def _offered(old: Device) -> QuerySet[Device]:
    """Return accepted devices, the likeliest first: same id in other case, same model, newest."""
    others = Device.objects.filter(admission=Device.Admission.ACCEPTED).exclude(pk=old.pk)
    same_id = Q(device_id__iexact=old.device_id)
    ranked = others.annotate(same_id=same_id, same_model=Q(model=old.model) & ~Q(model=""))
    return ranked.order_by("-same_id", "-same_model", "-first_seen_at", "pk")


def _counted(moved: Moved) -> dict[str, str]:
    minutes = ngettext("%(count)s minute", "%(count)s minutes", moved.minutes)
    runs = ngettext("%(count)s run", "%(count)s runs", moved.runs)
    return {
        "minutes": minutes % {"count": formatting.number(moved.minutes)},
        "runs": runs % {"count": formatting.number(moved.runs)},
    }


def _shown(part: Part) -> dict[str, Any]:
    """Return a line of the table."""
    ends = {"first": part.first and local(part.first), "last": part.last and local(part.last)}
    several = _("%(first)s to %(last)s") if part.first != part.last else "%(first)s"
    return {
        "channel": part.channel,
        "counts": [formatting.number(each) for each in (part.minutes, part.runs, part.days)],
        "span": several % ends if part.first else "",
        "own": [_setting(name, value) for name, value in part.own.items()],
    }


def _setting(name: str, value: Any) -> str:
    """Return a setting of a channel in words, such as: threshold (W) 7.5."""
    shown = value if isinstance(value, str) else number_format(f"{float(value):.10g}")
    return f"{Channel._meta.get_field(name).verbose_name} {shown}"
