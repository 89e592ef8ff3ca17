"""One line of the log for what a stranger can do again and again.

The same line comes once a minute, and of all such lines no more than LINES a minute: whoever knocks
a thousand times a second fills no disk. How often it was, the counters of `/` and /metrics say.
"""

import logging
import time

LINES = 100


class Once:
    """Log a line, or leave it out, as the module says."""

    def __init__(self) -> None:
        self._minute = -1
        self._said: set[str] = set()

    def __call__(self, logger: logging.Logger, level: int, line: str) -> None:
        if (minute := int(time.monotonic() // 60)) != self._minute:
            self._minute = minute
            self._said.clear()
        if line not in self._said and len(self._said) < LINES:
            self._said.add(line)
            logger.log(level, "%s", line)


once = Once()
