"""The operator's health line at `/`; the pages for staff are in dashboard/views.py."""

from hmac import compare_digest
from typing import Any

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import async_only_middleware
from django.views.decorators.http import require_safe

from powerlog.client_address import is_local, of_request
from powerlog.monitoring import health
from powerlog.monitoring import metrics as figures
from powerlog.monitoring.other_processes import neighbours
from powerlog.own_hosts import asked_by_own_name


@require_safe
async def status(request: HttpRequest) -> HttpResponse:
    """The collector's health as plain text, of all processes on this port; 200 while one lives.

    From memory alone, and async, so that it never waits for the database or for a page that does.
    Strangers learn no more than whether all is well, and so do pages of other sites.
    """
    everybody = neighbours.everybody()
    if may_see_details(request):
        lines = health.lines(everybody, neighbours.expected)
    else:
        all_well = health.well(everybody, neighbours.expected)
        lines = {"collector": "running", "health": "ok" if all_well else "not well"}
    return plain_text(lines)


@require_safe
@staff_member_required
def details(request: HttpRequest) -> HttpResponse:
    """Return the full lines of `/` for staff, from any address."""
    return plain_text(health.lines(neighbours.everybody(), neighbours.expected))


@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    """Return the same figures for Prometheus, also from memory alone."""
    if not may_scrape(request):
        text = "METRICS_TOKEN says who may ask for this, ALLOWED_HOSTS under which name.\n"
        return HttpResponse(text, "text/plain", 403)
    text = figures.text(neighbours.everybody(), neighbours.expected)
    return HttpResponse(text, content_type=figures.CONTENT_TYPE)


def plain_text(lines: dict[str, object]) -> HttpResponse:
    text = "".join(f"{name}: {value}\n" for name, value in lines.items())
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


def may_see_details(request: HttpRequest) -> bool:
    who = settings.STATUS_DETAILS
    return who == "all" or (who == "local" and is_at_home(request))


def may_scrape(request: HttpRequest) -> bool:
    """Return whether a request may read /metrics: with the token if one is set, else if it is
    local and uses a name of ours."""
    if not settings.METRICS_TOKEN:
        return is_at_home(request)
    presented = request.headers.get("Authorization", "")
    expected = f"Bearer {settings.METRICS_TOKEN}"
    return compare_digest(presented.encode(), expected.encode())


def is_at_home(request: HttpRequest) -> bool:
    """Return whether the request is local, and not from an internet page in a local browser."""
    return is_local(*of_request(request)) and asked_by_own_name(request)


@async_only_middleware
def status_first(get_response: Any) -> Any:
    """Middleware: `/` and /metrics answer whatever the Host header is. Health checks have odd ones,
    and ask without TLS."""
    first = {reverse("status"): status, reverse("metrics"): metrics}

    async def middleware(request: HttpRequest) -> HttpResponse:
        return await first.get(request.path, get_response)(request)

    return middleware
