"""The story of `manage.py demo`: two simulated pumps, and when they are out of reach.

Pure: the same moments make the same story. The pump of the waterworks is well and fills its tank
some ten times a day. So is that of the pressure station until, two weeks before the end, its
pressure tank begins to lose its air: it brings as much water as ever, but in ever more and ever
shorter runs. Both report as a Pro 4PM does.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from powerlog.core.days import day_of, moment_of
from powerlog.simulation.curves import MINUTE_S, PlannedRun, planned_curve
from powerlog.simulation.pro4pm import OFF, SimulatedShelly

DAY_S = 86_400
FAILING_S = 14 * DAY_S
LIVES_ON_DAYS = 2  # beyond the end: a device that dials in afterwards just goes on
QUIET_MINUTES = 10  # of an idle pump every tenth minute is sent: the others would make no rows
COUNTER_BEFORE_WH = 412_000.0
# The weight of each hour of the day: how likely water is wanted in it.
WORKDAY = (0, 0, 0, 0, 1, 3, 9, 10, 6, 3, 2, 3, 5, 4, 2, 2, 4, 7, 9, 9, 7, 5, 3, 1)
WEEKEND = (1, 0, 0, 0, 0, 1, 3, 5, 8, 9, 8, 7, 7, 6, 5, 5, 6, 7, 8, 8, 7, 5, 4, 2)
LEAKS_A_DAY = 40
PAUSE_S = 240.0  # of a pump that is well, at least
BLINK_S = 300.0  # the network is away for so long within some of the longer runs
BLINKS = 0.05
LONG_RUN_S = 540.0


class Silence(NamedTuple):
    """A span, in Unix seconds, without a message of a device."""

    since: float
    until: float


class Pump(NamedTuple):
    """A pump and its device: the notes of its staff, how it works, when it is out of reach.

    away: days before the last one, the hour on which it began, and the hours that it took.
    """

    device_id: str
    device_name: str
    pump_name: str
    address: str
    power_w: float
    flow_m3h: float
    price_kwh: str
    wanted_a_day: tuple[int, int]
    wanted_min: tuple[float, float]
    away: tuple[tuple[int, float, float], ...]
    fails: bool = False


# A MAC that begins with de is no vendor's ("locally administered"): no Shelly has such an id.
PUMPS = (
    Pump(
        device_id="shellypro4pm-de3000000001",
        device_name="Demo: waterworks",
        pump_name="Well pump",
        address="192.0.2.31",
        power_w=1120.0,
        flow_m3h=4.2,
        price_kwh="0.29",
        wanted_a_day=(8, 12),
        wanted_min=(7.0, 16.0),
        away=((44, 9.2, 5.2), (23, 21.5, 9.0), (5, 14.1, 1.8), (0, 12.6, 0.8)),
    ),
    Pump(
        device_id="shellypro4pm-de3000000002",
        device_name="Demo: pressure station",
        pump_name="Booster pump",
        address="192.0.2.32",
        power_w=745.0,
        flow_m3h=2.6,
        price_kwh="0.29",
        wanted_a_day=(9, 13),
        wanted_min=(5.0, 12.0),
        away=((30, 11.3, 26.0), (9, 17.6, 2.2)),
        fails=True,
    ),
)


class Story:
    """One pump from one moment to another, Unix seconds. Its days are those of the zone."""

    def __init__(self, pump: Pump, since: float, until: float, zone: ZoneInfo) -> None:
        self.pump, self.since, self.until = pump, since, until
        self.runs = list(planned_runs(pump, since, until, zone))
        self.silences = sorted(silences(pump, self.runs, since, until, zone))
        self.load = planned_curve(pump.device_id, 0.82, self.runs)
        loads, boot = (OFF, OFF, self.load), since - DAY_S
        seed = len(pump.away)
        self.shelly = SimulatedShelly(pump.device_id, seed, boot, loads, COUNTER_BEFORE_WH)
        self._dials = [since, *(silence.until for silence in self.silences)]

    def minutes(self) -> list[int]:
        """Return the starts of the minutes that make rows or runs."""
        starts = range(int(self.since) // MINUTE_S * MINUTE_S, int(self.until) + 1, MINUTE_S)
        dials = {int(at) // MINUTE_S * MINUTE_S for at in self._dials}
        # Around a run two minutes more: the record of the last three minutes has to meet them.
        return [
            start
            for start in starts
            if start in dials
            or start // MINUTE_S % QUIET_MINUTES == 0
            or not self.load.is_idle(start - 2 * MINUTE_S, start + 3 * MINUTE_S)
        ]

    def frames(self, minute: int) -> Iterator[tuple[float, str]]:
        """Return what arrives in the minute that begins then: moment and text, in order."""
        since, until = max(float(minute), self.since), min(minute + MINUTE_S, self.until)
        away = [silence for silence in self.silences if silence.since < until]
        for at in self._dials:
            if since <= at < until:
                yield at, self.shelly.full_status(at)
                since = at
        for at, text in self.shelly.frames(since, until):
            if not any(silence.since <= at < silence.until for silence in away):
                yield at, text


def planned_runs(pump: Pump, since: float, until: float, zone: ZoneInfo) -> Iterator[PlannedRun]:
    """Return all its runs, in order, on beyond the end."""
    day, free_at = day_of(since, zone), since
    while day <= day_of(until, zone) + timedelta(days=LIVES_ON_DAYS):
        chance = Random(f"{pump.device_id} {day}")
        for at, run_s in wanted(pump, day, until, zone, chance):
            if at < since:
                continue
            ill = illness(pump, at, until)
            for run in delivered(chance, max(at, free_at), run_s, pump.power_w, ill):
                yield run
                free_at = run.end + (PAUSE_S if ill == 0 else PAUSE_S / 4)
        day += timedelta(days=1)


def wanted(
    pump: Pump, day: date, until: float, zone: ZoneInfo, chance: Random
) -> list[tuple[float, float]]:
    """Return when water is wanted on this day, and for how many seconds of pumping."""
    hours = WEEKEND if day.weekday() >= 5 else WORKDAY
    number = chance.randint(*pump.wanted_a_day)
    used = [
        (moment(day, hour + chance.random(), zone), chance.uniform(*pump.wanted_min) * MINUTE_S)
        for hour in chance.choices(range(24), hours, k=number)
    ]
    # What leaks is next to nothing; a tank without air has to be filled for it all the same.
    leaks = round(LEAKS_A_DAY * illness(pump, moment(day, 12.0, zone), until))
    lost = [(moment(day, chance.uniform(0.0, 24.0), zone), 25.0) for _ in range(leaks)]
    return sorted(used + lost)


def delivered(
    chance: Random, at: float, run_s: float, power_w: float, ill: float
) -> Iterator[PlannedRun]:
    """Return the runs of a pump for this: one, or many where its tank holds no pressure."""
    longest_s = 35.0 + 400.0 * (1.0 - ill) ** 3 if ill else run_s
    while run_s > 0:
        length_s = max(12.0, min(run_s, longest_s * (chance.uniform(0.8, 1.2) if ill else 1.0)))
        yield PlannedRun(at, at + length_s, power_w * chance.uniform(0.98, 1.02))
        run_s -= length_s
        at += length_s + chance.uniform(40.0, 90.0)


def illness(pump: Pump, at: float, until: float) -> float:
    """Return how ill a pump is: from 0, well, to 1."""
    return min(1.0, max(0.0, 1.0 - (until - at) / FAILING_S)) if pump.fails else 0.0


def silences(
    pump: Pump, runs: Sequence[PlannedRun], since: float, until: float, zone: ZoneInfo
) -> Iterator[Silence]:
    """Return the planned hours without the network, and minutes of it within some long runs."""
    last_day = day_of(until, zone)
    hours = []
    for days, hour, length_h in pump.away:
        at = moment(last_day - timedelta(days=days), hour, zone)
        if at < since:
            continue
        run = next(run for run in runs if run.start >= at)
        start = (run.start + run.end) / 2  # in the middle of a run: contact with it is lost
        hours.append(Silence(start, start + length_h * 3600))
    blinks = (
        Silence(run.start + LONG_RUN_S / 3, run.start + LONG_RUN_S / 3 + BLINK_S)
        for run in runs
        if run.end - run.start > LONG_RUN_S and Random(f"blink {run.start}").random() < BLINKS
    )
    short = [b for b in blinks if not any(h.since <= b.until and b.since <= h.until for h in hours)]
    for silence in chain(hours, short):
        if silence.until < until:
            yield silence


def moment(day: date, hour: float, zone: ZoneInfo) -> float:
    """Return that hour of the day by the clock on the wall, in Unix seconds."""
    return moment_of(datetime.combine(day, time()) + timedelta(hours=hour), zone).timestamp()
