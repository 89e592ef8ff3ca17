"""Who may speak: what staff have decided on devices and their tokens, in memory.

The promise: no handshake and no frame asks the database. The registry's thread reads anew every ten
seconds what staff have decided, in every process; what it was last is in SPOOL_DIR as well, so that
a collector that starts without its database keeps its doors as they were.

Of a token only its SHA-256 is kept. It is made here of 256 random bits: nobody guesses one, so that
a slow hash as for passwords would only make handshakes slow; and what a look-up by that hash takes
tells about the hash, from which no way leads back.
"""

import asyncio
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from powerlog.database.sql import WRITER
from powerlog.devices.connections import traffic
from powerlog.models import Device

WAITS = "waits for staff"
BLOCKED = "it is blocked"
OTHERS_TOKEN = "with the token of another device"
NOT_ITS_TOKEN = "not with its own token"
WITHDRAWN = "its token was withdrawn"


class Policy(msgspec.Struct, frozen=True):
    """accepted is of use with ADMISSION=approve only; holders are devices by the hash of their
    token."""

    blocked: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    holders: dict[str, str] = {}


class Admission:
    """policy is replaced as a whole where it has changed: a glance tells that it has not."""

    def __init__(self) -> None:
        self.policy = Policy()
        self._bound: frozenset[str] = frozenset()
        self._turned_out: set[asyncio.Task[None]] = set()

    def replace(self, policy: Policy) -> bool:
        """Whether anything is different."""
        if policy == self.policy:
            return False
        self._bound = frozenset(policy.holders.values())
        self.policy = policy
        return True

    def opens(self, key: str) -> bool:
        """Whether /ws opens for who presents the token of this hash; "" for none at all."""
        if key in self.policy.holders:
            return True
        if settings.WS_TOKEN:
            return compare_digest(key, digest(settings.WS_TOKEN))
        return not (key and self.policy.holders)  # where nobody has a token none is wrong

    def objection(self, device_id: str, key: str, held: str | None) -> str:
        """Why who presented this may not speak as this device; "": it may.

        held is whose token it was when the socket opened.
        """
        holder = self.policy.holders.get(key)
        if device_id in self.policy.blocked:
            return BLOCKED
        if held != holder:
            return WITHDRAWN
        if holder not in (None, device_id):
            return OTHERS_TOKEN
        if holder is None and device_id in self._bound:
            return NOT_ITS_TOKEN
        known = holder or device_id in self.policy.accepted
        return WAITS if settings.ADMISSION == "approve" and not known else ""

    def turn_out(self, waited: Iterable[Any] = ()) -> None:
        """Close the sockets of those who may not speak any more, before they speak again.

        waited are those who have not begun to speak, but must not wait any longer.
        """
        for connection in [*traffic.devices.values(), *waited]:
            if code := connection.peer.has_to_go():
                task = asyncio.ensure_future(connection.close(code))
                self._turned_out.add(task)
                task.add_done_callback(self._turned_out.discard)


def digest(token: str) -> str:
    return sha256(token.encode(errors="replace")).hexdigest() if token else ""


def new_token() -> str:
    return secrets.token_urlsafe(32)


def read() -> Policy:
    """As the database has it. Raises Django's database errors."""
    devices = Device.objects.using(WRITER)
    states = Device.Admission

    def of(state: str) -> frozenset[str]:
        return frozenset(devices.filter(admission=state).values_list("device_id", flat=True))

    holders = dict(devices.exclude(token_hash="").values_list("token_hash", "device_id"))
    accepted = of(states.ACCEPTED) if settings.ADMISSION == "approve" else frozenset()
    return Policy(of(states.BLOCKED), accepted, holders)


class Kept(Policy, frozen=True):
    """On the disk. database is the fingerprint of the one that it is from, 0: not known."""

    database: int = 0


def keep(policy: Policy, folder: Path, database: int = 0) -> None:
    """On the disk, for its owner only; a disk that takes nothing is the spool's to complain of."""
    path = place(folder, database)
    new = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.touch(mode=0o600)
        told = Kept(policy.blocked, policy.accepted, policy.holders, database)
        new.write_bytes(msgspec.json.encode(told))
        new.replace(path)


def kept(folder: Path, database: int = 0) -> Policy:
    found = _read(place(folder, database))
    return Policy(found.blocked, found.accepted, found.holders) if found else Policy()


def place(folder: Path, database: int) -> Path:
    """Where it is: `admission.json`, and one of our own beside it where that is of another
    database."""
    path = folder / "admission.json"
    found = _read(path)
    if found is None or found.database in (0, database):
        return path
    return path.with_stem(f"admission-{database:08x}")


def _read(path: Path) -> Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError):
        return None


admission = Admission()
