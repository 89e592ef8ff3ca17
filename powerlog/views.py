"""The operator's health line at `/`; the pages for staff are in pages.py."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import async_only_middleware
from django.views.decorators.http import require_safe

from powerlog import health
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
