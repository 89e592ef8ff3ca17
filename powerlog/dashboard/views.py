"""The dashboard's pages for staff: the overview, a day of a channel or device, its weeks.

Each page works without its script, which only asks `live` whether to fetch the page again, and
`minutes` for the numbers of the crosshair.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.text import get_valid_filename
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_safe

from powerlog.dashboard import cards, formatting, live, minutes_table, params, runs_table, weeks
from powerlog.dashboard.channel_status import state
from powerlog.dashboard.chart import plot
from powerlog.dashboard.overview import overview
from powerlog.localtime import DAY
from powerlog.models import Device
from powerlog.reports import channels as meters
from powerlog.reports.channels import Meter
from powerlog.reports.day import MeterDay, meter_days
from powerlog.reports.queries import Latest, last_day, latest

View = Callable[[HttpRequest], HttpResponse]
MOST_CURVES = 4
MOST_RUNS = 300  # in the table of a page; the file has all


def for_staff(view: View) -> View:
    """Allow a view for reading only and for staff only, and forbid caches to keep it."""
    return require_safe(staff_member_required(cache_control(private=True, no_cache=True)(view)))


@for_staff
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show what is asked for, else all channels, or the only one there is."""
    if "meter" in request.GET or "run" in request.GET:
        return _day(request, params.choice(request.GET))
    if "device" in request.GET:
        return _device(request, params.device(request.GET))
    everybody = meters.everybody()
    if not everybody:
        return _welcome(request)
    if len(everybody) == 1:
        day, form = params.asked_day(request.GET)
        return _day(request, params.Choice(everybody[0], form, day))
    return _overview(request, everybody)


@for_staff
def week(request: HttpRequest) -> HttpResponse:
    """Show thirty days and twelve months of a channel, up to the given day or today."""
    choice, now = params.choice(request.GET), timezone.now()
    meter, today = choice.meter, timezone.localdate(now)
    until = min(choice.day or today, today)
    show = "energy" if request.GET.get("show") == "energy" else "time"
    first = min(weeks.month_before(until, weeks.MONTHS - 1), until - (weeks.DAYS - 1) * DAY)
    end_of_month = weeks.month_before(until, -1) - DAY
    [newest] = latest([meter])
    totals = weeks.totals_of_days(meter, first, end_of_month, now, newest)
    days = [total for total in totals if until - weeks.DAYS * DAY < total.first <= until]
    months = weeks.months(
        [each for each in totals if each.first >= weeks.month_before(until, weeks.MONTHS - 1)]
    )
    context = _of_meter(meter, newest, now) | {
        "form": choice.form,
        "siblings": choice.siblings,
        "day_url": f"{reverse('dashboard')}?{meter.query}",
        "month_url": f"?{urlencode({'meter': meter.address, 'show': show})}",
        "show": show,
        "until": until,
        "today": today,
        "earlier": until - weeks.DAYS * DAY,
        "later": min(until + weeks.DAYS * DAY, today),
        "days": weeks.bars(days, show, weeks.DAYS, by_month=False),
        "months": weeks.bars(months, show, weeks.MONTHS, by_month=True),
    }
    return render(request, "powerlog/weeks.html", context, status=_status(choice.form))


@for_staff
def runs_csv(request: HttpRequest) -> HttpResponse:
    """Return the runs of the day as a CSV file."""
    choice, now = params.choice(request.GET), timezone.now()
    day = choice.day or timezone.localdate(now)
    name = get_valid_filename(f"runs-{choice.meter.address}-{day}.csv".replace("/", "-"))
    [found] = meter_days([choice.meter], day, now, latest([choice.meter]))
    text = runs_table.as_csv(found)
    disposition = f'attachment; filename="{name.encode("ascii", "ignore").decode()}"'
    headers = {"Content-Disposition": disposition}
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)


@for_staff
def minutes_json(request: HttpRequest) -> HttpResponse:
    """Return the crosshair's data for a day of a channel or a device."""
    now = timezone.now()
    day = params.asked_day(request.GET)[0]
    asked = _asked_meters(request)
    day = day or timezone.localdate(now)
    return JsonResponse(minutes_table.numbers(meter_days(asked, day, now, latest(asked))))


@for_staff
@conditional_page
def live_json(request: HttpRequest) -> HttpResponse:
    """Return what has changed, or 304 if nothing has."""
    now = timezone.now()
    if "meter" in request.GET or "device" in request.GET:
        asked = _asked_meters(request)
        return JsonResponse(live.of_meters(asked, latest(asked), now))
    return JsonResponse(live.of_all(now))


def _asked_meters(request: HttpRequest) -> Sequence[Meter]:
    if "device" in request.GET:
        return _curves(params.device(request.GET))
    return [params.choice(request.GET).meter]


def _curves(channels: Sequence[Meter]) -> Sequence[Meter]:
    """Return the channels that a device's page draws: those with a meter, or all if none has."""
    metered = [each for each in channels if each.reports_power]
    return (metered or channels)[:MOST_CURVES]


def _welcome(request: HttpRequest) -> HttpResponse:
    scheme = "wss" if request.is_secure() else "ws"
    token = "/ and then WS_TOKEN" if settings.WS_TOKEN else ""
    context = {
        "address": f"{scheme}://{request.get_host()}/ws{token}",
        "devices": Device.objects.count(),
        "now": timezone.now(),
        "version": live.of_all(timezone.now())["version"],
    }
    return render(request, "powerlog/welcome.html", context)


def _overview(request: HttpRequest, everybody: Sequence[Meter]) -> HttpResponse:
    now = timezone.now()
    query, page = request.GET.get("q", "").strip()[:100], request.GET.get("page", "1")
    version = live.of_all(now)["version"]  # before the lines: what arrives meanwhile is new
    found = overview(everybody, now, query, page)
    context = {"overview": found, "version": version, "now": now}
    return render(request, "powerlog/overview.html", context)


def _day(request: HttpRequest, choice: params.Choice) -> HttpResponse:
    now, meter, sort = timezone.now(), choice.meter, request.GET.get("sort", "start")
    today = timezone.localdate(now)
    newest = latest([meter])
    context = _of_meter(meter, newest[0], now)
    [day], last = _days([meter], choice.day, choice.form, now, newest, compare=True)
    window = params.window(request.GET, day.span, choice.run)
    main_cards, more_cards = cards.cards(day)
    lines = runs_table.lines(day, sort)
    first, picture = round(day.span.minute(window.start)), plot(day, window)
    asked = {"meter": meter.address} | ({} if sort == "start" else {"sort": sort})
    context |= _around(day.day, choice.form, today, asked) | {
        "last_day": last,
        "is_fallback": day.day != (choice.day or today),
        "siblings": choice.siblings,
        "day": day,
        "plots": [picture],
        "kinds": picture.kinds,
        "picture_label": _picture_label(day),
        "window": window,
        "first_minute": first,
        "last_minute": first + window.minutes,
        "is_zoomed": window != day.span,
        "chosen": str(choice.run.pk) if choice.run else "",
        "main_cards": main_cards,
        "more_cards": more_cards,
        "comparison": cards.comparison(day),
        "lines": lines[:MOST_RUNS],
        "why_merged": any(line.merged for line in lines[:MOST_RUNS]) and formatting.why_merged(),
        "hidden": max(0, len(lines) - MOST_RUNS),
        "columns": runs_table.columns(sort, _unsorted(request, meter, day.day)),
        "minutes": minutes_table.table(day, window),
    }
    return render(request, "powerlog/day.html", context, status=_status(choice.form))


def _device(request: HttpRequest, channels: Sequence[Meter]) -> HttpResponse:
    now = timezone.now()
    today = timezone.localdate(now)
    asked, form = params.asked_day(request.GET)
    shown = _curves(channels)
    newest = latest(shown)
    version = live.of_meters(shown, newest, now)["version"]
    days, last = _days(shown, asked, form, now, newest)
    drawn = [_drawn(day, found, now) for day, found in zip(days, newest, strict=True)]
    device = {"device": channels[0].device_id}
    context = _around(days[0].day, form, today, device) | {
        "last_day": last,
        "is_fallback": days[0].day != (asked or today),
        "is_empty": all(day.is_empty for day in days),
        "is_unmetered": all(each["state"].kind == "unmetered" for each in drawn),
        "now": now,
        "version": version,
        "device": channels[0],
        "channels": drawn,
        "kinds": set().union(*(each["plot"].kinds for each in drawn)),
        "others": [each for each in channels if each not in shown],
        "span": drawn[0]["day"].span,
    }
    return render(request, "powerlog/device.html", context, status=_status(form))


def _days(
    asked_of: Sequence[Meter],
    asked: date | None,
    form: params.DayForm,
    now: datetime,
    newest: Sequence[Latest],
    *,
    compare: bool = False,
) -> tuple[list[MeterDay], date | None]:
    """Return the day asked for, or today. If nothing ran on it, return the last day with data as
    well; it takes the place of today."""
    today = timezone.localdate(now)
    days = meter_days(asked_of, asked or today, now, newest, compare=compare)
    if not all(day.is_empty for day in days):
        return days, None
    last = max((day for meter in asked_of if (day := last_day(meter))), default=None)
    if last and last != today and asked is None and form.is_valid():
        days = meter_days(asked_of, last, now, newest, compare=compare)
    return days, last


def _drawn(day: MeterDay, newest: Latest, now: datetime) -> dict[str, Any]:
    """Return the context of one channel on the page of a device."""
    how = state(day.meter, newest.run, now)
    cells = cards.summary(day)
    return {
        "day": day,
        "state": how,
        "plot": plot(day, day.span),
        "label": _picture_label(day),
        "cells": [formatting.DASH] * len(cells) if how.kind == "unmetered" else cells,
        "minutes": minutes_table.table(day, day.span),
    }


def _picture_label(day: MeterDay) -> str:
    return _("Power of %(name)s by the minute: it ran for %(time)s.") % {
        "name": day.meter.name,
        "time": formatting.duration(day.figures.run_s),
    }


def _of_meter(meter: Meter, newest: Latest, now: datetime) -> dict[str, Any]:
    """Return the context that the pages of a channel share."""
    version = live.of_meters([meter], [newest], now)["version"]
    how = state(meter, newest.run, now)
    return {"meter": meter, "state": how, "version": version, "now": now}


def _unsorted(request: HttpRequest, meter: Meter, day: date) -> str:
    """Return the address of this page without a sort order."""
    query = request.GET.copy()
    query["meter"], query["day"] = meter.address, day.isoformat()
    query.pop("sort", None)
    return f"?{query.urlencode()}"


def _around(day: date, form: params.DayForm, today: date, asked: dict[str, str]) -> dict[str, Any]:
    """Return the links around a day. asked: the parameters of the page, without the day."""
    shown = params.DayForm({"day": day}, label_suffix="")
    return {
        "date": day,
        "address": f"?{urlencode(asked)}",
        "iso_day": day.isoformat(),
        "form": shown if form.is_valid() else form,
        "zone": timezone.get_current_timezone_name(),
        "locale": get_language(),
        "previous": day - DAY if day > params.FIRST_DAY else None,
        "next": day + DAY if day < today else None,
        "today": today,
        "is_today": day == today,
    }


def _status(form: params.DayForm) -> int:
    return 200 if form.is_valid() else 400
