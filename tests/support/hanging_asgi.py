"""The application whose event loop stands still from SIGUSR1 on, as where memory is short; if it is
not told to stop it is given up after five seconds."""

import signal
import time
from types import FrameType

from collector_site.asgi import application as application
from powerlog.server import watchdog

watchdog.STUCK_TICKS = 5


def hang(number: int, frame: FrameType | None) -> None:
    print("it hangs", flush=True)  # noqa: T201
    while True:
        time.sleep(60)


signal.signal(signal.SIGUSR1, hang)
