"""Keep the last contact of devices on the disk over a restart, while the database is away.

Without it such a restart loses the silences of that time, and then stores one long silence although
the devices were in contact. If the disk fails, the collector goes on without it. Each process
writes a file of its own, and takes over all files when it starts. A process that still runs writes
its file again within seconds, and storing a silence twice is the same as storing it once.

The name of a file contains the fingerprint of its database, so that two collectors with two
databases may share one folder (see sqlite_files.py). A file without one, from before there were
fingerprints, is adopted by the first process that starts.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from powerlog.devices.records import Facts
from powerlog.devices.session import Peer


class Seen(msgspec.Struct):
    """The part of Facts that no device reports again. Unix seconds."""

    device_id: str
    address: str
    since: float
    heard_at: float
    stored: bool
    silences: list[tuple[float, float]]


_decode = msgspec.json.Decoder(list[Seen]).decode


class SeenFiles:
    """The files in this folder that are of this database. For one thread at a time."""

    def __init__(self, folder: Path, database: int) -> None:
        self._folder, self._name = folder, f"seen-{database:08x}"
        self._own = self._place(str(os.getpid()))
        self._there: set[Path] = set()

    def keep(self, known: Iterable[Facts]) -> None:
        """Replace this process's file."""
        seen = [
            Seen(
                each.device_id,
                each.peer.address,
                each.since,
                each.peer.heard_at,
                each.stored,
                list(each.silences),
            )
            for each in known
        ]
        new = self._own.with_suffix(".new")
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.touch(mode=0o600)
            new.chmod(0o600)  # one that was there already
            new.write_bytes(msgspec.json.encode(seen))
            new.replace(self._own)
            self._there.add(self._own)

    def left(self) -> dict[str, Facts]:
        """Return the devices of processes that ended, with their last contact."""
        found: dict[str, Facts] = {}
        self._adopt()
        for path in self._folder.glob(f"{self._name}-*.json"):
            with suppress(OSError, msgspec.MsgspecError):
                for seen in _decode(path.read_bytes()):
                    found[seen.device_id] = _newest(_facts(seen), found.get(seen.device_id))
            self._there.add(path)
        return found

    def forget(self) -> None:
        """Delete the files: the database has all of it."""
        for path in self._there:
            with suppress(OSError):
                path.unlink()
        self._there.clear()

    def _adopt(self) -> None:
        """Rename the files that belong to no database: only one of two processes succeeds."""
        for path in self._folder.glob("seen-*.json"):
            pid = path.stem.removeprefix("seen-")
            if pid.isdecimal():
                with suppress(OSError):
                    path.rename(self._place(f"{pid}-old")).chmod(0o600)

    def _place(self, process: str) -> Path:
        return self._folder / f"{self._name}-{process}.json"


def _facts(seen: Seen) -> Facts:
    peer = Peer({"client": (seen.address, 0)})
    peer.device_id, peer.heard_at = seen.device_id, seen.heard_at
    facts = Facts(seen.device_id, peer)
    facts.since, facts.stored, facts.silences = seen.since, seen.stored, seen.silences
    facts.connected = False
    return facts


def _newest(one: Facts, other: Facts | None) -> Facts:
    if other is None:
        return one
    newest = max(one, other, key=lambda facts: facts.peer.heard_at)
    newest.silences = one.silences + other.silences
    return newest
