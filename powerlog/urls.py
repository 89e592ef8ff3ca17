"""The collector's addresses: pages for people, and the socket for devices."""

import logging
from typing import Any

from django.templatetags.static import static
from django.urls import path, re_path
from django.views.generic import RedirectView

from powerlog import pages, views
from powerlog.consumers import ShellyConsumer

logger = logging.getLogger(__name__)


async def refuse(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A WebSocket to any other address: HTTP 403 before it opens."""
    logger.info("a WebSocket to %.75r is refused: devices dial /ws", scope["path"][:75])
    await send({"type": "websocket.close"})


urlpatterns = [
    path("", views.status, name="status"),
    path("favicon.ico", RedirectView.as_view(url=static("powerlog/icon.svg"))),
    path("dashboard/", pages.dashboard, name="dashboard"),
    path("dashboard/weeks/", pages.week, name="weeks"),
    path("dashboard/runs.csv", pages.runs_csv, name="runs_csv"),
    path("dashboard/minutes/", pages.minutes_json, name="minutes"),
    path("dashboard/live/", pages.live_json, name="live"),
]
websocket_urlpatterns = [
    re_path(r"^ws/?$", ShellyConsumer.as_asgi()),
    re_path(r"", refuse),
]
