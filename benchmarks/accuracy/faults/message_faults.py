"""Channels that disappear or are silent, devices that only answer, texts that are cut."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from operator import attrgetter
from random import Random

from benchmarks.accuracy.faults.fault import LEAST_W, Fault, Traits, draw_silence
from benchmarks.accuracy.wiring import Wiring
from powerlog.simulation.channel import Channel, Silence
from powerlog.simulation.connection import Connection
from powerlog.simulation.curves import MINUTE_S
from powerlog.simulation.device import Device, Report

SHORT_S, LONG_S = (60, 150), (480, 2400)  # the first never ends a run, the second always does
TRIES = 9
REQUESTED_S = (65, 80)
Arrives = Callable[[Report], bool]
OTHER_PROFILE = {"switch": "cover", "cover": "switch", "em": "em1", "em1": "em"}
CUT_SSID, CUT_NAME = "Caf\ufffd", "Pumpe \ufffd\ufffd"


class OtherProfile(Fault):
    """At some moment the device gets other channels, with or without a reboot."""

    kind = "other profile"

    def __init__(self, chance: Random, traits: Traits) -> None:
        super().__init__(chance, traits)
        connection = max(self.disturbances.connections, key=lambda each: each.end - each.start)
        self.at = round(chance.uniform(0.3, 0.7) * (connection.end - connection.start), 2)
        self.at += connection.start
        if chance.random() < 0.5:
            away_s = chance.uniform(5, 40)
            self.disturbances = self.disturbances.cut(connection, self.at, away_s)
            self.at = round(self.at + away_s, 2)
        self.other: Device | None = None

    @classmethod
    def fits(cls, traits: Traits) -> bool:
        return traits.kind in OTHER_PROFILE

    def change_channels(self, channels: dict[str, Channel]) -> dict[str, Channel]:
        return {name: each._replace(gone=self.at) for name, each in channels.items()}

    def more_channels(self, device: Device, end: float) -> dict[str, Channel]:
        kind = OTHER_PROFILE[device.kind]
        wiring = Wiring(self.chance, self, self.at, end)
        channels = {each.name: each for each in wiring.channels(kind, device.firmware)}
        self.other = device._replace(kind=kind, channels=channels)
        return channels

    def parts(self, device: Device, connection: Connection) -> Iterator[tuple[Device, Connection]]:
        if connection.start < self.at:
            yield device, connection._replace(end=min(connection.end, self.at))
        if connection.end > self.at and self.other:
            yield self.other, connection._replace(start=max(connection.start, self.at))


class SilentChannel(Fault):
    """The device reports nothing of one channel for a while, but goes on with the others."""

    kind = "silent channel"

    @classmethod
    def fits(cls, traits: Traits) -> bool:
        return traits.kind in ("switch", "light", "em1") and traits.reports_all

    def change_channels(self, channels: dict[str, Channel]) -> dict[str, Channel]:
        if len(channels) < 2:
            return channels
        silent = channels[self.chance.choice(list(channels))]
        drawn = (self._draw(silent, connection) for connection in self.disturbances.connections)
        silences = tuple(silence for silence in drawn if silence)
        return channels | {silent.name: silent._replace(silences=silences)}

    def _draw(self, channel: Channel, connection: Connection) -> Silence | None:
        """Return a silence that begins while the channel is active, if there is one."""
        lasts_s, silence = self.chance.choice((SHORT_S, LONG_S, LONG_S)), None
        for _ in range(TRIES):
            silence = draw_silence(self.chance, connection, lasts_s) or silence
            if silence and channel.curve.at(silence.since).watts > LEAST_W:
                break
        return silence


class QuietDevice(Fault):
    """The device never notifies, or only changes of power, or its notifications get lost.

    The collector requests its status after little more than a minute without a reading.
    """

    kind = "quiet device"
    quiet = True

    def __init__(self, chance: Random, traits: Traits) -> None:
        super().__init__(chance, traits)
        # Answers have no time: a delayed message before them would shift them.
        self.disturbances = self.disturbances._replace(stalls=[])
        ways = [self._never]
        if traits.kind in ("pm1", "cover"):  # one channel, which is never silent alone
            ways.append(self._only_what_moves)
            if traits.reports_all:
                ways.append(self._some)
        if traits.reports_all:
            ways.append(self._not_for_a_while)
        self.way = chance.choice(ways)

    def arriving(
        self, reports: list[Report], device: Device, connection: Connection
    ) -> Iterator[Report]:
        """Return the notifications that arrive, and the answers."""
        arrives = self.way(connection)
        arrived = [
            each
            for each in sorted(reports, key=attrgetter("at"))
            if each.method != "NotifyStatus" or not each.watts or arrives(each)
        ]
        metered = [each.at for each in arrived if each.watts]
        yield from arrived
        for since, until in pairwise([*metered, connection.end]):
            while (since := self._next_request(since)) < until:
                yield device.answer(connection, since)

    def _next_request(self, since: float) -> float:
        """Return the moment of the next request: never so near to a full minute that the delay of
        the line decides on which side the answer is."""
        at = since + self.chance.uniform(*REQUESTED_S)
        return at + 1 if (at + 0.5) % MINUTE_S < 1 else at

    def _never(self, connection: Connection) -> Arrives:
        return lambda report: False

    def _only_what_moves(self, connection: Connection) -> Arrives:
        return lambda report: not report.counted

    def _some(self, connection: Connection) -> Arrives:
        """Let only those arrive that have a power: any other has one beside it that may be old."""
        lost = self.chance.uniform(0.3, 0.9)
        return lambda report: (
            next(iter(report.watts.values())) is not None and self.chance.random() > lost
        )

    def _not_for_a_while(self, connection: Connection) -> Arrives:
        silence = draw_silence(self.chance, connection, LONG_S)
        return lambda report: silence is None or not silence.since < report.at < silence.until


class CutTexts(Fault):
    """Texts are cut in the middle of a character, whose bytes have been replaced."""

    kind = "cut texts"

    @classmethod
    def fits(cls, traits: Traits) -> bool:
        return True

    def arriving(
        self, reports: list[Report], device: Device, connection: Connection
    ) -> Iterable[Report]:
        for each in reports:
            components = each.components.get("result", each.components)
            if "sys" in components and "wifi" in components:
                components["wifi"]["ssid"] = CUT_SSID
                components["sys"]["device"] = {"name": CUT_NAME}
        return reports
