"""`python -m benchmarks.frames`: the CPU that a frame costs, against a collector written plainly.

Both servers run alone, in turn, each round anew and with an empty database of its own. A frame is
a NotifyStatus of three channels that draw power. Once in a burst, as fast as a server takes them;
once paced, one frame a second from each of many sockets. What counts is the server's own CPU time,
user and system, until it is idle again, with the rows that it writes. Every socket has said two
frames before, and answers what it is asked: what it costs to arrive, fleet.py measures.
"""

import asyncio
import json
import os
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

import uvloop

from tests.support.servers import Process, free_port, until

from .usage import Usage, idle, new_database, place, raise_file_limit, run, say, table
from .wire import HOST, DeviceSocket, client_frame, dial

CONNECT_AT_ONCE = 50
BURST_VARIANTS = 20
PACE_TICK_S = 0.01
BEFORE = (-2, -1)  # a run starts, and its counter rises: both are reported once


class Cost(NamedTuple):
    us_per_frame: float
    kb_per_connection: float
    frames_per_s: float
    sender_late_s: float


class Load(NamedTuple):
    """frames of each socket; every_s between two of a socket, 0: as fast as they go."""

    name: str
    sockets: int
    frames: int
    every_s: float


def name(number: int) -> str:
    return f"shellypro4pm-{number:012x}"


def status(number: int, count: int) -> bytes:
    """What device `number` says of its three channels for the so many-th time."""
    now = time.time()
    minute_ts = int(now // 60) * 60
    params: dict[str, object] = {"ts": round(now, 2)}
    for channel in range(3):
        watts = 430.0 + 100 * channel + count % 40
        params[f"switch:{channel}"] = {
            "id": channel,
            "apower": watts,
            "voltage": 228.2,
            "current": round(watts / 228.2, 3),
            "aenergy": {
                "total": round(2718.032 + count / 1000, 3),
                "by_minute": [7166.667, 7171.3, 7158.04],
                "minute_ts": minute_ts,
            },
        }
    message = {"src": name(number), "dst": "ws", "method": "NotifyStatus"}
    return json.dumps(message | {"params": params}, separators=(",", ":")).encode()


async def burst(sockets: Sequence[DeviceSocket], load: Load) -> float:
    # Made beforehand, a few for each: the sender must not be the limit.
    made = [
        [client_frame(status(number, count)) for count in range(BURST_VARIANTS)]
        for number in range(load.sockets)
    ]

    async def talk(socket: DeviceSocket, frames: Sequence[bytes]) -> None:
        for count in range(load.frames):
            socket.transport.write(frames[count % BURST_VARIANTS])
            if count % BURST_VARIANTS == 0:
                await socket.taken()
                await asyncio.sleep(0)

    await asyncio.gather(*map(talk, sockets, made))
    return 0.0


async def paced(sockets: Sequence[DeviceSocket], load: Load) -> float:
    """By how many seconds the latest frame was late."""
    chance, late_s, began = Random(1), 0.0, time.monotonic()
    order = sorted((chance.uniform(0, load.every_s), number) for number in range(load.sockets))
    for count in range(load.frames):
        for offset, number in order:
            due = began + count * load.every_s + offset
            while (left_s := due - time.monotonic()) > 0:
                await asyncio.sleep(max(left_s, PACE_TICK_S))
            late_s = max(late_s, -left_s)
            sockets[number].say(status(number, count))
    return late_s


class Shelly(DeviceSocket):
    """The connection of a device, which answers what it is asked."""

    def __init__(self, number: int) -> None:
        super().__init__(heard=self.answer)
        self.number = number

    def answer(self, text: bytes) -> None:
        asked = json.loads(text)
        if asked["method"] != "NotifyStatus":
            all_of_it = asked["method"] == "Shelly.GetStatus"
            result = json.loads(status(self.number, BEFORE[0]))["params"] if all_of_it else {}
            message = {"id": asked["id"], "src": name(self.number), "result": result}
            self.say(json.dumps(message).encode())


async def measure(port: int, usage: Usage, load: Load) -> Cost:
    empty_kb = usage.rss_kb()
    sockets: list[DeviceSocket] = []
    for first in range(0, load.sockets, CONNECT_AT_ONCE):
        numbers = range(first, min(first + CONNECT_AT_ONCE, load.sockets))
        sockets += await asyncio.gather(
            *(dial(port, each, partial(Shelly, each)) for each in numbers)
        )
    for count in BEFORE:
        for number, socket in enumerate(sockets):
            socket.say(status(number, count))
        await idle(usage)
    full_kb, before_s, began = usage.rss_kb(), usage.cpu_s(), time.time()
    late_s = await (paced if load.every_s else burst)(sockets, load)
    took_s = await idle(usage) - began
    frames = load.sockets * load.frames
    used_s = usage.cpu_s() - before_s
    if not all(socket.is_open for socket in sockets):
        sys.exit("error: the server has closed sockets, so the figures would be worth nothing")
    for socket in sockets:
        socket.transport.abort()
    kb = (full_kb - empty_kb) / load.sockets
    return Cost(used_s / frames * 1e6, kb, frames / took_s, late_s)


def collector(port: int) -> list[str]:
    return ["manage.py", "serve", "--host", HOST, "--port", str(port)]


def uvicorn(app: Path, port: int) -> list[str]:
    where = ["--app-dir", str(app.resolve().parent), f"{app.stem}:app", "--port", str(port)]
    return ["-m", "uvicorn", "--loop", "uvloop", "--log-level", "warning", *where]


@contextmanager
def serving(command: list[str], port: int, database_url: str, log: Path) -> Iterator[Usage]:
    """From when `/` answers; stopped at the end."""
    server = Process(command, database_url, log)

    def answers() -> bool:
        if server.process.poll() is not None:
            sys.exit(f"error: the server has ended\n{server.output}")
        try:
            return urllib.request.urlopen(f"http://{HOST}:{port}/", timeout=5).status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    try:
        until(answers)
        yield Usage(server.process.pid)
        server.stop()
    finally:
        server.close()


def compare(loads: Sequence[Load], against: Path, rounds: int) -> None:
    costs: dict[tuple[str, str], list[Cost]] = {}
    os.environ["MAX_FRAMES_PER_S"] = "1000000"  # no device sends as fast as this
    raise_file_limit()
    with place() as (postgres, folder):
        for count in range(rounds):
            for load in loads:
                for name in ("collector", against.stem):
                    port, case = free_port(), f"{load.name}-{name}-{count}"
                    command = collector(port) if name == "collector" else uvicorn(against, port)
                    url, log = new_database(postgres, case), folder / f"{case}.log"
                    with serving(command, port, url, log) as usage:
                        cost = asyncio.run(measure(port, usage, load))
                    costs.setdefault((load.name, name), []).append(cost)
                    say(f"round {count + 1}, {load.name}, {name}: {told(cost)}")
    table(
        ("load", "server", "CPU a frame", "frames/s", "memory a connection", "ratio"),
        lines(loads, against.stem, costs),
    )


def told(cost: Cost) -> str:
    late = f", sender late {cost.sender_late_s:.2f} s" if cost.sender_late_s else ""
    return (
        f"{cost.us_per_frame:.1f} µs a frame, {cost.frames_per_s:.0f} frames/s, "
        f"{cost.kb_per_connection:.1f} KB a connection{late}"
    )


def lines(
    loads: Sequence[Load], other: str, costs: dict[tuple[str, str], list[Cost]]
) -> Iterator[list[str]]:
    """The medians of the rounds; the ratio is that of CPU a frame, above 1: the other has more."""
    for load in loads:
        middle = {
            name: [median(values) for values in zip(*costs[load.name, name], strict=True)]
            for name in ("collector", other)
        }
        for name, (us, kb, per_s, _) in middle.items():
            ratio = f"{us / middle['collector'][0]:.2f}"
            yield [load.name, name, f"{us:.1f} µs", f"{per_s:.0f}", f"{kb:.1f} KB", ratio]


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.frames", description=__doc__)
    plainly = Path(__file__).with_name("plain_collector.py")
    parser.add_argument("--rounds", type=int, default=3, help="medians are of so many (3)")
    parser.add_argument("--seconds", type=int, default=60, help="of the paced load (60)")
    parser.add_argument(
        "--against", type=Path, default=plainly, help="a file with another ASGI `app`, for uvicorn"
    )
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loads = [Load("burst", 200, 400, 0.0), Load("paced", 2000, asked.seconds, 1.0)]
    compare(loads, asked.against, asked.rounds)


if __name__ == "__main__":
    run(main)
