"""Set up one of several collector processes on one port.

It is started, watched and stopped by powerlog/server/supervisor.py.
"""

import logging
import logging.config
import os
import select
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from twisted.internet import tcp

from powerlog.monitoring.other_processes import neighbours
from powerlog.steady_thread import SteadyThread

logger = logging.getLogger(__name__)

END_LIMIT_S = 10.0
LOOK_S = 1.0  # a round of what watches the parent


class SharedPort(tcp.Port):
    """A listening socket of its own for each process, all on the same port (SO_REUSEPORT).

    The kernel deals connections out by their addresses, so that each process has its share of them
    for good: of 1000 that came one after the other, four processes had 227 to 264. From one
    inherited socket whoever wakes first takes them: 164 to 438. The price: what waits to be
    accepted by a process that dies is reset, like all the connections that it has; a Shelly dials
    again a second later. A process that is not there is dealt nothing.
    """

    def createInternetSocket(self) -> socket.socket:
        made = super().createInternetSocket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return made


def prepare(place: Path, processes: int) -> None:
    """Become one of several processes. place is its Health file, with a number as its name."""
    tell_apart(place.name)
    tcp.Port = SharedPort  # here Twisted looks for it, whatever Daphne asks for
    neighbours.meet(place, processes)
    SteadyThread("parent", lambda: end_with_parent(place)).start()


def tell_apart(name: str) -> None:
    """Begin each line of the log with the name of its process."""
    line = settings.LOGGING["formatters"]["line"]
    line["format"] = f"[{name}] {line['format']}"
    logging.config.dictConfig(settings.LOGGING)  # and once more when asgi.py sets Django up


def end_with_parent(place: Path) -> bool:
    """End this process if its parent has ended. Nothing else would ever stop it.

    The parent holds the other end of our standard input, and writes nothing to it. When the parent
    ends, in any way, we read the end of the file, on every Unix.
    """
    readable, _, _ = select.select([0], [], [], LOOK_S)
    if not readable or os.read(0, 1024):
        return True
    logger.error("stopping: the process that started this one has died")
    with suppress(Exception):
        neighbours.leave(place)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_LIMIT_S)
    os._exit(1)
