"""`manage.py prune`: delete old minute rows while the collector runs."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from powerlog.database.retention import NoTotals, Old, old, prune

PROGRESS_S = 2.0


class Command(BaseCommand):
    help = (
        "Delete minute rows that are older than so many local days. Day totals and runs stay. "
        "The collector may run meanwhile; Ctrl-C ends it without harm."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--keep-days",
            type=int,
            default=settings.KEEP_DAYS,
            metavar="N",
            help="keep today and so many days before it (the setting KEEP_DAYS)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be deleted, and delete nothing"
        )

    def handle(self, *args: Any, keep_days: int | None, dry_run: bool, **options: Any) -> None:
        if keep_days is None:
            raise CommandError("Say how many days to keep: --keep-days N, or set KEEP_DAYS.")
        if not 1 <= keep_days <= 36_500:
            raise CommandError(f"--keep-days is {keep_days}, but must be 1 to 36500.")
        found = old(keep_days)
        if found is None:
            self.stdout.write(f"No minute row is older than {counted(keep_days, 'day')}.")
        elif dry_run:
            self.stdout.write(f"{self.described(found)} would be deleted.")
        else:
            self.stderr.write(f"Deleting {self.described(found)}.")
            self.prune(found)

    def described(self, found: Old) -> str:
        first, last = map(timezone.localtime, (found.first, found.last))
        self.about = found.estimate()
        rows = counted(self.about, "minute row")
        return f"about {rows} from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"

    def prune(self, found: Old) -> None:
        deleted, said = 0, time.monotonic()
        try:
            for rows in prune(found):
                deleted += rows
                if time.monotonic() - said > PROGRESS_S:
                    said = time.monotonic()
                    self.stderr.write(f"{deleted:,} of about {self.about:,} rows so far")
        except NoTotals as exc:
            raise CommandError(str(exc)) from None
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted, {counted(deleted, 'row')} deleted.") from None
        self.stdout.write(f"{counted(deleted, 'minute row')} deleted.")


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
