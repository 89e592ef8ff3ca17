"""What a channel did on each local day: what the runs of a day come to, kept in `day_totals`.

The minutes of a day are counted where rows are written (log_rows.py). What runs come to is reckoned
anew, from the table, for each day on which a run has started, passed midnight or ended (which is
for run_rows.py to see): doing so twice changes nothing. Both happen in the transaction of the rows
and runs themselves.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connections

from powerlog.core.days import days_between, start_of
from powerlog.models import Run
from powerlog.storage.batches import WRITER, Meter, batched, given, moment

DAYS_AT_ONCE = 1000
# A run of a year is told each midnight: of its days those are reckoned anew that may have changed,
# with a week to spare for what had to wait in the spool.
LOOK_BACK_DAYS = 8
DAY = "device_id text, channel text, day date"
MINUTES = "active_minutes int, filled_minutes int, peak_w float8"
RUNS = "runs int, run_s float8, energy_wh float8"
TOUCHED = "WITH touched (device_id, channel, day, since, until) AS ({touched})"
ADD_DAYS = """
INSERT INTO day_totals
    (device_id, channel, day, active_minutes, filled_minutes, peak_w, runs, run_s, energy_wh)
{days}
ON CONFLICT DO NOTHING
"""
# Whoever else reckons one of these days waits here, and sees our runs then.
LOCK_DAYS = f"""
{TOUCHED}
SELECT total.id FROM day_totals AS total
JOIN touched USING (device_id, channel, day) ORDER BY device_id, channel, day FOR UPDATE OF total
"""
# Of each day the runs that lie within it ...
WHOLE_RUNS = f"""
{TOUCHED}
SELECT device_id, channel, day, count(*), sum({{seconds}}), sum(energy_wh), max(peak_w)
FROM touched JOIN runs USING (device_id, channel)
WHERE started_at >= since AND started_at < until AND ended_at <= until
GROUP BY device_id, channel, day
"""
# ... and those that may reach beyond it: the last that started before, the last within, and one
# that is open, since its end was lost, behind later ones.
EDGE_RUNS = f"""
{TOUCHED}
SELECT * FROM runs WHERE id IN (
    SELECT (
        SELECT id FROM runs WHERE runs.device_id = touched.device_id
            AND runs.channel = touched.channel AND started_at < since
        ORDER BY started_at DESC LIMIT 1
    ) FROM touched
    UNION
    SELECT (
        SELECT id FROM runs WHERE runs.device_id = touched.device_id
            AND runs.channel = touched.channel AND started_at >= since AND started_at < until
        ORDER BY started_at DESC LIMIT 1
    ) FROM touched
    UNION
    SELECT id FROM touched JOIN runs USING (device_id, channel) WHERE ended_at IS NULL
)
"""
SECONDS = {
    "postgresql": "extract(epoch FROM ended_at - started_at)",
    "sqlite": "(julianday(ended_at) - julianday(started_at)) * 86400",
}
SET_TOTALS = """
WITH reckoned (device_id, channel, day, runs, run_s, energy_wh, peak_w) AS ({reckoned})
UPDATE day_totals SET
    runs = reckoned.runs, run_s = reckoned.run_s, energy_wh = reckoned.energy_wh,
    peak_w = {greatest}(day_totals.peak_w, reckoned.peak_w)
FROM reckoned
WHERE day_totals.device_id = reckoned.device_id AND day_totals.channel = reckoned.channel
    AND day_totals.day = reckoned.day
"""


class Spell(NamedTuple):
    """A stretch of time of a channel, Unix seconds."""

    device_id: str
    channel: str
    since: float
    until: float


class Day(NamedTuple):
    device_id: str
    channel: str
    day: date


@dataclass
class RunsOfDay:
    """What the runs of a channel come to on one day. peak_w is of those that lie within it."""

    runs: int = 0
    run_s: float = 0.0
    energy_wh: float = 0.0
    peak_w: float = 0.0

    @property
    def columns(self) -> tuple[int, float, float, float]:
        """As SET_TOTALS names them."""
        return self.runs, self.run_s, self.energy_wh, self.peak_w

    def add_edge(self, run: Run, since: float, until: float) -> None:
        """A run that may reach beyond the day with this start and end; one that lies in it is in
        the sums already."""
        whole = run.ended_at and run.ended_at.timestamp() <= until
        if not (whole and since <= run.started_at.timestamp()):
            self.add(run, since, until)

    def add(self, run: Run, since: float, until: float) -> None:
        """The part of this run that lies on the day with this start and end."""
        started, ended = run.started_at.timestamp(), _known_until(run)
        first, last = max(since, started), min(until, ended)
        if since <= started < until:
            self.runs += 1
        if first < last:
            self.run_s += last - first
            self.energy_wh += _used_until(run, last, ended) - _used_until(run, first, ended)
        if since <= started and ended <= until and run.ended_at:
            self.peak_w = max(self.peak_w, run.peak_w)


def _known_until(run: Run) -> float:
    """Its end, or the last midnight of which an open run has told."""
    if run.ended_at is not None:
        return run.ended_at.timestamp()
    return run.midnights[-1][0] if run.midnights else run.started_at.timestamp()


def _used_until(run: Run, ts: float, ended: float) -> float:
    """Its energy up to a moment, Wh: its end, or a midnight."""
    started = run.started_at.timestamp()
    if ts <= started:
        return 0.0
    if run.ended_at is not None and ts >= ended:
        return run.energy_wh
    known = dict(map(tuple, run.midnights))
    if ts in known:
        return known[ts]
    # Of a midnight of another time zone than the one in which it was told.
    return run.energy_wh * (ts - started) / (ended - started)


def account_runs(changed: Collection[Spell]) -> None:
    """Reckon the runs of all days anew on which something has changed."""
    touched = sorted({day for spell in changed for day in _days(spell)})
    for part in batched(touched, DAYS_AT_ONCE):
        _account(part)


def _days(spell: Spell) -> Iterator[Day]:
    zone = ZoneInfo(settings.TIME_ZONE)
    look_back = spell.until - LOOK_BACK_DAYS * 24 * 3600
    for day in days_between(max(spell.since, look_back), spell.until, zone):
        yield Day(spell.device_id, spell.channel, day)


def days_of_run(run: Run) -> Iterator[date]:
    """All on which it has a part that is known."""
    zone = ZoneInfo(settings.TIME_ZONE)
    return days_between(run.started_at.timestamp(), _known_until(run), zone)


def bounds(day: date) -> tuple[float, float]:
    """Start and end of a day of TIME_ZONE, Unix seconds."""
    zone = ZoneInfo(settings.TIME_ZONE)
    return start_of(day, zone), start_of(date.fromordinal(day.toordinal() + 1), zone)


def _account(days: Collection[Day]) -> None:
    postgresql = connections[WRITER].vendor == "postgresql"
    limits = {day: bounds(day) for day in {each.day for each in days}}  # of a fleet one or two
    spans = [(*each, *map(moment, limits[each.day])) for each in days]
    touched, parameters = given(f"{DAY}, since timestamptz, until timestamptz", spans)
    with connections[WRITER].cursor() as cursor:
        empty = [(*day, 0, 0, 0.0, 0, 0.0, 0.0) for day in days]
        added, added_parameters = given(f"{DAY}, {MINUTES}, {RUNS}", empty)
        cursor.execute(ADD_DAYS.format(days=added), added_parameters)
        if postgresql:
            cursor.execute(LOCK_DAYS.format(touched=touched), parameters)
        totals = _reckoned(days, limits, touched, parameters)
        sums = [(*day, *totals[day].columns) for day in days]
        reckoned, parameters = given(f"{DAY}, {RUNS}, peak_w float8", sums)
        greatest = "greatest" if postgresql else "max"
        cursor.execute(SET_TOTALS.format(reckoned=reckoned, greatest=greatest), parameters)


def _reckoned(
    days: Iterable[Day],
    limits: Mapping[date, tuple[float, float]],
    touched: str,
    parameters: list[Any],
) -> dict[Day, RunsOfDay]:
    totals = {day: RunsOfDay() for day in days}
    with connections[WRITER].cursor() as cursor:
        seconds = SECONDS[connections[WRITER].vendor]
        cursor.execute(WHOLE_RUNS.format(touched=touched, seconds=seconds), parameters)
        for device_id, channel, day, runs, run_s, energy_wh, peak_w in cursor.fetchall():
            key = Day(device_id, channel, day if isinstance(day, date) else date.fromisoformat(day))
            totals[key] = RunsOfDay(runs, float(run_s), energy_wh, peak_w)
    edges = Run.objects.using(WRITER).raw(EDGE_RUNS.format(touched=touched), parameters)
    of_channel: dict[Meter, list[Run]] = {}
    for run in edges:
        of_channel.setdefault((run.device_id, run.channel), []).append(run)
    for day, total in totals.items():
        for run in of_channel.get((day.device_id, day.channel), ()):
            total.add_edge(run, *limits[day.day])
    return totals
