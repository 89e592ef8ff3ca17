"""The collector's addresses: pages for people, and the socket for devices."""

from django.templatetags.static import static
from django.urls import path, re_path
from django.views.generic import RedirectView

from powerlog.consumers import ShellyConsumer
from powerlog.dashboard import views as pages
from powerlog.monitoring import views
from powerlog.server.handshake_check import Doors, elsewhere

urlpatterns = [
    path("", views.status, name="status"),
    path("status/", views.details, name="details"),
    path("metrics", views.metrics, name="metrics"),
    path("favicon.ico", RedirectView.as_view(url=static("powerlog/icon.svg"))),
    path("dashboard/", pages.dashboard, name="dashboard"),
    path("dashboard/weeks/", pages.week, name="weeks"),
    path("dashboard/runs.csv", pages.runs_csv, name="runs_csv"),
    path("dashboard/minutes/", pages.minutes_json, name="minutes"),
    path("dashboard/live/", pages.live_json, name="live"),
]
websocket_urlpatterns = [
    re_path(r"^ws(?:/(?P<token>[^/]+))?/?$", Doors(ShellyConsumer.as_asgi())),
    re_path(r"", elsewhere),
]
