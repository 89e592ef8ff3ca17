"""The collector's addresses: pages for people, and the socket for devices."""

from django.urls import path, re_path

from powerlog import views
from powerlog.consumers import ShellyConsumer, refuse

urlpatterns = [
    path("", views.status, name="status"),
    path("dashboard/", views.dashboard, name="dashboard"),
]
websocket_urlpatterns = [
    re_path(r"^ws/?$", ShellyConsumer.as_asgi()),
    re_path(r"", refuse),
]
