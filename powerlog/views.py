"""Pages: the operator's health line at `/`, and the pump's day for staff."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib.admin.views.decorators import staff_member_required
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import async_only_middleware
from django.views.decorators.http import require_safe

from powerlog import health, stats
from powerlog.chart import day_chart
from powerlog.models import PowerLog
from powerlog.neighbours import neighbours


@require_safe
async def status(request: HttpRequest) -> HttpResponse:
    """The collector's health as plain text, of all processes on this port; 200 while one lives.

    From memory alone, and async, so that it never waits for the database or for a page that does.
    """
    everybody = sorted([health.own(), *neighbours.others], key=lambda each: each.pid)
    lines = health.lines(everybody, neighbours.expected)
    text = "".join(f"{name}: {value}\n" for name, value in lines.items())
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@async_only_middleware
def status_first(get_response: Any) -> Any:
    """Middleware: `/` answers whatever the Host header is. Health checks have odd ones."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        asked = request.path == reverse("status")
        return await (status(request) if asked else get_response(request))

    return middleware


class DayForm(forms.Form):
    """Which day of which channel. `meter` is DEVICE/CHANNEL."""

    day = forms.DateField(
        required=False,
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
        # The first Gen2 devices are of 2020; and the calendar of Python ends in 9999.
        validators=[MinValueValidator(date(2020, 1, 1)), MaxValueValidator(date(2199, 12, 31))],
    )
    meter = forms.ChoiceField(
        label="Channel", error_messages={"invalid_choice": "There is no row of %(value)s."}
    )

    def __init__(self, data: dict[str, str], meters: list[tuple[str, str]]) -> None:
        super().__init__(data, label_suffix="")
        self.fields["meter"].choices = [
            (f"{device_id}/{channel}", f"{device_id} · {channel}") for device_id, channel in meters
        ]


@require_safe
@staff_member_required
def dashboard(request: HttpRequest) -> HttpResponse:
    """The pump's day: figures and picture of one channel; by default today and what ran last."""
    newest = stats.last_meter()
    if newest is None:
        scheme = "wss" if request.is_secure() else "ws"
        address = f"{scheme}://{request.get_host()}/ws"
        return render(request, "powerlog/welcome.html", {"address": address})
    meters = set(stats.recent_meters()) | {newest}
    asked = request.GET.get("meter") or "/".join(newest)
    device_id, _, channel = asked.rpartition("/")
    if asked.isprintable() and stats.last_day(device_id, channel):
        meters.add((device_id, channel))
    form = DayForm(
        {"day": request.GET.get("day") or timezone.localdate().isoformat(), "meter": asked},
        sorted(meters),
    )
    valid = form.is_valid()
    if "meter" not in form.cleaned_data:
        device_id, channel = newest
    day = form.cleaned_data.get("day") or timezone.localdate()
    return render(
        request,
        "powerlog/dashboard.html",
        _day_context(device_id, channel, day) | {"form": form},
        status=200 if valid else 400,
    )


def _day_context(device_id: str, channel: str, day: date) -> dict[str, object]:
    pump_day = stats.pump_day(device_id, channel, day)
    return {
        "device_id": device_id,
        "channel": channel,
        "meter": f"{device_id}/{channel}",
        "day": day,
        "today": timezone.localdate(),
        "previous": day - timedelta(days=1),
        "next": day + timedelta(days=1),
        "pump_day": pump_day,
        "chart": day_chart(pump_day),
        "carried": sum(row.source == PowerLog.Source.CARRIED for row in pump_day.rows),
        "last_day": None if pump_day.rows else stats.last_day(device_id, channel),
    }
