"""The pending devices (ADMISSION=approve): listed for staff, and none of their readings stored.

The promise: invented ids fill neither memory nor table. The places in each process and in the table
are limited; a device that finds none is disconnected, and connects again. The place in the table of
a device that is no longer connected goes to one that needs it. If all places are taken, the address
with most of them gives one to an address with fewer, in both: no single address keeps the others
out.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from powerlog.client_address import place
from powerlog.core.device_info import About
from powerlog.core.frame import Frame
from powerlog.database.sql import WRITER, moment
from powerlog.log_once import once
from powerlog.models import Device

logger = logging.getLogger(__name__)

PLACES = 200
STORE_S = 5.0
STALE = timedelta(seconds=20)  # a connected device is written four times as often
LONGEST_SAYING = 200
CHANNELS_SHOWN = 8


class Caller(Protocol):
    """The connection of a pending device."""

    address: str
    device_id: str | None

    async def close(self, code: int) -> None: ...

    def send_away(self) -> None:
        """Close the connection: its place is needed."""


class Guest:
    """A pending device on its connection; says is the text by which staff recognise it."""

    def __init__(self, peer: Caller) -> None:
        self.peer, self.place = peer, place(peer.address)
        self.about = About()
        self._watts: dict[str, float] = {}

    async def close(self, code: int) -> None:
        await self.peer.close(code)

    def hear(self, frame: Frame) -> None:
        if frame.about and frame.about.model is not None:
            self.about = frame.about
        for reading in frame.readings[:CHANNELS_SHOWN]:
            if reading.apower_w is not None and len(self._watts) < CHANNELS_SHOWN:
                self._watts[reading.channel] = reading.apower_w

    def device(self, now: float) -> Device:
        """Return its row for the table, seen now because it is still connected."""
        shown = ", ".join(f"{channel} {watts:g} W" for channel, watts in list(self._watts.items()))
        seen = moment(now)
        return Device(
            device_id=self.peer.device_id,
            address=self.peer.address,
            model=self.about.model or "",
            firmware=self.about.firmware or "",
            reported_name=self.about.name or "",
            first_seen_at=seen,
            last_seen_at=seen,
            says=shown[:LONGEST_SAYING],
            admission=Device.Admission.WAITING,
        )


class WaitingRoom:
    """The pending devices of this process, for the event loop and the registry's thread."""

    def __init__(self) -> None:
        self._guests: dict[str, Guest] = {}
        self._stored_at = 0.0

    def __len__(self) -> int:
        return len(self._guests)

    def hear(self, peer: Caller, frame: Frame) -> bool:
        """Add a pending device or update it; return False if there is no place left."""
        guest = self._guests.get(frame.device_id)
        if guest is None or guest.peer is not peer:
            if guest is None and not self._has_place(place(peer.address)):
                return False
            guest = self._guests[frame.device_id] = Guest(peer)
        guest.hear(frame)
        return True

    def _has_place(self, newcomer: str) -> bool:
        """Return whether there is a place; disconnect another pending device if needed."""
        if len(self._guests) < PLACES:
            return True
        guests = list(self._guests.values())
        index = crowded_out([guest.place for guest in guests], newcomer)
        if index is None:
            return False
        self.leave(guests[index].peer)
        guests[index].peer.send_away()
        return True

    def leave(self, peer: Caller) -> None:
        guest = self._guests.get(peer.device_id or "")
        if guest and guest.peer is peer:
            del self._guests[guest.peer.device_id or ""]

    def call(self) -> list[Guest]:
        """Remove and return the devices that staff have decided on, before their next frame."""
        called = [each for each in self._guests.values() if not each.peer.has_to_wait()]
        for guest in called:
            self.leave(guest.peer)
        return called

    def store(self, now: float) -> None:
        """Bring the list up to date, every few seconds. Raise Django's database errors."""
        if now - self._stored_at >= STORE_S and self._guests:
            self._stored_at = now
            store([guest.device(now) for guest in list(self._guests.values())], now)


def store(here: Sequence[Device], now: float) -> None:
    waiting = Device.objects.using(WRITER).filter(admission=Device.Admission.WAITING)
    fields = ("address", "model", "firmware", "reported_name", "last_seen_at", "says")
    known = waiting.filter(device_id__in=[each.device_id for each in here]).in_bulk(
        field_name="device_id"
    )
    for each in here:
        if before := known.get(each.device_id):
            each.pk = before.pk
    waiting.bulk_update([each for each in here if each.pk], fields)
    new = [each for each in here if not each.pk]
    if new and waiting.count() + len(new) > PLACES:
        waiting.filter(last_seen_at__lt=moment(now) - STALE).delete()
    there = waiting.order_by("first_seen_at", "pk") if new else []
    listed = seat([*there], new)
    kept = {each.device_id for each in listed}
    waiting.filter(pk__in=[each.pk for each in there if each.device_id not in kept]).delete()
    # Who is there already in another state was decided on a moment ago.
    seated = [each for each in new if each.device_id in kept]
    Device.objects.using(WRITER).bulk_create(seated, ignore_conflicts=True)
    if len(seated) < len(new):
        once(logger, logging.WARNING, f"the waiting room is full: {PLACES} devices wait for staff")


def seat(there: Sequence[Device], new: Sequence[Device]) -> list[Device]:
    """Return the devices that have a place in the table. All are in order of arrival."""
    listed = list(there)
    for each in new:
        if len(listed) >= PLACES:
            index = crowded_out([place(other.address) for other in listed], place(each.address))
            if index is None:
                continue
            del listed[index]
        listed.append(each)
    return listed


def crowded_out(places: Sequence[str], newcomer: str) -> int | None:
    """Return who gives its place to a newcomer: the newest of the address with most; None: no one.

    A place that would only go back and forth between two addresses stays where it is.
    """
    many = Counter(places)
    fullest, most = many.most_common(1)[0]
    if many[newcomer] + 1 >= most:
        return None
    return len(places) - 1 - places[::-1].index(fullest)


waiting_room = WaitingRoom()
