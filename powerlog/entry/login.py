"""The login of the admin works only under a name of the collector's own."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import sync_only_middleware

from powerlog.entry.own_names import asked_by_own_name, host, name_and_port


@sync_only_middleware
def guarded(get_response: Any) -> Any:
    """Middleware, before all that asks the database."""
    login = reverse("admin:login")

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == login and not asked_by_own_name(request):
            return strange_name(request)
        return get_response(request)

    return middleware


def strange_name(request: HttpRequest) -> HttpResponse:
    """Instead of the form. A page of the internet could use it up for its reader's address."""
    site = name_and_port(f"http://{host(request)}")
    known = {"name": site[0] if site else "", "any_name": "*" in settings.ALLOWED_HOSTS}
    response = render(request, "strange_name.html", known, status=400)
    add_never_cache_headers(response)
    return response
