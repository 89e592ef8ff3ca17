"""The devices of fleet.py: ten frames a minute each, in the rhythm of a Shelly Pro 4PM.

At :00 all of them say everything of their four switches, a frame for each; six deltas are spread
over the minute. Three channels draw power all the time, so each device has three rows due a minute.
What is the same for many is built once a minute: one core must do for ten thousand devices.
"""

import asyncio
import random
import signal
import time
from collections.abc import MutableSequence
from enum import IntEnum
from functools import lru_cache

import uvloop

from .wire import DeviceSocket, dial

SWITCHES = 4
BUSY = 3  # the fourth is on standby, below the threshold
LOADS = 16  # devices with the same loads say the same but for their names
DELTAS = 6
FIRST_DELTA_S, LAST_DELTA_S = 3.0, 58.0
AT_ONCE = 200  # frames between two looks at what the server says
TICK_S = 0.01
FIRST_DELAY_S, MAX_DELAY_S = 1.0, 60.0
COUNTED_SINCE = 1_700_000_000


class Told(IntEnum):
    """What a process of devices tells: numbers, each at its place."""

    CONNECTED = 0
    SENT = 1
    LOST = 2
    FAILED = 3  # attempts to connect
    BURST_ENDED_AT = 4
    SENT_BY_THEN = 5


def watts(load: int, switch: int) -> float:
    return 60.0 + 10 * load + 200 * switch if switch < BUSY else 1.2


@lru_cache(maxsize=2 * LOADS * SWITCHES)
def everything(load: int, switch: int, ts: float) -> str:
    """A switch with all that it measures, as in the frame of :00 (firmware 1.5)."""
    power, minute_ts = watts(load, switch), int(ts // 60) * 60
    total = 1000 + power * (ts - COUNTED_SINCE) / 3600
    minute = round(power / 0.06, 3)
    return (
        f'"switch:{switch}":{{"id":{switch},"source":"init","output":true,"apower":{power:.1f},'
        f'"voltage":228.2,"freq":50.0,"current":{power / 228.2:.3f},"pf":0.97,'
        f'"aenergy":{{"total":{total:.3f},"by_minute":[{minute},{minute},{minute}],'
        f'"minute_ts":{minute_ts}}},"ret_aenergy":{{"total":0.000,'
        f'"by_minute":[0.000,0.000,0.000],"minute_ts":{minute_ts}}},'
        '"temperature":{"tC":52.1,"tF":125.8}}'
    )


def status(load: int, ts: float) -> str:
    switches = ",".join(everything(load, switch, ts) for switch in range(SWITCHES))
    return (
        '"ble":{},"cloud":{"connected":false},"eth":{"ip":null},"input:0":{"id":0,"state":false},'
        f'"input:1":{{"id":1,"state":false}},{switches},"sys":{{"unixtime":{ts:.0f},"cfg_rev":18,'
        '"available_updates":{}},"wifi":{"status":"got ip","rssi":-61},"ws":{"connected":true}'
    )


class Device:
    """One of them, which dials until it is connected, and again when it has lost the connection."""

    def __init__(self, number: int, told: MutableSequence[float]) -> None:
        self.number, self._told = number, told
        self.load = number % LOADS
        self._name = f'"src":"shellypro4pm-{number:012x}","dst":"'
        self._socket: DeviceSocket | None = None
        self._ended = asyncio.Event()

    async def live(self, port: int) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            self._ended.clear()
            try:
                await dial(port, self.number, self._new_socket)
            except (OSError, TimeoutError):
                self._told[Told.FAILED] += 1
            else:
                await self._ended.wait()
                delay_s = FIRST_DELAY_S
            await asyncio.sleep(delay_s * random.uniform(0.8, 1.2))
            delay_s = min(2 * delay_s, MAX_DELAY_S)

    def notify(self, ts: float, components: str, method: str = "NotifyStatus") -> None:
        self._say(f'{self._name}ws","method":"{method}","params":{{"ts":{ts:.2f},{components}}}}}')

    def delta(self, ts: float, count: int) -> None:
        switch = count % BUSY
        power = watts(self.load, switch) * (1.02 if count % 2 else 0.98)
        moved = f'"apower":{power:.1f},"current":{power / 228.2:.3f}'
        self.notify(ts, f'"switch:{switch}":{{"id":{switch},{moved}}}')

    def _new_socket(self) -> DeviceSocket:
        return DeviceSocket(self._met, self._heard, self._gone)

    def _met(self, socket: DeviceSocket) -> None:
        # uvloop reports no end of a socket whose dial was given up as it opened.
        if self._socket is None:
            self._told[Told.CONNECTED] += 1
        self._socket = socket
        now = time.time()
        self.notify(now, status(self.load, now), "NotifyFullStatus")

    def _heard(self, text: bytes) -> None:
        if b"Shelly.GetStatus" in text:
            answer = f'"id":2,"result":{{{status(self.load, time.time())}}}'
        else:
            number = text.removeprefix(b'{"id":').partition(b",")[0].decode()
            answer = f'"id":{number},"error":{{"code":404,"message":"No handler"}}'
        self._say(f'{self._name}collector",{answer}}}')

    def _gone(self) -> None:
        if self._socket is not None:
            self._told[Told.CONNECTED] -= 1
        self._socket = None
        self._told[Told.LOST] += 1
        self._ended.set()

    def _say(self, members: str) -> None:
        if self._socket:
            self._socket.say(f"{{{members}".encode())
            self._told[Told.SENT] += 1


async def minute_by_minute(devices: list[Device], told: MutableSequence[float]) -> None:
    """The burst of each :00, and the deltas until the next."""
    spread_s = (LAST_DELTA_S - FIRST_DELTA_S) / DELTAS
    moments = sorted(
        (FIRST_DELTA_S + spread_s * (count + place / len(devices)), place, count)
        for place in range(len(devices))
        for count in range(DELTAS)
    )
    minute = time.time() // 60 * 60 + 60
    while True:
        await sleep_until(minute)
        for switch in range(SWITCHES):
            for place, device in enumerate(devices):
                device.notify(minute, everything(device.load, switch, minute))
                if place % AT_ONCE == 0:
                    await asyncio.sleep(0)
            # So that no two frames of a device share a segment: a device sends them one by one.
            await asyncio.sleep(0)
        told[Told.BURST_ENDED_AT], told[Told.SENT_BY_THEN] = time.time(), told[Told.SENT]
        for after_s, place, count in moments:
            await sleep_until(minute + after_s)
            devices[place].delta(minute + after_s, count)
        minute += 60


async def sleep_until(ts: float) -> None:
    while (left_s := ts - time.time()) > 0:
        await asyncio.sleep(max(left_s, TICK_S))


async def live(port: int, numbers: range, per_s: float, told: MutableSequence[float]) -> None:
    """Connect at this rate, and talk until the process is ended."""
    devices = [Device(number, told) for number in numbers]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(minute_by_minute(devices, told))
        began = time.time()
        for place, device in enumerate(devices):
            await sleep_until(began + place / per_s)
            tasks.create_task(device.live(port))


def run_devices(port: int, numbers: range, per_s: float, told: MutableSequence[float]) -> None:
    """A process of their own. Ctrl-C is for the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live(port, numbers, per_s, told))
