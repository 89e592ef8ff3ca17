"""What the collector asks a device, and when. Pure: time is an argument, and nothing is sent here.

1. AT THE CONNECT the collector sends BOOTSTRAP, then asks for model, firmware and names.
2. ONE AT A TIME. Each request waits for the answer to the one before it, but no longer than
   GIVE_UP_S: answers get lost. A late answer still counts; an answer to no request does not.
3. SILENT METERS. Shelly.GetStatus is asked again when a logged channel that meters has given no
   reading for ASK_AGAIN_S, plus the connection's share of SPREAD_S, so that a fleet is not asked in
   one second; and again after each further such time. Some devices send nothing for hours at a
   steady load, and some firmware loses notifications; their answers are fresh.
4. A CHANNEL METERS from its first power or energy on, until a full status has neither. A relay
   without a meter is not waited for, and a device without any meter is not asked again. A device
   that has not given a full status yet is asked: it may have meters.
5. NAMES are asked for again after a config_changed event, at once, and once more NAMES_AGAIN_S
   later if further events came meanwhile: one change often makes several, a script a flood.
"""

from collections.abc import Collection, Iterable
from typing import Any

from powerlog.core.frame import Frame
from powerlog.core.protocol import BOOTSTRAP, CONFIG, INFO, REQUESTS, STATUS

ASK_AGAIN_S = 65.0  # a healthy device reports its meters each minute
SPREAD_S = 10.0
GIVE_UP_S = 20.0  # three of them are over before the first ASK_AGAIN_S
NAMES_AGAIN_S = 60.0
LONGEST_WAIT_S = ASK_AGAIN_S + SPREAD_S
NONE: frozenset[Any] = frozenset()  # one for all: each empty one made by - is 216 bytes
NAMES = frozenset({INFO, CONFIG})


class Questions:
    """The requests to one device on one connection; made when BOOTSTRAP is sent.

    All times are Unix seconds. meters maps each channel that meters to its last reading. Call
    look() at look_at, which is at most LONGEST_WAIT_S ahead.
    """

    def __init__(self, now: float, spread: float = 0.0) -> None:
        """spread: the connection's share of SPREAD_S, from 0 to 1."""
        self._patience_s = ASK_AGAIN_S + spread * SPREAD_S
        self._in_flight, self._wanted = STATUS, NAMES
        self._unanswered = frozenset({STATUS})
        self._asked_at = self._status_at = now
        self._names_at, self._names_changed = now - NAMES_AGAIN_S, False
        self._known = False  # it has given a full status
        self._others: frozenset[str] = NONE  # channels that are logged and do not meter
        self.meters: dict[str, float] = {}
        self.look_at = now + GIVE_UP_S

    def heard(self, frame: Frame, now: float, new: Iterable[str] = ()) -> None:
        """Note when the channels of this frame were read. new are its channels to be logged.

        Called for each frame: 0.1 µs for one channel, 0.2 for three.
        """
        meters = self.meters
        for reading in frame.readings:
            if reading.channel in meters:
                meters[reading.channel] = now
        if new:
            self._others = self._others.union(new)
        if frame.full or self._others:
            self._sort(frame, now)

    def _sort(self, frame: Frame, now: float) -> None:
        """Rule 4: separate the channels that meter from those that do not."""
        metering = {
            reading.channel
            for reading in frame.readings
            if reading.apower_w is not None or reading.energy_total_wh is not None
        }
        if frame.full:
            self._known = True
            for channel in self.meters.keys() - metering:
                del self.meters[channel]
                self._others |= {channel}
        self.meters |= dict.fromkeys(self._others & metering, now)
        self._others = self._others - metering or NONE

    def answered(self, number: int) -> bool:
        """Return whether this request was sent and had no answer yet."""
        if number == self._in_flight:
            self._in_flight = 0
        if number == STATUS:
            self._known = True
            self._wanted = self._wanted - {STATUS} or NONE
        expected = number in self._unanswered
        self._unanswered = self._unanswered - {number} or NONE
        return expected

    def config_changed(self, now: float) -> None:
        """Rule 5: ask for the names again, now or later."""
        if not 0 <= now - self._names_at < NAMES_AGAIN_S:
            self._want_names(now)
        elif not self._names_changed:
            self._names_changed = True
            self.look_at = min(self.look_at, self._names_at + NAMES_AGAIN_S)

    def want_all(self) -> None:
        """Ask everything at the next look(): earlier answers were not used."""
        self._wanted, self._known, self.look_at = NAMES | {STATUS}, False, 0.0

    def look(self, now: float, unlogged: Collection[str] = ()) -> str | None:
        """Return the request to send now, if any, and set look_at.

        unlogged are channels that staff have switched off.
        """
        if now < self.look_at - LONGEST_WAIT_S:
            self._start_over(now)
        waited = [at for channel, at in self.meters.items() if channel not in unlogged]
        watched = bool(waited) or not self._known
        since = max(self._status_at, min(waited, default=0.0))
        if watched and now - since >= self._patience_s:
            self._wanted |= {STATUS}
        if self._names_changed and now - self._names_at >= NAMES_AGAIN_S:
            self._want_names(now)
        self.look_at = now + self._patience_s
        request = self.next(now)
        if self._in_flight:
            self.look_at = min(self.look_at, self._asked_at + GIVE_UP_S)
        elif watched:
            self.look_at = min(self.look_at, since + self._patience_s)
        if self._names_changed:
            self.look_at = min(self.look_at, self._names_at + NAMES_AGAIN_S)
        return request

    def next(self, now: float) -> str | None:
        """Return the request to send now; None while one is in flight, or none is wanted."""
        if self._in_flight and now - self._asked_at >= GIVE_UP_S:
            self._in_flight = 0
        if self._in_flight or not self._wanted:
            return None
        number = min(self._wanted)
        self._wanted = self._wanted - {number} or NONE
        self._unanswered |= {number}
        self._in_flight, self._asked_at = number, now
        if number == STATUS:
            self._status_at = now
        self.look_at = min(self.look_at, now + GIVE_UP_S)
        return BOOTSTRAP[1] if number == STATUS else REQUESTS[number]

    def _want_names(self, now: float) -> None:
        self._wanted |= NAMES
        self._names_at, self._names_changed = now, False

    def _start_over(self, now: float) -> None:
        """Forget all times: the collector's clock was set back, and they lie in the future."""
        self.meters = dict.fromkeys(self.meters, now)
        self._asked_at = self._status_at = self._names_at = now
