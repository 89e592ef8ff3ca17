"""`python -m benchmarks.memory`: what a connection holds in memory at the worst.

Each case opens sockets that hold the most that the limits let them, against one server each, and
divides what the server has grown by.
"""

import asyncio
import socket
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.support.frames import answer, delta, full, meter, text
from tests.support.rubbish import PING, TEXT, USUAL, asking, wire
from tests.support.servers import PATIENCE_S, running, serve

from .usage import Usage, idle, raise_file_limit, run, say, table

KB = 1024
MESSAGE = 64 * KB
MANY = 490  # headers; Twisted takes 500
WORDS = "abcdefghijklmnopqrstuvwxyz0123456789"
Sent = Callable[[str], bytes]


def message(what: str) -> bytes:
    assert len(what) <= MESSAGE, len(what)
    return wire(TEXT, what.encode())


def usual(device_id: str) -> bytes:
    return message(delta(time.time(), device_id, switch_0={"apower": 430.0}))


def names(device_id: str) -> bytes:
    result = {f"switch:{number}": {"name": "x"} for number in range(2400)}
    return usual(device_id) + message(text(id=4, src=device_id, result=result))


def long_names(device_id: str) -> bytes:
    result = {f"em:{number}": {"name": "\U0001f4a1" + "x" * 99} for number in range(100)}
    return usual(device_id) + message(text(id=4, src=device_id, result=result))


def channels(device_id: str) -> bytes:
    components = {f"switch_{number}": meter(430.0, 1.0) for number in range(300)}
    return message(full(time.time(), device_id, **components))


def components(device_id: str) -> bytes:
    return message(answer(device_id, **{f"switch_{n}": {"apower": 6.5} for n in range(2000)}))


def half_a_message(device_id: str) -> bytes:
    return usual(device_id) + wire(TEXT, b"x" * (MESSAGE - 1), fin=False)


def in_pieces(device_id: str) -> bytes:
    begin = usual(device_id) + wire(TEXT, b"xx", fin=False)
    return begin + wire(0, b"x" * 33, fin=False) * 1900


def pings(device_id: str) -> bytes:
    return usual(device_id) + wire(PING, b"x" * 125) * 1900


def everything(device_id: str) -> bytes:
    result = {f"em:{number}": {"name": "\U0001f4a1" + "x" * 99} for number in range(100)}
    told = message(text(id=4, src=device_id, result=result))
    return channels(device_id) + told + half_a_message(device_id)


def headers() -> list[str]:
    return [f"h{number}: {'x' * 22}" for number in range(MANY)]


def subprotocols() -> list[str]:
    words = [first + second + third for first in WORDS for second in WORDS for third in "abc"]
    return ["Sec-WebSocket-Protocol: " + ",".join(words)[:15_000].rpartition(",")[0]]


CASES: dict[str, tuple[list[str], Sent]] = {
    "a usual device": ([], usual),
    "16 KB of headers": (headers(), usual),
    "16 KB of subprotocols": (subprotocols(), usual),
    "2,400 names": ([], names),
    "100 long names": ([], long_names),
    "300 channels": ([], channels),
    "2,000 components": ([], components),
    "64 KB of a message": ([], half_a_message),
    "64 KB of a message, in pieces": ([], in_pieces),
    "pings": ([], pings),
    "headers, channels, names, and a message": (headers(), everything),
}


def measure(more: list[str], sent: Sent, sockets: int) -> float:
    """KB a connection."""
    with tempfile.TemporaryDirectory(prefix="collector-benchmark-") as name, ExitStack() as lines:
        url = f"sqlite:///{name}/collector.sqlite3"
        server = lines.enter_context(running(serve(url, Path(name))))
        usage = Usage(server.process.pid)
        for number in range(-20, sockets):  # the first ones are not counted: memory made ready
            if number == 0:
                asyncio.run(idle(usage))
                before = usage.rss_kb()
            line = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
            lines.enter_context(line)
            line.sendall(asking(*USUAL, *more))
            assert line.recv(KB).startswith(b"HTTP/1.1 101")
            line.sendall(sent(f"device-{number + 20}"))
        asyncio.run(idle(usage))
        assert int(server.status()["devices connected"]) == sockets + 20, server.output
        return (usage.rss_kb() - before) / sockets


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=200)
    options = parser.parse_args()
    raise_file_limit()
    rows = []
    for name, (more, sent) in CASES.items():
        kb = measure(more, sent, options.sockets)
        say(f"{name}: {kb:.0f} KB")
        rows.append((name, f"{kb:.0f} KB"))
    table(("each connection holds", "memory of each"), rows)


if __name__ == "__main__":
    run(main)
