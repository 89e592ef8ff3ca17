"""What one page costs: asked of the collector's own ASGI application, in this very process.

All of it takes part but the socket: middleware, session, view, templates, the pool of connections
and PostgreSQL, in the threads in which Daphne would have them run. The time is from the first byte
asked to the last one sent; what is sent is counted and thrown away.
"""

import asyncio
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import psutil

KEPT = 500_000  # bytes of a page, to look for what it links to; of an export nothing is kept
LOOK_S = 0.01


class Answer(NamedTuple):
    """cpu_s is what this process computed for it: on a busy machine far less than it took."""

    status: int
    seconds: float
    cpu_s: float
    size: int
    page: str


class Queries:
    """What Django asks of the database, and for how long it waits for the answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, str]] = []

    def listen(self, connection: Any, **kwargs: Any) -> None:
        """For the signal connection_created: the pool gives the same connection many times."""
        if self not in connection.execute_wrappers:
            connection.execute_wrappers.append(self)

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.asked.append((time.perf_counter() - began, sql))

    def take(self) -> list[tuple[float, str]]:
        """Those since the last time."""
        taken, self.asked = self.asked, []
        return taken


class Memory:
    """By how much this process grows, in MB, at most; looked at a hundred times a second."""

    def __enter__(self) -> "Memory":
        self._process, self._over = psutil.Process(), threading.Event()
        self._before = self._most = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            self._most = max(self._most, self._process.memory_info().rss)

    @property
    def growth_mb(self) -> float:
        return (self._most - self._before) / 1e6


async def ask(application: Any, url: str, cookie: str, kept_bytes: int = KEPT) -> Answer:
    """GET this address, with its query, as the user of this cookie."""
    path, _, query = url.partition("?")
    headers = {"host": "127.0.0.1", "cookie": cookie, "accept": "text/html"}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asked = [{"type": "http.request", "body": b"", "more_body": False}]
    kept, status, size = bytearray(), 0, 0

    async def receive() -> dict[str, Any]:
        if asked:
            return asked.pop()
        await asyncio.Event().wait()  # nobody goes away before the end
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, size
        status = message.get("status", status)
        body = message.get("body", b"")
        size += len(body)
        if len(kept) < kept_bytes:
            kept.extend(body)

    began, computed = time.perf_counter(), time.process_time()
    await application(scope, receive, send)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - computed
    return Answer(status, seconds, cpu_s, size, kept[:kept_bytes].decode(errors="replace"))


def weight(answer: Answer) -> int:
    """The page with all style sheets and scripts of this site that it links to, in bytes."""
    from django.conf import settings
    from django.contrib.staticfiles.finders import find

    linked = set(re.findall(r'(?:href|src)="([^"?#]+\.(?:css|js))', answer.page))
    size = answer.size
    for url in linked:
        found = find(unquote(url.removeprefix(settings.STATIC_URL)))
        with suppress(TypeError):  # None: not of this site
            size += Path(found).stat().st_size
    return size
