"""The ASGI application: Django for HTTP, the collector's consumer at /ws, and an orderly end."""

import gc
import logging
import os
import sys
import threading
from functools import partial

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.signals import connection_created

from collector_site.event_loop import reactor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "collector_site.settings")
try:
    http = get_asgi_application()
except ImproperlyConfigured as exc:
    sys.exit(f"error: {exc}")

from powerlog import own_hosts
from powerlog.devices.access import admission
from powerlog.devices.connections import traffic
from powerlog.devices.pending import waiting_room
from powerlog.devices.registry import registry
from powerlog.devices.requests import asker
from powerlog.log_budget import brake
from powerlog.monitoring.clocks import clock_watch
from powerlog.monitoring.maintenance import upkeep
from powerlog.monitoring.middleware import limit_statements
from powerlog.monitoring.other_processes import neighbours
from powerlog.server import shutdown
from powerlog.server.daphne_server import CollectorServer
from powerlog.server.watchdog import Guard
from powerlog.urls import websocket_urlpatterns
from powerlog.writer.row_writer import STOP_LIMIT_S, row_writer

# No origin validator and no sessions around the socket: a Shelly sends no Origin, or a foreign
# one, and has no cookies.
application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(websocket_urlpatterns)})


def save() -> None:
    """Write what was accepted."""
    brake.tell()
    upkeep.stop()
    row_writer.stop(STOP_LIMIT_S - shutdown.LIMIT_S)
    registry.stop()


def end() -> None:
    """Write what was accepted, and go.

    At exit Python waits for the threads of the pages, and a page for its database: without the
    timer SIGTERM would not end a process whose database hangs.
    """
    guard.begins()
    for connection in list(traffic.devices.values()):
        connection.gone()
    save()
    leave = threading.Timer(1.0, os._exit, [0])
    leave.daemon = True
    leave.start()


def warn_without_limits() -> None:
    """Report a server that runs this application without CollectorServer."""
    if not CollectorServer.is_made:
        logger.error("this server keeps no limits: start it by `python -m powerlog.server`")


def staff_have_decided() -> None:
    """Apply new access rules to pending devices and to open sockets."""
    admission.turn_out(waiting_room.call())


logger = logging.getLogger(__name__)
guard = Guard(save, reactor.callLater)
registry.doors_changed = partial(reactor.callFromThread, staff_have_decided)
clock_watch.everybody = neighbours.everybody
connection_created.connect(limit_statements)
reactor.addSystemEventTrigger("before", "startup", warn_without_limits)
reactor.addSystemEventTrigger("before", "startup", own_hosts.learn_full_name)
reactor.addSystemEventTrigger("before", "startup", row_writer.start)
reactor.addSystemEventTrigger("before", "startup", registry.start)
reactor.addSystemEventTrigger("before", "startup", upkeep.start)
reactor.addSystemEventTrigger("before", "startup", partial(asker.start, reactor.callLater))
reactor.addSystemEventTrigger("before", "startup", clock_watch.start)
reactor.addSystemEventTrigger("after", "startup", guard.start)
reactor.addSystemEventTrigger("after", "shutdown", end)
# What the start has made stays to the end. To look through it for garbage again and again would
# keep every device waiting for a twentieth of a second each time, and the end as well.
gc.freeze()
