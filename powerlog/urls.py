"""The collector's addresses: pages for people, and the socket for devices."""

from django.templatetags.static import static
from django.urls import path, re_path
from django.views.generic import RedirectView

from powerlog import views
from powerlog.consumers import ShellyConsumer, refuse

urlpatterns = [
    path("", views.status, name="status"),
    path("favicon.ico", RedirectView.as_view(url=static("powerlog/icon.svg"))),
    path("dashboard/", views.dashboard, name="dashboard"),
]
websocket_urlpatterns = [
    re_path(r"^ws/?$", ShellyConsumer.as_asgi()),
    re_path(r"", refuse),
]
