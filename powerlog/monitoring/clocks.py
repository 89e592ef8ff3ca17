"""Detect wrong clocks: that of a device, or this machine's.

A row has its device's time if that is near this machine's, else the time of receipt (rule 2 of the
sampler). If this machine's clock is wrong, all rows are wrong, and no frame shows it. Two things
do: most devices are refused in the same direction, and the clock jumps against the monotonic one.
Both are checked once a minute: 10,000 devices take 15 ms.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any, NamedTuple, Protocol

import msgspec
from django.conf import settings
from twisted.internet.task import LoopingCall

from powerlog.core.contact import SILENT_S
from powerlog.core.device_state import DeviceState
from powerlog.devices.connections import traffic

logger = logging.getLogger(__name__)

LOOK_S = 60.0
STEADY_LOOKS = 3  # what is so for fewer is not worth a line: devices boot, and learn the time
SEVERAL = 3  # of fewer devices each may be wrong by itself
JUMP_S = 60.0
REAL_TIME = 1_577_836_800.0  # 2020: a Shelly that does not know the time yet counts from 1970
FRESH_S = 300.0


class Clocks(msgspec.Struct, frozen=True):
    """The number of devices with a known clock, and of those refused, ahead of this machine's and
    behind it; by how much (the median), and one of them."""

    known: int = 0
    ahead: int = 0
    behind: int = 0
    ahead_s: float = 0.0
    behind_s: float = 0.0
    one: str = ""


class Fault(NamedTuple):
    """Faults of the same kind share a line of the log. one: the device, if it is a single one."""

    kind: str
    text: str
    one: str = ""


ALL_WELL = Fault("", "")


def seen(connections: Iterable[Any], now: float) -> Clocks:
    """Return the state of the clocks of the devices on these connections."""
    # With a tolerance of 0 no clock is believed, however right it is.
    limit_s = settings.SAMPLING_RULES.clock_tolerance_s or JUMP_S
    known, ahead, behind, one = 0, [], [], ""
    for each in connections:
        # A quiet device knows nothing of a clock that has been set since.
        if abs(now - each.peer.heard_at) > SILENT_S:
            continue
        off_s = _ahead_s(each.sampler.device(each.peer.device_id), now)
        if off_s is None:
            continue
        known += 1
        if abs(off_s) > limit_s:
            (ahead if off_s > 0 else behind).append(abs(off_s))
            one = each.peer.device_id
    return Clocks(known, len(ahead), len(behind), _median(ahead), _median(behind), one)


def _ahead_s(device: DeviceState | None, now: float) -> float | None:
    """Return how far its clock is ahead of this machine's; None if not known: it has sent no
    ts, or none for minutes after a refused one, or it has booted and does not know the time yet."""
    if device is None or not device.clock_refused:
        return (device and device.clock_offset_s) or None
    ts, at = device.refused
    return ts - at if ts > REAL_TIME and abs(now - at) < FRESH_S else None


def total(parts: Sequence[Clocks]) -> Clocks:
    """Return the sums of several processes; each offset is from the one with most refused."""
    return Clocks(
        sum(each.known for each in parts),
        sum(each.ahead for each in parts),
        sum(each.behind for each in parts),
        max(parts, key=lambda each: each.ahead).ahead_s,
        max(parts, key=lambda each: each.behind).behind_s,
        max(each.one for each in parts),
    )


def fault(clocks: Clocks) -> Fault:
    """Return what is wrong, as a sentence. The direction with more devices counts."""
    count, where, off_s = clocks.ahead, "ahead of", clocks.ahead_s
    if clocks.behind > count:
        count, where, off_s = clocks.behind, "behind", clocks.behind_s
    if not count:
        return ALL_WELL
    of_all = f"{count} of {clocks.known} devices"
    off = f"{_long(off_s)} {where} this machine's"
    if count >= SEVERAL and 2 * count > clocks.known:
        text = f"the clocks of {of_all} are {off}: set its time (NTP)"
        return Fault(f"this machine, {where}", text)
    if clocks.ahead + clocks.behind > 1:
        text = f"the clocks of {of_all} are {off}: set the time of these devices"
        return Fault("devices", text)
    whose = of_all if clocks.known > 1 else "the device"
    return Fault(
        "devices", f"the clock of {whose} is {off}: set the time of that device", clocks.one
    )


class Reporter(Protocol):
    """A process of this collector, and its clocks."""

    pid: int
    clocks: Clocks


class ClockWatch:
    """seen is what was found at the last look, in this process; everybody says how all are."""

    def __init__(self) -> None:
        self.seen = Clocks()
        self.everybody: Callable[[], Sequence[Reporter]] = list
        self._told = self._last = ALL_WELL
        self._looks = 0
        self._ahead_s: float | None = None  # of the monotonic clock
        self._failed = False

    def start(self) -> None:
        """Look once a minute, on the event loop, which alone changes what is looked at."""
        self._notice_jump(time.time(), time.monotonic())
        LoopingCall(self.look_again).start(LOOK_S, now=False)

    def look_again(self) -> None:
        try:
            self.look(time.time(), time.monotonic())
        except Exception:
            # It would end all other looks as well.
            if not self._failed:
                logger.exception("the clocks cannot be compared")
            self._failed = True

    def look(self, now: float, monotonic_s: float) -> None:
        self.seen = seen(list(traffic.devices.values()), now)
        jump = self._notice_jump(now, monotonic_s)
        everybody = self.everybody()
        if everybody[0].pid != os.getpid():
            self._told = ALL_WELL
            return  # one process speaks for all
        if jump:
            logger.warning("%s", jump)
        self._judge(fault(total([each.clocks for each in everybody])))

    def _notice_jump(self, now: float, monotonic_s: float) -> str:
        """Return a sentence if the clock has jumped since the last look."""
        before_s, self._ahead_s = self._ahead_s, now - monotonic_s
        jump_s = self._ahead_s - before_s if before_s is not None else 0.0
        if abs(jump_s) < JUMP_S:
            return ""
        way = "forward: it was set, or the machine slept" if jump_s > 0 else "back: it was set"
        return f"this machine's clock has jumped {_long(abs(jump_s))} {way}"

    def _judge(self, found: Fault) -> None:
        """Log a fault that has lasted for a while, and its end."""
        self._looks = self._looks + 1 if found.kind == self._last.kind else 1
        self._last = found
        if found.kind == self._told.kind or self._looks < STEADY_LOOKS:
            return
        self._told = found
        if found is ALL_WELL:
            logger.warning("the clocks of the devices agree with this machine's again")
        else:
            logger.warning("%s%s", found.text, f" ({found.one})" if found.one else "")


def _median(values: list[float]) -> float:
    return median(values) if values else 0.0


def _long(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "h")):
        if seconds >= 3 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


clock_watch = ClockWatch()
