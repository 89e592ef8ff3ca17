"""A simulated Shelly Pro 4PM with firmware 1.5, as `manage.py simulate` and `demo` show it.

Pure: no socket, no clock; time is an argument in Unix seconds, chance comes from the seed. To ask
in pieces gives the same frames as to ask at once, and a simulation that starts again goes on where
it would be now: for the collector its devices were only out of reach.

A pump is on switch:2, something on standby on switch:3.
"""

import json
import math
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import count
from operator import attrgetter
from random import Random
from typing import Any

from powerlog.simulation.channel import Channel
from powerlog.simulation.connection import Connection
from powerlog.simulation.counters import Counter
from powerlog.simulation.curves import BLOCK_S, MINUTE_S, Curve, Cycle
from powerlog.simulation.device import REPORT_DELAY_S, Device, Report

PUMP_CHANNEL = "switch:2"
PUMP_ON_S = 480  # of each block: runs of 2 to 6 minutes, pauses of 2 to 4
CHORE_S = 97  # between two deltas that have nothing to do with power
OFF = Curve([])
ALWAYS = Connection(-math.inf, math.inf, booted=-math.inf, synced=-math.inf)


class SimulatedShelly:
    """One device. `loads` are the curves of switch:0 to switch:3: the truth to compare with.

    started_at is the moment of its last boot. loads replace the usual ones, from switch:0 on;
    pump_wh is where the counter of the pump stood before. Every text is one message.
    """

    def __init__(
        self,
        device_id: str,
        seed: int,
        started_at: float,
        loads: Sequence[Curve | Cycle] = (),
        pump_wh: float = 0.0,
    ) -> None:
        self.device_id = device_id
        self._started_at = started_at
        chance = Random(seed)
        self._phase = chance.uniform(0, CHORE_S)
        pump = Cycle(f"{seed}/2", chance.uniform(415, 445), 0.8, PUMP_ON_S)
        standby = Cycle(f"{seed}/3", chance.uniform(1.0, 1.3), 0.09, BLOCK_S)
        self.loads = (*loads, *(OFF, OFF, pump, standby)[len(loads) :])
        channels = {}
        for number, load in enumerate(self.loads):
            name = f"switch:{number}"
            counter = Counter(load.drawn_wh, pump_wh if name == PUMP_CHANNEL else 0.0)
            channels[name] = Channel(name, "", load, counter, Counter(OFF.returned_wh, 0.0))
        self._device = Device(device_id, "switch", (1, 5), channels, phase=self._phase)

    def full_status(self, now: float) -> str:
        """Return what it sends first on every connection."""
        return self._text(self._status(now))

    def frames(self, since: float, until: float = math.inf) -> Iterator[tuple[float, str]]:
        """Return what it sends unasked from `since` on and before `until`, in order, with its
        moment."""
        # On the full minute it reports everything: deltas depend on nothing from before that.
        start = (since - REPORT_DELAY_S) // MINUTE_S * MINUTE_S
        streams = [self._minutes(start), self._chores(start)]
        for channel in self._device.channels.values():
            streams.append(self._device.deltas(channel, start, until + MINUTE_S))
        for report in merge(*streams, key=attrgetter("at")):
            if report.at >= until:
                return
            if report.at >= since:
                yield report.at, self._text(report)

    def answer(self, request: str | bytes, now: float) -> str | None:
        """Return the response to a request, or None if it is not one."""
        try:
            message = json.loads(request)
        except (ValueError, RecursionError):
            return None
        match message:
            case {"id": int() | str() as request_id, "src": str(src), "method": str(method)}:
                response = {"id": request_id, "src": self.device_id, "dst": src}
            case _:
                return None
        error = {"code": 404, "message": f"No handler for {method}"}
        result = self._result(method, now)
        return json.dumps(response | ({"result": result} if result else {"error": error}))

    def _result(self, method: str, now: float) -> dict[str, Any] | None:
        if method == "Shelly.GetStatus":
            return self._status(now).components
        if method == "Shelly.GetDeviceInfo":
            what = {"name": None, "id": self.device_id, "model": "SPSW-104PE16EU", "app": "Pro4PM"}
            return what | {"gen": 2, "ver": "1.5.1", "profile": "switch"}
        if method == "Shelly.GetConfig":
            names = ("Light", None, "Pump", None)
            switches = {f"switch:{n}": {"id": n, "name": name} for n, name in enumerate(names)}
            return {"sys": {"device": {"name": None}}, **switches}
        return None

    def _text(self, report: Report) -> str:
        return self._device.text(report, round(float(report.at), 2))

    def _status(self, now: float) -> Report:
        status = self._device.status(ALWAYS, now)
        status.components["sys"]["uptime"] = int(now - self._started_at)
        return status

    def _minutes(self, start: float) -> Iterator[Report]:
        for minute in count(start, MINUTE_S):
            yield from self._device.minute(ALWAYS, minute)

    def _chores(self, start: float) -> Iterator[Report]:
        for chore in count(math.ceil((start - self._phase) / CHORE_S)):
            at = self._phase + chore * CHORE_S
            number = chore % len(self.loads)
            temperature = {"id": number, "temperature": self._device.temperature(at)}
            if chore % 3:
                yield Report(at, {f"switch:{number}": temperature}, {})
            elif chore % 2:
                yield Report(at, {"wifi": self._device.wifi(at)}, {})
            else:
                yield Report(at, {"sys": {"available_updates": {}}}, {})
