"""Find the runs whose energy their power cannot explain (rule 11), and repair them.

Each part of a run, between two midnights of which its energy is known, is judged by most_wh(). A
part that is wrong gets the integral of the known power, which is that of its minute rows: a row
holds until the next one. The counter's energy of the other parts stays.

The promise: the runs are walked by primary key, a page at a time, with one query more for a page
with suspects and one for each run that is wrong. A repair takes the day totals with it in one
transaction and may be repeated. A run that is repaired no longer goes by the device's counter:
counter_wh is null, so that a late report of it never replaces the repair (runs.py).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from typing import NamedTuple

from django.db import OperationalError, connections, transaction
from django.db.models import QuerySet
from psycopg.errors import DeadlockDetected

from powerlog.core.energy_integral import MINUTE_S, Drawn, Part, divide, steps
from powerlog.database.day_totals import Spell, account_runs
from powerlog.database.sql import WRITER, given, moment
from powerlog.models import PowerLog, Run

RUNS_AT_ONCE = 1000
ROWS_AT_ONCE = 2000
ATTEMPTS = 3
HIGHEST_POWER = """
WITH suspect (id, device_id, channel, since, until) AS ({suspects})
SELECT id, (
    SELECT max(apower_w) FROM power_logs AS log
    WHERE log.device_id = suspect.device_id AND log.channel = suspect.channel
        AND log.timestamp > suspect.since AND log.timestamp < suspect.until
) FROM suspect
"""
SUSPECT = "id bigint, device_id text, channel text, since timestamptz, until timestamptz"


class Booked(NamedTuple):
    """A run, as much of it as the check needs."""

    id: int
    device_id: str
    channel: str
    started_at: datetime
    ended_at: datetime | None
    heard_at: datetime | None
    energy_wh: float
    peak_w: float
    counter_wh: float | None
    midnights: list[tuple[float, float]]

    @property
    def since(self) -> float:
        return self.started_at.timestamp()

    def until(self, now: float) -> float:
        """Return its end; of an open run the last contact, or now. Unix seconds."""
        last = self.ended_at or self.heard_at
        return max(self.since, last.timestamp() if last else now)


@dataclass(frozen=True)
class Overbooked:
    """A run that is wrong. peak_w is the highest power of the run and its rows; drawn has one entry
    for each part."""

    run: Booked
    until: float
    peak_w: float
    parts: Sequence[Part]
    drawn: Sequence[Drawn]

    @property
    def is_open(self) -> bool:
        return self.run.ended_at is None

    @property
    def has_its_rows(self) -> bool:
        """Return whether the minute rows of all that is wrong are still there."""
        pairs = zip(self.parts, self.drawn, strict=True)
        return not any(
            drawn.unknown_s for part, drawn in pairs if not part.is_explained(self.peak_w)
        )

    @property
    def used_wh(self) -> list[float]:
        """Return what each part used, with the peak power where no row says what it was."""
        return [
            part.booked_wh
            if part.is_explained(self.peak_w)
            else drawn.wh + self.peak_w * drawn.unknown_s / 3600
            for part, drawn in zip(self.parts, self.drawn, strict=True)
        ]

    @property
    def energy_wh(self) -> float:
        return sum(self.used_wh)

    @property
    def seconds(self) -> float:
        return self.until - self.run.since

    @property
    def spell(self) -> Spell:
        return Spell(self.run.device_id, self.run.channel, self.run.since, self.until)


def find(runs: QuerySet[Run], now: float) -> Iterator[tuple[int, list[Overbooked]]]:
    """Walk these runs: for each page, yield how many they are and which are wrong.

    Raises Django's database errors.
    """
    ordered = runs.using(WRITER).order_by("pk").values_list(*Booked._fields)
    last = 0
    while page := [Booked._make(each) for each in ordered.filter(pk__gt=last)[:RUNS_AT_ONCE]]:
        yield len(page), list(_wrong(page, now))
        last = page[-1].id


def repair(found: Iterable[Overbooked], *, by_peak: bool, attempts: int = ATTEMPTS) -> set[int]:
    """Repair the runs that can be repaired, and the totals of their days; return their ids.

    An open run cannot: the process of its device would report the old energy again. by_peak: a run
    whose rows are gone gets its peak power for that time. Raises Django's database errors.
    """
    due = [each for each in found if not each.is_open and (by_peak or each.has_its_rows)]
    try:
        with transaction.atomic(using=WRITER):
            done = [each for each in due if _set_right(each)]
            account_runs([each.spell for each in done])
    except OperationalError as exc:
        # A collector counts on the same days, see store().
        if attempts == 1 or not isinstance(exc.__cause__, DeadlockDetected):
            raise
        return repair(due, by_peak=by_peak, attempts=attempts - 1)
    return {each.run.id for each in done}


def _set_right(wrong: Overbooked) -> bool:
    """Repair one run; return False if it was reported again since it was read."""
    run, seconds = wrong.run, wrong.seconds
    until_wh = [round(wh, 3) for wh in accumulate(wrong.used_wh)]
    energy_wh = until_wh.pop()
    as_read = Run.objects.using(WRITER).filter(
        pk=run.id, energy_wh=run.energy_wh, counter_wh=run.counter_wh
    )
    return bool(
        as_read.update(
            energy_wh=energy_wh,
            mean_w=round(wrong.energy_wh * 3600 / seconds, 3) if seconds else wrong.peak_w,
            # Else it would be wrong again once its rows are deleted.
            peak_w=wrong.peak_w,
            midnights=[[at, wh] for (at, _), wh in zip(run.midnights, until_wh, strict=True)],
            counter_wh=None,
        )
    )


def _wrong(page: Iterable[Booked], now: float) -> Iterator[Overbooked]:
    suspects = [run for run in page if not _is_explained(_parts(run, now), run.peak_w)]
    seen_w = _highest_power(suspects, now) if suspects else {}
    for run in suspects:
        # A run of a killed process has only the power of its first reading.
        peak_w = max(run.peak_w, seen_w.get(run.id) or 0.0)
        parts = _parts(run, now)
        if not _is_explained(parts, peak_w):
            until = run.until(now)
            drawn = divide(steps(_powers(run, until), run.since, until), parts)
            yield Overbooked(run, until, peak_w, parts, drawn)


def _parts(run: Booked, now: float) -> list[Part]:
    since, until = run.since, run.until(now)
    points = [(since, 0.0), *run.midnights, (until, run.energy_wh)]
    inside = [(min(max(at, since), until), wh) for at, wh in points]
    return [Part(at, then, wh - before_wh) for (at, before_wh), (then, wh) in pairwise(inside)]


def _is_explained(parts: Iterable[Part], peak_w: float) -> bool:
    return all(part.is_explained(peak_w) for part in parts)


def _highest_power(suspects: Iterable[Booked], now: float) -> dict[int, float | None]:
    """Return the highest power in the minute rows of each of these runs."""
    records = [
        (run.id, run.device_id, run.channel, *map(moment, (run.since - MINUTE_S, run.until(now))))
        for run in suspects
    ]
    text, parameters = given(SUSPECT, records)
    with connections[WRITER].cursor() as cursor:
        cursor.execute(HIGHEST_POWER.format(suspects=text), parameters)
        return dict(cursor.fetchall())


def _powers(run: Booked, until: float) -> Iterator[tuple[float, float]]:
    """Yield the minute, Unix seconds, and the power of each row of a run, in order."""
    rows = PowerLog.objects.using(WRITER).filter(
        device_id=run.device_id,
        channel=run.channel,
        timestamp__gt=moment(run.since - MINUTE_S),
        timestamp__lt=moment(until),
    )
    found = rows.order_by("timestamp").values_list("timestamp", "apower_w")
    for minute, watts in found.iterator(chunk_size=ROWS_AT_ONCE):
        yield minute.timestamp(), watts
