"""The health that `/` reports: of this process, and of those that share its port.

The promise: from memory alone. No request waits for the database, a disk, or another process.
"""

import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from powerlog import steady_thread as threads
from powerlog.core.contact import SILENT_S
from powerlog.devices.connections import traffic
from powerlog.devices.pending import waiting_room
from powerlog.monitoring.clocks import Clocks, clock_watch, fault, total
from powerlog.monitoring.maintenance import upkeep
from powerlog.server.slowed_addresses import slowed
from powerlog.writer.row_writer import SLOW_S, row_writer


class Health(msgspec.Struct):
    """How one process is: counts since its start, and Unix times; the names are the writer's.

    place is its number among those that share a port. at is when it was so, on the monotonic clock
    that all processes of a machine have. threads has the seconds since each of its threads finished
    a round, stuck those that have not for too long, with the reason.
    """

    pid: int
    place: str
    at: float
    devices: int
    silent: int
    guests: int
    frames: int
    kinds: dict[str, int]
    bad_frames: dict[str, int]
    texts: int
    refused: dict[str, int]
    written: int
    by_source: dict[str, int]
    write_counts: list[int]
    write_s: float
    waiting: int
    waiting_since: float | None
    rejected: dict[str, int]
    lost: int
    losers: int
    spooled: int
    spooled_since: float | None
    spool_fails: bool
    asking_since: float | None
    failing_since: float | None
    last_write_at: float | None
    data: str | None = None
    not_utf8: int = 0
    slowed: int = 0
    slowed_s: float = 0.0
    clocks: Clocks = Clocks()
    threads: dict[str, float] = {}
    stuck: dict[str, str] = {}


def own(place: str = "1") -> Health:
    backlog = row_writer.backlog
    age_s = backlog.age_s
    return Health(
        os.getpid(),
        place,
        time.monotonic(),
        len(traffic.devices),
        traffic.silent(time.time() - SILENT_S),
        len(waiting_room),
        traffic.frames,
        traffic.kinds,
        dict(traffic.rejected),
        traffic.texts,
        dict(traffic.refused),
        row_writer.written,
        dict(row_writer.accepted),
        row_writer.writes.counts,
        row_writer.writes.total_s,
        backlog.waiting,
        time.time() - age_s if age_s else None,
        dict(row_writer.rejected),
        backlog.lost,
        backlog.losers,
        backlog.spooled,
        backlog.spool and backlog.spool.oldest_at,
        backlog.spool_fails and backlog.waiting > 0,  # what was so when it was tried last
        row_writer.asking_since,
        row_writer.failing_since,
        row_writer.last_write_at,
        upkeep.data,
        traffic.not_utf8,
        len(slowed),
        slowed.seconds,
        clock_watch.seen,
        threads.ages(),
        threads.stuck(),
    )


def well(all_of_them: Sequence[Health], expected: int = 1) -> bool:
    """Return whether all is well: all that a stranger may know."""
    now = time.time()
    hang = any(each.asking_since and now - each.asking_since > SLOW_S for each in all_of_them)
    fail = any(each.failing_since or each.spool_fails or each.stuck for each in all_of_them)
    return len(all_of_them) == expected and not hang and not fail


def lines(all_of_them: Sequence[Health], expected: int = 1) -> dict[str, object]:
    """Return the lines of `/`: the sums, the worst state of the database, and each process."""
    sums = {
        "collector": "running",
        "devices connected": sum(each.devices for each in all_of_them),
        **_if_any("devices waiting for staff", sum(each.guests for each in all_of_them)),
        "frames": sum(each.frames for each in all_of_them),
        "bad frames": _by_reason(each.bad_frames for each in all_of_them),
        "frames not UTF-8": sum(each.not_utf8 for each in all_of_them),
        **_if_any("values that are text", sum(each.texts for each in all_of_them)),
        "refused": _by_reason(each.refused for each in all_of_them),
        **_if_any("read more slowly", _slowed(all_of_them)),
        "rows written": sum(each.written for each in all_of_them),
        "rows waiting": sum(each.waiting for each in all_of_them),
        "rows rejected": _by_reason(each.rejected for each in all_of_them),
        "rows lost": sum(each.lost for each in all_of_them),
        # One that floods comes to all processes: their sum would count it several times.
        **_if_any("addresses with rows lost", max(each.losers for each in all_of_them)),
        "spool": _spool(all_of_them),
        "last write": _last_write(all_of_them),
        **_if_any("clocks", fault(total([each.clocks for each in all_of_them])).text),
    }
    if stuck := _stuck(all_of_them, expected):
        sums["threads"] = stuck
    if data := next(filter(None, (each.data for each in all_of_them)), None):
        sums["data"] = data  # all write into the same database
    if expected == 1:
        return sums
    each_by_itself = {f"process {each.pid}": _one(each) for each in all_of_them}
    return sums | {"processes": f"{len(all_of_them)} of {expected}"} | each_by_itself


def _if_any(name: str, found: int | str) -> dict[str, object]:
    return {name: found} if found else {}


def _stuck(all_of_them: Sequence[Health], expected: int) -> str:
    """Return the threads that are stuck, with their process if there are several."""
    return "; ".join(
        f"{name}{f' of process {each.pid}' if expected > 1 else ''}: {why}"
        for each in all_of_them
        for name, why in each.stuck.items()
    )


def _one(each: Health) -> str:
    devices, waiting = _counted(each.devices, "device"), _counted(each.waiting, "row")
    return f"{devices}, {waiting} waiting, spool {_spool([each])}"


def _by_reason(parts: Iterable[dict[str, int]]) -> str:
    """Return the sum, and its parts by reason."""
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    return f"{counts.total()} ({reasons})" if reasons else "0"


def _slowed(all_of_them: Sequence[Health]) -> str:
    """Return the count of addresses that send too much. Such an address comes to all processes."""
    now = max(each.slowed for each in all_of_them)
    seconds = round(sum(each.slowed_s for each in all_of_them))
    many = "1 address" if now == 1 else f"{now} addresses"
    return f"{many} now, {seconds} s in all" if now or seconds else ""


def _spool(all_of_them: Sequence[Health]) -> str:
    fails = ", the disk takes nothing" if any(each.spool_fails for each in all_of_them) else ""
    oldest_at = _earliest(each.spooled_since for each in all_of_them)
    if not oldest_at:
        return f"empty{fails}"
    spooled = sum(each.spooled for each in all_of_them)
    return f"{_counted(spooled, 'row')}, the oldest {_ago(oldest_at)} old{fails}"


def _last_write(all_of_them: Sequence[Health]) -> str:
    asking = _earliest(each.asking_since for each in all_of_them)
    if asking is not None and time.time() - asking > SLOW_S:
        return f"the database has not answered for {_ago(asking)}"
    if failing := _earliest(each.failing_since for each in all_of_them):
        return f"failed, the database has taken no rows for {_ago(failing)}"
    last = max((each.last_write_at or 0.0 for each in all_of_them), default=0.0)
    return f"ok, {_ago(last)} ago" if last else "none yet"


def _earliest(times: Iterable[float | None]) -> float | None:
    return min(filter(None, times), default=None)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _ago(ts: float) -> str:
    return f"{max(0, time.time() - ts):.0f} s"
