"""`manage.py demo`: write the last weeks of two simulated pumps through the core.

Their frames go through the rules into the tables, as those of real devices do; the names, prices
and silences that a collector and its staff would have noted are put beside them. All of it bears
the two ids of the demo, and `--clear` removes what bears them and nothing else.
"""

import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import connection, transaction
from django.utils import timezone
from msgspec.structs import replace

from powerlog.core import protocol
from powerlog.core.sampler import Due, Sampler
from powerlog.database.store import store
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run, Silence
from powerlog.simulation.demo import DAY_S, PUMPS, Story
from powerlog.simulation.pro4pm import PUMP_CHANNEL

BATCH_ROWS = 1000
TABLES = (PowerLog, Run, DayTotal, Silence, Channel, Device)
IDS = [pump.device_id for pump in PUMPS]
BAR = 30
LINE_S, TERMINAL_S = 2.0, 0.2  # between two states of the bar: in a log, on a screen


class Command(BaseCommand):
    help = "Fill in what two made-up pumps did in the last weeks, one of them ailing; or remove it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=60, help="how far back it goes (60)")
        parser.add_argument("--clear", action="store_true", help="remove all of the demo")

    def handle(self, *args: Any, days: int, clear: bool, **options: Any) -> None:
        if not 1 <= days <= 400:
            raise CommandError(f"--days is {days}, but must be 1 to 400.")
        if Device._meta.db_table not in connection.introspection.table_names():
            raise CommandError("The tables are not there yet: run `manage.py migrate` first.")
        if clear:
            self.stdout.write(cleared(remove()))
            return
        if any(table.objects.filter(device_id__in=IDS).exists() for table in TABLES):
            raise CommandError(
                "The demo is there already, or a part of it: `manage.py demo --clear` removes it."
            )
        try:
            self.fill(days)
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. {cleared(remove())}", returncode=130) from None

    def fill(self, days: int) -> None:
        until = time.time()
        zone = timezone.get_default_timezone()
        stories = [Story(pump, until - days * DAY_S, until, zone) for pump in PUMPS]
        for story in stories:
            introduce(story)
        told = [(story, story.minutes()) for story in stories]
        bar = Bar(sum(len(minutes) for _, minutes in told), self.stderr)
        try:
            for story, minutes in told:
                tell(story, minutes, bar)
        finally:
            bar.end()
        rows = PowerLog.objects.filter(device_id__in=IDS).count()
        runs = Run.objects.filter(device_id__in=IDS).count()
        span = "1 day" if days == 1 else f"{days} days"
        self.stdout.write(
            f"{span} of two pumps: {rows} minutes, {runs} runs. They are on the dashboard as "
            f"{' and '.join(pump.pump_name for pump in PUMPS)}; `manage.py demo --clear` removes "
            "them."
        )


class Bar:
    """A progress bar with the remaining time: one line that is rewritten on a terminal."""

    def __init__(self, steps: int, stream: OutputWrapper) -> None:
        self._steps, self._stream = steps, stream
        self._done, self._began = 0, time.monotonic()
        self._shown = self._began

    def step(self) -> None:
        self._done += 1
        if time.monotonic() - self._shown > (TERMINAL_S if self._stream.isatty() else LINE_S):
            self._shown = time.monotonic()
            self._show()

    def end(self) -> None:
        if self._done:
            self._show()
        if self._stream.isatty():
            self._stream.write()

    def _show(self) -> None:
        share = self._done / self._steps
        left_s = (time.monotonic() - self._began) / share * (1 - share)
        bar = ("#" * round(BAR * share)).ljust(BAR, "-")
        line = f"[{bar}] {share:4.0%}, {left_s:.0f} s left"
        if self._stream.isatty():
            self._stream.write(f"\r{line} ", ending="")
        else:
            self._stream.write(line)


def introduce(story: Story) -> None:
    """Write what the collector and its staff would have noted of the device by now."""
    pump, moment = story.pump, lambda ts: datetime.fromtimestamp(ts, UTC)
    with transaction.atomic():
        device = Device.objects.create(
            device_id=pump.device_id,
            name=pump.device_name,
            model="SPSW-104PE16EU",
            firmware="1.5.1",
            address=pump.address,
            first_seen_at=moment(story.since),
            last_seen_at=moment(story.until),
        )
        device.channels.create(
            channel=PUMP_CHANNEL,
            name=pump.pump_name,
            reports_power=True,
            nominal_power_w=pump.power_w,
            flow_m3h=pump.flow_m3h,
            price_kwh=pump.price_kwh,
        )
        Silence.objects.bulk_create(
            Silence(device_id=pump.device_id, since=moment(since), until=moment(until))
            for since, until in story.silences
        )


def tell(story: Story, minutes: list[int], bar: Bar) -> None:
    """Feed its frames through the rules into the database, with their own times as the clock."""
    # Whatever else is logged here, and from whatever power on: the pump of the demo is.
    sampler = Sampler(
        replace(settings.SAMPLING_RULES, channels=frozenset({PUMP_CHANNEL}), power_threshold_w=5.0)
    )
    batch: list[Due] = []
    for minute in minutes:
        for at, text in story.frames(minute):
            batch += sampler.feed(protocol.parse(text), at)
        if len(batch) >= BATCH_ROWS:
            store(batch)
            batch.clear()
        bar.step()
    store(batch + sampler.leave())


def remove() -> int:
    """Delete all with an id of the demo. Return the number of rows, from all tables."""
    with transaction.atomic():
        return sum(table.objects.filter(device_id__in=IDS).delete()[0] for table in TABLES)


def cleared(rows: int) -> str:
    if not rows:
        return "There is nothing of the demo."
    return f"The demo is removed, {rows} {'row' if rows == 1 else 'rows'} of all tables."
