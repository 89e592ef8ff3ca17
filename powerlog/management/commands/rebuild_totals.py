"""`manage.py rebuild_totals`: recompute the day totals from rows and runs."""

import time
from typing import Any

from django.core.management.base import BaseCommand

from powerlog.database import rebuild

PROGRESS_S = 2.0


class Command(BaseCommand):
    help = (
        "Make the day totals anew from rows and runs: after TIME_ZONE was changed. The collector "
        "may run meanwhile, and the command may be interrupted and run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        meters = rebuild.meters()
        said, days = time.monotonic(), 0
        for number, meter in enumerate(meters):
            if time.monotonic() - said > PROGRESS_S:
                said = time.monotonic()
                self.stderr.write(f"{number} of {len(meters)} channels, {days} days so far")
            days += rebuild.rebuild(*meter)
        channels = "1 channel" if len(meters) == 1 else f"{len(meters)} channels"
        totals = "1 day total" if days == 1 else f"{days} day totals"
        self.stdout.write(f"{totals} of {channels} made anew")
