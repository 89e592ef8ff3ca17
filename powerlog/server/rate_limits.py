"""What a device, and an address, may send in all: budgets that outlive the socket.

A device has so many frames a second; one too many ends its socket. It has so many bytes as well,
and so has its address, which is an IPv4 address or an IPv6 /64, also a local one: what is beyond
is read later, and nothing is lost. What a device usually says does not touch the address's budget,
so that a neighbour who floods slows none of the others down.

The promise: to come again, or under another id, makes nobody's budget larger. Budgets are those of
one process, and are forgotten when they are full again.
"""

import time

from django.conf import settings

from powerlog.client_address import is_public, place
from powerlog.server.token_bucket import Bucket, Remembered

BURST_S = 10.0  # so many seconds' worth may come at once, as after a network that stalled
FRAMES_AT_ONCE = 100  # a socket draws so many, and so many bytes, at a time: that is cheap
BYTES_AT_ONCE = 8192
FRAME_WORTH = 1024  # bytes; with MESSAGE_OVERHEAD most frames weigh less
LEAST_FRAMES_PER_S = 200  # a limit of fewer frames is none for the bytes of a status
# What each device may say whatever its address has said: a status at once, and twice as much as the
# most talkative one in the long run.
OWN_BYTES, OWN_BYTES_PER_S = 16 * 1024, 1024
# An address has the bytes of ten devices, and saves up no more than an instant's: 500 KB of the
# dearest text take 0.2 s of CPU.
DEVICES_WORTH, PLACE_BURST_S = 10, 0.25
# A power cut is each of its devices dialling a few times within some minutes.
ARRIVALS_EACH, ARRIVALS_WITHIN_S = 4, 100.0
LEAST_ARRIVALS = 500
LOCAL_ARRIVALS = 20_000  # a fleet behind a balancer that nobody has called a proxy
LOCAL_ARRIVALS_PER_S = 100.0
FORGET_S = 300.0  # every bucket is full by then
MOST_GONE = 20_000


def bytes_per_s() -> float:
    """Of one device, in the long run."""
    return float(max(LEAST_FRAMES_PER_S, settings.MAX_FRAMES_PER_S) * FRAME_WORTH)


class Account:
    """The budget of a device on all its connections."""

    __slots__ = ("bytes", "frames", "own")

    def __init__(self, key: str, now: float) -> None:
        rate = settings.MAX_FRAMES_PER_S
        self.frames = Bucket(rate, rate * BURST_S, now)
        self.bytes = Bucket(bytes_per_s(), bytes_per_s() * BURST_S, now)
        self.own = Bucket(OWN_BYTES_PER_S, OWN_BYTES, now)

    def charge(self, other: "Account") -> None:
        """Take what was drawn from another one."""
        self.frames.charge(other.frames)
        self.bytes.charge(other.bytes)
        self.own.charge(other.own)


class Place:
    """The budget of an address, for all that comes from there."""

    __slots__ = ("arrivals", "bytes")

    def __init__(self, key: str, now: float) -> None:
        rate = bytes_per_s() * DEVICES_WORTH
        self.bytes = Bucket(rate, rate * PLACE_BURST_S, now)
        if is_public(key.partition("/")[0]):
            most = max(LEAST_ARRIVALS, ARRIVALS_EACH * settings.MAX_CONNECTIONS_PER_ADDRESS)
            self.arrivals = Bucket(most / ARRIVALS_WITHIN_S, most, now)
        else:
            self.arrivals = Bucket(LOCAL_ARRIVALS_PER_S, LOCAL_ARRIVALS, now)


class Places(Remembered[Place]):
    """By the addresses of callers."""

    def arrive(self, address: str) -> bool:
        """False: it has come too often. Either way it leaves when its connection does."""
        now = time.monotonic()
        return self.enter(place(address), now).arrivals.take(1, now) == 1

    def depart(self, address: str) -> None:
        self.leave(place(address), time.monotonic())


accounts: Remembered[Account] = Remembered(Account, FORGET_S, MOST_GONE)
places = Places(Place, FORGET_S, MOST_GONE)


class Budget:
    """What one connection draws from. Its account is its own until it has spoken for a device."""

    def __init__(self) -> None:
        self.account = Account("", time.monotonic())
        self.place: Place | None = None
        self.address = self._device_id = ""
        self._is_open = True

    def comes_from(self, address: str) -> None:
        self.address = place(address)
        self.place = places.enter(self.address, time.monotonic())

    def speaks_for(self, device_id: str) -> None:
        """The device may speak, on this connection: what was drawn here is the device's."""
        now, own = time.monotonic(), self.account
        self.account = accounts.enter(device_id, now)
        self.account.charge(own)
        if self._is_open:
            self._device_id = device_id
        else:  # its first message is handled when it is gone
            accounts.leave(device_id, now)

    def draw_frames(self) -> int:
        """So many may come next; 0: none."""
        return self.account.frames.take(FRAMES_AT_ONCE, time.monotonic())

    def draw_bytes(self, needed: int) -> tuple[int, float]:
        """Bytes, no less than are needed, and the seconds until they may be read."""
        now = time.monotonic()
        if drawn := self.account.own.take(max(needed, BYTES_AT_ONCE), now, needed):
            return drawn, 0.0
        granted = needed + BYTES_AT_ONCE
        wait_s = self.account.bytes.reserve(granted, now)
        if self.place:
            wait_s = max(wait_s, self.place.bytes.reserve(granted, now))
        return granted, wait_s

    def close(self, frames_left: int) -> None:
        """The connection is gone, with frames that it did not use."""
        now, self._is_open = time.monotonic(), False
        self.account.frames.give(max(0, frames_left))
        if self._device_id:
            accounts.leave(self._device_id, now)
        if self.place:
            places.leave(self.address, now)
