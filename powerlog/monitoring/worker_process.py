"""Prepare a process that is one of several collectors on one port.

powerlog/server/supervisor.py starts, watches and stops it.
"""

import logging
import logging.config
import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from powerlog.monitoring.other_processes import neighbours
from powerlog.steady_thread import SteadyThread

logger = logging.getLogger(__name__)

END_LIMIT_S = 10.0
LOOK_S = 1.0  # a round of what watches the parent


def prepare(place: Path, processes: int) -> None:
    """Join the other processes: write the state of this one to `place`, whose name is a number."""
    tell_apart(place.name)
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
