"""The decisions of staff on devices and access tokens, in memory: who may connect and send.

The promise: no handshake and no frame asks the database. In every process the registry's thread
reads the decisions every ten seconds. The last ones are in SPOOL_DIR as well, so that a collector
that starts without its database keeps them.

Only the SHA-256 of a token is stored. A token is 256 random bits and cannot be guessed, so a slow
hash, as for passwords, would only slow down handshakes. The time of a look-up by the hash can
reveal only the hash, which does not lead back to the token.
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
    """accepted is used with ADMISSION=approve only; holders are devices by the hash of their
    token."""

    blocked: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    holders: dict[str, str] = {}


class Admission:
    """policy is replaced as a whole when it changes, so that identity shows it is unchanged."""

    def __init__(self) -> None:
        self.policy = Policy()
        self._bound: frozenset[str] = frozenset()
        self._turned_out: set[asyncio.Task[None]] = set()

    def replace(self, policy: Policy) -> bool:
        """Replace the policy; return whether anything has changed."""
        if policy == self.policy:
            return False
        self._bound = frozenset(policy.holders.values())
        self.policy = policy
        return True

    def opens(self, key: str) -> bool:
        """Return whether /ws opens for the token with this hash; "": no token was presented."""
        if key in self.policy.holders:
            return True
        if settings.WS_TOKEN:
            return compare_digest(key, digest(settings.WS_TOKEN))
        return not (key and self.policy.holders)  # while no device has a token, none is wrong

    def objection(self, device_id: str, key: str, held: str | None) -> str:
        """Return why a connection with this token may not send as this device; "": it may.

        held is the device that the token belonged to when the socket opened.
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
        """Close the sockets of devices that may not send any more, before their next frame.

        waited are connections that have sent no frame yet and must not wait any longer.
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
    """Read the policy from the database. Raise Django's database errors."""
    devices = Device.objects.using(WRITER)
    states = Device.Admission

    def of(state: str) -> frozenset[str]:
        return frozenset(devices.filter(admission=state).values_list("device_id", flat=True))

    holders = dict(devices.exclude(token_hash="").values_list("token_hash", "device_id"))
    accepted = of(states.ACCEPTED) if settings.ADMISSION == "approve" else frozenset()
    return Policy(of(states.BLOCKED), accepted, holders)


class Kept(Policy, frozen=True):
    """The policy on the disk. database is the fingerprint of its database, 0: not known."""

    database: int = 0


def keep(policy: Policy, folder: Path, database: int = 0) -> None:
    """Write the policy to the disk, for the owner only. The spool reports a disk that fails."""
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
    """Return its path: `admission.json`, or a file of our own if that belongs to another
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
