"""A Shelly Pro 4PM that does not exist: all that it says, as a function of time.

Pure: no socket, no clock; time is an argument in Unix seconds, chance comes from the seed. The
power is a step function known for every moment, the counters are its integral. So asking in pieces
gives the same frames as asking at once, and a simulation started anew goes on where it would be
now: to the collector its devices were only out of reach.

It speaks like firmware 1.5: all four switches at :00 of each minute, in between a delta with
nothing but the fields that moved. A pump is on switch:2, something on standby on switch:3.
"""

import json
import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, pairwise
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple

MINUTE_S = 60
# A load's time goes in blocks: on, off, on, off. Chance divides a block, but each holds the same
# energy, so that the counter of years is known without going through them.
BLOCK_S = 840
PUMP_ON_S = 480  # of each block: runs of 2 to 6 minutes, pauses of 2 to 4
NOMINAL_V = 230
FIRST_POWERED = 1_704_067_200  # 1 January 2024, where the counters began
STEP_S = 12  # a load that is on keeps its power for about so long
REPORT_DELAY_S = 0.9  # a switch says at once that it is on, and later what it measures
REPORTED_MOVE = 0.05  # a smaller relative move of power or current makes no delta
SWITCHED_OFF = {"apower": 0, "current": 0, "output": False, "pf": 0, "source": "SHC"}
CHORE_S = 97  # between two deltas that have nothing to do with power

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Step(NamedTuple):
    """From `at` on a load draws this, until its next step."""

    at: float
    watts: float = 0.0
    amps: float = 0.0


class Load:
    """What is wired to one switch. on_s: the seconds of each block in which it is on."""

    def __init__(self, seed: str, watts: float, power_factor: float, on_s: float) -> None:
        self._seed, self._on_s = seed, on_s
        self._watts, self._power_factor = watts, power_factor
        self._origin = FIRST_POWERED - Random(seed).uniform(0, BLOCK_S)
        # Two blocks: the minutes that a frame looks back on may lie in the block before.
        self._steps = lru_cache(maxsize=2)(self._make_steps)

    def at(self, ts: float) -> Step:
        """The step in force at this moment."""
        steps = self._steps(self._block(ts))
        return next((step for step in reversed(steps) if step.at <= ts), steps[0])

    def energy_wh(self, ts: float) -> float:
        """The energy drawn up to this moment: the exact integral of the power."""
        block = self._block(ts)
        steps = [step for step in self._steps(block) if step.at < ts]
        return (self._energy_before_ws(block) + _integral([*steps, Step(ts)])) / 3600

    def deltas(self, since: float, until: float) -> Iterator[tuple[float, dict[str, Any]]]:
        """The moments since <= at < until with the fields of the switch that they report."""
        blocks = range(self._block(since), self._block(until) + 1)
        deltas = chain.from_iterable(map(self._block_deltas, blocks))
        return ((at, fields) for at, fields in deltas if since <= at < until)

    def _block(self, ts: float) -> int:
        return math.floor((ts - self._origin) / BLOCK_S)

    def _energy_before_ws(self, block: int) -> float:
        return block * self._watts * self._on_s

    def _make_steps(self, block: int) -> list[Step]:
        chance = Random(f"{self._seed} {block}")
        at = self._origin + block * BLOCK_S
        off_s = BLOCK_S - self._on_s
        run_s = chance.uniform(1 / 4, 3 / 4) * self._on_s
        pause_s = chance.uniform(1 / 3, 2 / 3) * off_s
        steps: list[Step] = []
        for on, off in ((run_s, pause_s), (self._on_s - run_s, off_s - pause_s)):
            if on:
                steps += self._run(chance, at, at + on, self._watts)
            if off:
                steps.append(Step(at + on))
            at += on + off
        return steps

    def _run(self, chance: Random, start: float, end: float, mean_w: float) -> list[Step]:
        """Steps around this power that come to exactly it on average."""
        steps: list[Step] = []
        at = start
        while at < end:
            watts = mean_w * chance.uniform(0.93, 1.07)
            amps = watts / (NOMINAL_V * self._power_factor * chance.uniform(0.95, 1.05))
            steps.append(Step(at, watts, amps))
            at += chance.uniform(0.6, 1.4) * STEP_S if end - at > 2 * STEP_S else end - at
        scale = mean_w * (end - start) / _integral([*steps, Step(end)])
        return [Step(step.at, step.watts * scale, step.amps * scale) for step in steps]

    def _block_deltas(self, block: int) -> Iterator[tuple[float, dict[str, Any]]]:
        told = previous = self._steps(block - 1)[-1]
        for step in self._steps(block):
            if step.at // MINUTE_S > previous.at // MINUTE_S:
                told = previous  # by the frame of :00
            measured = {"apower": round(step.watts, 1), "current": round(step.amps, 3)}
            if step.watts and not previous.watts:
                yield step.at, {"output": True, "source": "SHC"}
                yield step.at + REPORT_DELAY_S, measured
                told = step
            elif previous.watts and not step.watts:
                yield step.at, SWITCHED_OFF
                told = step
            elif abs(step.watts - told.watts) > REPORTED_MOVE * told.watts:
                yield step.at, measured
                told = step
            elif abs(step.amps - told.amps) > REPORTED_MOVE * told.amps:
                yield step.at, {"current": measured["current"]}
                told = told._replace(amps=step.amps)
            previous = step


class SimulatedShelly:
    """One device. `loads` holds what is wired to switch:0 to switch:3: the truth to check against.

    started_at is the moment of its last boot; pump is what is on switch:2, if not the usual one.
    Every text is one message, ready to be sent.
    """

    def __init__(
        self, device_id: str, seed: int, started_at: float, pump: Load | None = None
    ) -> None:
        self.device_id = device_id
        self._started_at = started_at
        chance = Random(seed)
        self._phase = chance.uniform(0, CHORE_S)
        usual = Load(f"{seed}/2", chance.uniform(415, 445), 0.8, PUMP_ON_S)
        self.loads = (
            Load(f"{seed}/0", 0.0, 1.0, 0),
            Load(f"{seed}/1", 0.0, 1.0, 0),
            pump or usual,
            Load(f"{seed}/3", chance.uniform(1.0, 1.3), 0.09, BLOCK_S),
        )

    def full_status(self, now: float) -> str:
        """What it says first on every connection."""
        return self._notification("NotifyFullStatus", now, self._status(now))

    def frames(self, since: float, until: float = math.inf) -> Iterator[tuple[float, str]]:
        """What it says unasked from `since` on and before `until`: moment and text, in order."""
        minute = since // MINUTE_S * MINUTE_S
        while minute < until:
            if minute >= since:
                for text in self.minute_frames(minute):
                    yield minute, text
            deltas = self._deltas(max(minute, since), min(minute + MINUTE_S, until))
            for at, components in sorted(deltas, key=itemgetter(0)):
                yield at, self._notification("NotifyStatus", at, components)
            minute += MINUTE_S

    def minute_frames(self, now: float) -> list[str]:
        """What it says at :00, a frame for each switch."""
        return [
            self._notification("NotifyStatus", now, {f"switch:{number}": self._meter(load, now)})
            for number, load in enumerate(self.loads)
        ]

    def answer(self, request: str | bytes, now: float) -> str | None:
        """The response to a request; None where the message is none."""
        try:
            message = json.loads(request)
        except (ValueError, RecursionError):
            return None
        match message:
            case {"id": int() | str() as request_id, "src": str(src), "method": str(method)}:
                response = {"id": request_id, "src": self.device_id, "dst": src}
            case _:
                return None
        if result := self._result(method, now):
            return _encode(response | {"result": result})
        error = {"code": 404, "message": f"No handler for {method}"}
        return _encode(response | {"error": error})

    def _result(self, method: str, now: float) -> dict[str, Any] | None:
        if method == "Shelly.GetStatus":
            return self._status(now)
        if method == "Shelly.GetDeviceInfo":
            what = {"name": None, "id": self.device_id, "model": "SPSW-104PE16EU", "app": "Pro4PM"}
            return what | {"gen": 2, "ver": "1.5.1", "profile": "switch"}
        if method == "Shelly.GetConfig":
            names = ("Light", None, "Pump", None)
            switches = {f"switch:{n}": {"id": n, "name": name} for n, name in enumerate(names)}
            return {"sys": {"device": {"name": None}}, **switches}
        return None

    def _notification(self, method: str, ts: float, components: dict[str, Any]) -> str:
        params = {"ts": round(float(ts), 2), **components}
        return _encode({"src": self.device_id, "dst": "ws", "method": method, "params": params})

    def _deltas(self, since: float, until: float) -> Iterator[tuple[float, dict[str, Any]]]:
        for number, load in enumerate(self.loads):
            for at, fields in load.deltas(since, until):
                yield at, {f"switch:{number}": fields}
        chore = math.ceil((since - self._phase) / CHORE_S)
        while (at := self._phase + chore * CHORE_S) < until:
            yield at, self._chore(chore, at)
            chore += 1

    def _chore(self, chore: int, now: float) -> dict[str, Any]:
        if chore % 3 == 0:
            return {"wifi": self._wifi(now)} if chore % 2 else {"sys": {"available_updates": {}}}
        number = chore % len(self.loads)
        return {f"switch:{number}": {"id": number, "temperature": self._temperature(now)}}

    def _status(self, now: float) -> dict[str, Any]:
        inputs = {f"input:{number}": {"id": number, "state": False} for number in range(4)}
        switches = {
            f"switch:{number}": {"id": number, "source": "init", "output": load.at(now).watts > 0}
            | self._meter(load, now)
            | {"temperature": self._temperature(now)}
            for number, load in enumerate(self.loads)
        }
        mac, uptime = self.device_id.rpartition("-")[2].upper(), int(now - self._started_at)
        system = {"mac": mac, "unixtime": int(now), "uptime": uptime, "available_updates": {}}
        connections = {"cloud": {"connected": True}, "eth": {"ip": None}, "ws": {"connected": True}}
        return inputs | switches | {"sys": system, "wifi": self._wifi(now)} | connections

    def _meter(self, load: Load, now: float) -> dict[str, Any]:
        step = load.at(now)
        voltage = NOMINAL_V + 2 * math.sin(now / 700 + self._phase)
        return {
            "apower": round(step.watts, 1),
            "aprtpower": round(voltage * step.amps, 1),
            "voltage": round(voltage, 1),
            "freq": 50.0,
            "current": round(step.amps, 3),
            "pf": round(step.watts / (voltage * step.amps), 2) if step.amps else 0.0,
            **_energy(load, now),
        }

    def _wifi(self, now: float) -> dict[str, Any]:
        rssi = round(-60 + 5 * math.sin(now / 1100 + self._phase))
        return {"sta_ip": "192.0.2.1", "status": "got ip", "ssid": "nowhere", "rssi": rssi}

    def _temperature(self, now: float) -> dict[str, float]:
        celsius = 48 + 4 * math.sin(now / 900 + self._phase)
        return {"tC": round(celsius, 1), "tF": round(celsius * 1.8 + 32, 1)}


def _energy(load: Load, now: float) -> dict[str, Any]:
    """The counter in Wh and the last three complete minutes in mWh, the newest first."""
    minute_ts = int(now // MINUTE_S) * MINUTE_S
    counts = [load.energy_wh(minute_ts - age * MINUTE_S) for age in range(4)]
    by_minute = [round((end - start) * 1000, 3) for end, start in pairwise(counts)]
    total = round(load.energy_wh(now), 3)
    returned = {"total": 0.0, "by_minute": [0.0, 0.0, 0.0], "minute_ts": minute_ts}
    return {"aenergy": returned | {"total": total, "by_minute": by_minute}, "ret_aenergy": returned}


def _integral(steps: list[Step]) -> float:
    """The watt seconds from the first step to the beginning of the last."""
    return sum(step.watts * (following.at - step.at) for step, following in pairwise(steps))
