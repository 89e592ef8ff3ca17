"""Order the records of a long spool file by turns: of origins, and within them of devices.

A lane is a device, with the origin of its first waiting record: the records of one device are one
sequence, from any origins. Lanes are a table of the same file, changed in the same transactions as
the records, so that thousands of invented devices take no memory. Only the number of records by
origin is in memory, for up to MAX_ORIGINS; all others count as one.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from powerlog.writer.fair_queue import give_up

SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS lanes (
        device_id TEXT PRIMARY KEY, origin TEXT NOT NULL, held INTEGER NOT NULL,
        turn INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS lanes_turn ON lanes (origin, turn)",
    "CREATE INDEX IF NOT EXISTS spool_device ON spool (device_id)",
)
# Finds a file that was short meanwhile, or that a collector without lanes has written.
WRONG = """
SELECT 1 FROM (SELECT device_id, count(*) AS number FROM spool GROUP BY device_id)
LEFT JOIN lanes USING (device_id) WHERE held IS NOT number LIMIT 1
"""
RECOUNT = (
    "DELETE FROM lanes WHERE device_id NOT IN (SELECT device_id FROM spool)",
    """
    INSERT INTO lanes
    SELECT device_id, '', count(*), min(id) FROM spool WHERE true GROUP BY device_id
    ON CONFLICT (device_id) DO UPDATE SET held = excluded.held
    """,
)
ADD = """
INSERT INTO lanes VALUES (?, ?, ?, ?)
ON CONFLICT (device_id) DO UPDATE SET held = held + excluded.held
RETURNING origin
"""
OF_ORIGIN = "SELECT device_id, turn FROM lanes WHERE origin = ? AND turn > ? ORDER BY turn LIMIT ?"
HEAVIEST = "SELECT device_id, held FROM lanes WHERE origin = ? ORDER BY held DESC LIMIT ?"
NEXT = "SELECT id, kind, body FROM spool WHERE device_id = ? AND id > ? ORDER BY id LIMIT ?"
UP_TO = "SELECT id FROM spool WHERE device_id = ? ORDER BY id LIMIT 1 OFFSET ?"
REMOVE = "DELETE FROM spool WHERE device_id = ? AND id BETWEEN ? AND ?"
IN_RANGE = """
SELECT device_id, min(id), max(id), count(*), coalesce(origin, '')
FROM spool LEFT JOIN lanes USING (device_id) WHERE id BETWEEN ? AND ? GROUP BY device_id
"""
MAX_ORIGINS = 20_000
OTHERS = ""  # the origins beyond MAX_ORIGINS, and unknown ones
TURN_ROWS = 50  # at least so many rows of an origin in its turn
DEVICE_ROWS = 50  # rows of a device: each device takes a query, and the sums of its day another
AT_ONCE = 1000

Records = list[tuple[str, str]]  # kind and body
Skip = Callable[[str], bool]


class Taken(NamedTuple):
    """Records of one device between two ids, their number, and the origin that they count for."""

    first: int
    last: int
    count: int
    origin: str


class Lanes:
    """held is the number of records by origin, in the order of their turns.

    Call add() and remove() in a transaction, and count() after it.
    """

    def __init__(self, connection: sqlite3.Connection, homes: Mapping[str, str]) -> None:
        """Count what is in the file, in a transaction. homes are the known origins of devices that
        the file does not have. Raise sqlite3.Error."""
        self._connection = connection
        for statement in SCHEMA:
            connection.execute(statement)
        if connection.execute(WRONG).fetchone():
            for statement in RECOUNT:
                connection.execute(statement)
            connection.executemany(
                "UPDATE lanes SET origin = ? WHERE device_id = ?",
                ((origin, device_id) for device_id, origin in homes.items()),
            )
        query = "SELECT origin, sum(held) FROM lanes GROUP BY origin"
        self.held: OrderedDict[str, int] = OrderedDict(connection.execute(query))
        (last,) = connection.execute("SELECT max(turn) FROM lanes").fetchone()
        self._turn: int = last or 0

    def add(self, device_id: str, origin: str, number: int) -> str:
        """Add this many records of a device. Return the origin that they count for."""
        known = origin in self.held or len(self.held) < MAX_ORIGINS
        self._turn += 1
        lane = (device_id, origin if known else OTHERS, number, self._turn)
        (home,) = self._connection.execute(ADD, lane).fetchone()
        return home

    def count(self, changes: Iterable[tuple[str, int]]) -> None:
        """Add these numbers to the counts of their origins."""
        for origin, number in changes:
            self.held[origin] = self.held.get(origin, 0) + number
            if self.held[origin] <= 0:
                del self.held[origin]

    def head(
        self, limit: int, skip: Skip, done: Mapping[str, Taken]
    ) -> tuple[Records, dict[str, Taken]]:
        """Return up to `limit` of the next records, origin by origin, and their places. Leave out
        devices for which skip() is true, and records that are done."""
        records: Records = []
        taken: dict[str, Taken] = {}
        exhausted: set[str] = set()
        share = max(TURN_ROWS, limit // max(1, len(self.held)))
        while len(exhausted) < len(self.held) and (room := limit - len(records)) > 0:
            origin = next(iter(self.held))
            self.held.move_to_end(origin)
            if origin not in exhausted:
                part = self._of(origin, min(share, room), skip, taken, done)
                records += part
                if len(part) < share:
                    exhausted.add(origin)
        return records, taken

    def remove(self, taken: Mapping[str, Taken]) -> dict[str, int]:
        """Delete these records, and move the next turn of their devices after all others. Return
        how many were deleted, by device."""
        execute = self._connection.execute
        removed = {
            device_id: execute(REMOVE, (device_id, each.first, each.last)).rowcount
            for device_id, each in taken.items()
        }
        first, self._turn = self._turn + 1, self._turn + len(removed)
        changes = ((n, turn, device) for turn, (device, n) in enumerate(removed.items(), first))
        update = "UPDATE lanes SET held = held - ?, turn = ? WHERE device_id = ?"
        self._connection.executemany(update, changes)
        delete = "DELETE FROM lanes WHERE device_id = ? AND held <= 0"
        self._connection.executemany(delete, ((device,) for device in removed))
        return removed

    def in_range(self, first: int, last: int) -> dict[str, Taken]:
        """Return the records between these two ids, by device."""
        found = self._connection.execute(IN_RANGE, (first, last)).fetchall()
        return {device_id: Taken(*each) for device_id, *each in found}

    def oldest_of_heaviest(self, origin: str, count: int) -> dict[str, Taken]:
        """Return the oldest records, up to `count`, of the devices of an origin that hold most."""
        self._connection.execute("CREATE INDEX IF NOT EXISTS lanes_held ON lanes (origin, held)")
        heaviest = dict(self._connection.execute(HEAVIEST, (origin, AT_ONCE)).fetchall())
        taken = {}
        for device_id, number in give_up(heaviest, count).items():
            found = self._connection.execute(UP_TO, (device_id, number - 1)).fetchone()
            if found:
                taken[device_id] = Taken(0, found[0], number, origin)
        return taken

    def _of(
        self,
        origin: str,
        share: int,
        skip: Skip,
        taken: dict[str, Taken],
        done: Mapping[str, Taken],
    ) -> Records:
        """Return up to `share` records of this origin, device by device, and add to taken."""
        found: Records = []
        after, some = -1, False
        while (room := share - len(found)) > 0:
            query = (origin, after, max(1, room // DEVICE_ROWS))
            devices = self._connection.execute(OF_ORIGIN, query).fetchall()
            if not devices:
                if not some:
                    break  # there is nothing more
                after, some = -1, False
                continue
            each, after = max(1, room // len(devices)), devices[-1][1]
            for device_id, _ in devices:
                limit = min(each, share - len(found))
                if limit and not skip(device_id):
                    part = self._next(origin, device_id, limit, taken, done)
                    found += part
                    some = some or bool(part)
        return found

    def _next(
        self,
        origin: str,
        device_id: str,
        limit: int,
        taken: dict[str, Taken],
        done: Mapping[str, Taken],
    ) -> Records:
        before = taken.get(device_id) or done.get(device_id)
        since = before.last if before else 0
        found = self._connection.execute(NEXT, (device_id, since, limit)).fetchall()
        if found:
            count = len(found) + (taken[device_id].count if device_id in taken else 0)
            taken[device_id] = Taken(0, found[-1][0], count, origin)
        return [record[1:] for record in found]
