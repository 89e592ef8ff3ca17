"""The devices that wait for staff (ADMISSION=approve): listed, and nothing of what they say stored.

The promise: whoever invents ids fills neither memory nor table. There are so many places in each
process, and so many in the table; who finds none is sent away, and dials again. A place in the
table of one that is not connected any more is given to whoever needs it. Where all are taken the
address that has most of them gives one to an address that has fewer, in both: no single address
keeps the others out.
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
STALE = timedelta(seconds=20)  # of a connected one every process tells four times as often
LONGEST_SAYING = 200
CHANNELS_SHOWN = 8


class Caller(Protocol):
    """The connection of a pending device."""

    address: str
    device_id: str | None

    async def close(self, code: int) -> None: ...

    def send_away(self) -> None:
        """Close it: its place is needed."""


class Guest:
    """One device that waits, on its connection; says is what staff are to recognise it by."""

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
        """As it is in the table: seen now, for it is still there."""
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
    """For the event loop and the registry's thread."""

    def __init__(self) -> None:
        self._guests: dict[str, Guest] = {}
        self._stored_at = 0.0

    def __len__(self) -> int:
        return len(self._guests)

    def hear(self, peer: Caller, frame: Frame) -> bool:
        """False: there is no place left."""
        guest = self._guests.get(frame.device_id)
        if guest is None or guest.peer is not peer:
            if guest is None and not self._has_place(place(peer.address)):
                return False
            guest = self._guests[frame.device_id] = Guest(peer)
        guest.hear(frame)
        return True

    def _has_place(self, newcomer: str) -> bool:
        """Send a guest away for it, if need be."""
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
        """Send out those whom staff have decided on, though they have not spoken since."""
        called = [each for each in self._guests.values() if not each.peer.has_to_wait()]
        for guest in called:
            self.leave(guest.peer)
        return called

    def store(self, now: float) -> None:
        """Bring the list up to date, every few seconds. Raises Django's database errors."""
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
    """Who of them has a place in the table. All are in the order in which they came."""
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
    """Who makes place for one from there: the newest from where most are; None: nobody has to.

    A place that would only go to and fro between two addresses stays where it is.
    """
    many = Counter(places)
    fullest, most = many.most_common(1)[0]
    if many[newcomer] + 1 >= most:
        return None
    return len(places) - 1 - places[::-1].index(fullest)


waiting_room = WaitingRoom()
