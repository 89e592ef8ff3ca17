"""What Daphne runs: Django for HTTP, the collector's consumer at /ws."""

import os
import sys

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "collector_site.settings")
try:
    http = get_asgi_application()
except ImproperlyConfigured as exc:
    sys.exit(f"error: {exc}")

from powerlog.urls import websocket_urlpatterns

# No origin validator and no sessions around the socket: a Shelly sends no Origin, or a foreign
# one, and has no cookies.
application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(websocket_urlpatterns)})
