"""Exchange with the database: write the connected devices and channels, read staff's settings.

The promise: nothing here waits for the database, and no frame asks it. A thread writes what is new
to `devices`, `channels` and `silences`, within seconds while the database is there. It reads what
staff have set for single channels every ten seconds. While the database is away the newest facts of
each device are kept, for up to MAX_GONE devices that have gone; the time of the last frame is on
the disk as well. More than SILENT_S between two frames of a device is a silence, on one connection
or over several. It is noted with the second frame, so nothing that happens after it loses it.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from powerlog.core.channel_state import Own
from powerlog.core.device_info import About
from powerlog.core.frame import ChannelKey, Frame
from powerlog.core.sampler import Sampler
from powerlog.database.sql import WRITER
from powerlog.database.sqlite_files import fingerprint
from powerlog.devices.access import admission, keep, kept, place, read
from powerlog.devices.last_contact import SeenFiles
from powerlog.devices.pending import waiting_room
from powerlog.devices.records import Facts, own_settings, store_facts
from powerlog.devices.session import Peer
from powerlog.steady_thread import SteadyThread

TICK_S = 1.0
RELOAD_S = 10.0
HEARD_S = 5.0  # how often the last contact of a device is written ...
HEARD_A_SECOND = 500  # ... but no more than so many a second
KEPT_S = 5.0  # between two writes to the disk while the database is away
MAX_GONE = 20_000
STOP_LIMIT_S = 2.0
DATABASE = fingerprint(settings.DATABASES[WRITER])


class Registry:
    """own has what staff have set for single channels; replaced as a whole, never changed.

    doors_changed is called in the registry's thread when staff have decided on who may speak.
    """

    def __init__(self) -> None:
        self.doors_changed: Callable[[], object] = lambda: None
        self.own: Mapping[ChannelKey, Own] = {}
        self._here: dict[str, Facts] = {}
        self._news: dict[str, Facts] = {}  # not yet in the database
        self._storing: dict[str, Facts] = {}  # on their way into it
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: SteadyThread | None = None
        self._reload_at = self._heard_at = self._kept_at = 0.0
        self._files = SeenFiles(settings.SPOOL_DIR, DATABASE)

    def start(self) -> None:
        admission.replace(kept(settings.SPOOL_DIR, DATABASE))
        self._news = self._files.left() | self._news
        # The writer logs that the database is away.
        away = (OperationalError, InterfaceError)
        self._thread = SteadyThread("registry", self._keep, at_end=self._keep_last, quiet=away)
        self._thread.start()

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """Write what is not written yet, for at most this long."""
        self._stopping.set()
        if self._thread:
            self._thread.join(limit_s)
            if self._thread.is_alive():  # the database hangs
                self._files.keep(self._unstored())

    def met(self, device_id: str, peer: Peer, sampler: Sampler | None = None) -> None:
        """Note a device's first frame on this connection; sampler has the state of its channels."""
        with self._lock:
            before = self._news.get(device_id) or self._storing.get(device_id)
            facts = Facts(device_id, peer, before, sampler)
            self._here[device_id] = self._news[device_id] = facts

    def learn(self, device_id: str, about: About | None) -> None:
        """Note the device's answer about model, firmware and names."""
        with self._lock:
            if about and (facts := self._here.get(device_id)):
                facts.learn(about)
                self._news[device_id] = facts

    def meters(self, device_id: str, channels: Sequence[str]) -> None:
        """Note channels that meter; they are logged unless staff have switched them off."""
        with self._lock:
            if facts := self._here.get(device_id):
                facts.meters |= dict.fromkeys(channels)
                self._news[device_id] = facts

    def was_silent(self, device_id: str, since: float, until: float) -> None:
        """Note the time between two frames of a device, if it is more than SILENT_S."""
        with self._lock:
            if facts := self._here.get(device_id):
                facts.was_silent(since, until)
                self._news[device_id] = facts

    def powers(self, frame: Frame) -> None:
        """Note the channels that have a meter: those with a reported power, even 0 W or null."""
        powered = {
            each.channel for each in frame.readings if each.apower_w is not None or each.power_lost
        }
        if not powered:
            return
        with self._lock:
            if facts := self._here.get(frame.device_id):
                facts.powered |= powered & facts.meters.keys()
                self._news[frame.device_id] = facts

    def gone(self, device_id: str) -> None:
        """Note the end of the device's live connection."""
        with self._lock:
            if facts := self._here.pop(device_id, None):
                facts.leave()
                self._news[device_id] = facts
                self._forget_oldest()

    def _forget_oldest(self) -> None:
        beyond = len(self._news) - len(self._here) - MAX_GONE
        if beyond > 0:
            gone = [key for key, facts in self._news.items() if not facts.connected]
            for device_id in gone[:beyond]:
                del self._news[device_id]

    def _keep(self) -> bool:
        if self._stopping.wait(TICK_S):
            return False
        if failure := self._exchange_or_keep(time.time()):
            raise failure
        return True

    def _keep_last(self) -> None:
        self._kept_at = 0.0
        self._exchange_or_keep(time.time())
        connections[WRITER].close()

    def _exchange_or_keep(self, now: float) -> BaseException | None:
        failure = self.exchange(now)
        if failure is None:
            self._files.forget()
        elif not 0 <= now - self._kept_at < KEPT_S:
            self._kept_at = now
            self._files.keep(self._unstored())
        return failure

    def _unstored(self) -> list[Facts]:
        with self._lock:
            return list((self._here | self._storing | self._news).values())

    def exchange(self, now: float) -> BaseException | None:
        """Write what is new to the database, and read what staff have set.

        Return the error if some of it failed; all of it is tried again. A failure does not stop the
        rest, unless the database is away: staff can block a device even if writing another one
        fails.
        """
        jobs: list[Callable[[float], object]] = [self._store_news, waiting_room.store]
        if now - self._reload_at >= RELOAD_S:
            jobs.append(self._reload)
        failure: BaseException | None = None
        for job in jobs:
            try:
                job(now)
            except BaseException as exc:  # noqa: BLE001 (the thread raises it)
                failure = failure or exc
                connections[WRITER].close()
                if isinstance(exc, (OperationalError, InterfaceError)):
                    break
        return failure

    def _store_news(self, now: float) -> None:
        news = self._take(now)
        try:
            store_facts(news)
        except BaseException:
            with self._lock:
                self._news, self._storing = self._storing | self._news, {}
            raise
        with self._lock:
            self._storing = {}

    def _reload(self, now: float) -> None:
        self._reload_doors()
        self.own = own_settings()
        self._reload_at = now

    def _reload_doors(self) -> None:
        changed = admission.replace(read())
        if changed or not place(settings.SPOOL_DIR, DATABASE).exists():
            keep(admission.policy, settings.SPOOL_DIR, DATABASE)
        if changed:
            self.doors_changed()

    def _take(self, now: float) -> list[Facts]:
        with self._lock:
            news, self._news = self._news, {}
            if now - self._heard_at >= max(HEARD_S, len(self._here) / HEARD_A_SECOND):
                self._heard_at = now
                news = {key: each for key, each in self._here.items() if each.note()} | news
            self._storing = news
        return list(news.values())


registry = Registry()
