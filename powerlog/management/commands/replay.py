"""`manage.py replay`: captured frames through the core into the database, with their own times.

One frame per line, in order; each file is a connection of its own. The clock is the frames' `ts`.
A frame without one (an answer) happens with the frame before it; frames from before the device's
clock was set (an uptime) happen at the first real time that follows in the file, or, where none
follows, make no rows: a minute of 1970 helps nobody.
"""

import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from powerlog.core import protocol
from powerlog.core.sampler import Due, Sample, Sampler
from powerlog.database.restore import recall
from powerlog.database.store import store
from powerlog.models import PowerLog

BATCH_ROWS = 1000
# Any uptime is below it, any real time of a Gen2 device above: 1 January 2020.
FIRST_REAL_TS = 1_577_836_800
PROGRESS_S = 2.0


class Command(BaseCommand):
    help = "Feed captured frames (one JSON frame per line) through the rules and write the rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE.jsonl")

    def handle(self, *args: Any, files: list[Path], verbosity: int, **options: Any) -> None:
        for path in files:
            if not path.is_file():
                raise CommandError(f"{path} is not a file.")
        if PowerLog._meta.db_table not in connection.introspection.table_names():
            raise CommandError("The table is not there yet: run `manage.py migrate` first.")
        for path in files:
            self.replay(path, verbosity)

    def replay(self, path: Path, verbosity: int) -> None:
        """Replay one file, in batches, so that a log of years fits into memory."""
        self.frames = self.bad = self.rows = 0
        before = PowerLog.objects.count()
        sampler = Sampler(settings.SAMPLING_RULES)
        batch: list[Due] = []
        for frame, now in dated(self.parsed(path)):
            if new := sampler.strangers(frame):
                self.write(batch, verbosity)
                for past in recall([(frame.device_id, channel) for channel in new], before=now):
                    sampler.restore(past)
            batch += sampler.feed(frame, now)
            if len(batch) >= BATCH_ROWS:
                self.write(batch, verbosity)
        self.write(batch, verbosity)
        new_rows = PowerLog.objects.count() - before
        self.stdout.write(
            f"{path.name}: {plural(self.frames, 'frame')}, {plural(self.bad, 'bad line')}, "
            f"{plural(self.rows, 'row')}, {new_rows} of them new"
        )

    def write(self, batch: list[Due], verbosity: int) -> None:
        """Write the batch and empty it."""
        store(batch)
        rows = [each for each in batch if isinstance(each, Sample)]
        self.rows += len(rows)
        for row in rows if verbosity > 1 else ():
            self.stdout.write(describe(row))
        batch.clear()

    def parsed(self, path: Path) -> Iterator[protocol.Frame]:
        """Yield the file's frames; report and skip a bad line."""
        said = time.monotonic()
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                if time.monotonic() - said > PROGRESS_S:
                    said = time.monotonic()
                    self.stderr.write(f"{path.name}: {plural(self.frames, 'frame')} so far")
                try:
                    frame = protocol.parse(line)
                except protocol.FrameError as exc:
                    self.bad += 1
                    self.stderr.write(f"{path.name}, line {number}: {exc}")
                else:
                    self.frames += 1
                    yield frame


def dated(frames: Iterable[protocol.Frame]) -> Iterator[tuple[protocol.Frame, float]]:
    """Yield each frame with its assumed moment of receipt, Unix seconds."""
    undated: list[protocol.Frame] = []
    now = 0.0
    for frame in frames:
        if frame.ts is not None and frame.ts >= FIRST_REAL_TS:
            now = frame.ts
        if not now:
            undated.append(frame)
            continue
        for earlier in undated:
            yield earlier, now
        undated.clear()
        yield frame, now


def describe(sample: Sample) -> str:
    minute = datetime.fromtimestamp(sample.ts, UTC)
    return (
        f"{minute:%Y-%m-%d %H:%M} UTC  {sample.device_id} {sample.channel}  "
        f"{sample.apower_w:g} W  {sample.voltage_v:g} V  {sample.current_a:g} A  "
        f"{sample.energy_total_wh:.3f} Wh  {sample.source}"
    )


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
