"""`manage.py check_runs`: find and repair runs whose energy their power cannot explain."""

import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from powerlog.dashboard import formatting
from powerlog.database.implausible_runs import Overbooked, find, repair
from powerlog.management.commands.export import HELP, asked, flag, sentences
from powerlog.models import Run
from powerlog.search.csv_export import RUNS

PROGRESS_S = 2.0
OPTIONS = ("device", "channel", "since")
REPAIRED = "repaired"
# What is said of a run that is not repaired: beside it, and at the end of all of them.
WHY_NOT = {
    "still open": "{} still open: run this again once ended.",
    "minute rows are gone": "{} without minute rows: --repair peak mends these as well.",
    "changed meanwhile": "{} changed meanwhile: run this again.",
    "not repaired": "{} not repaired: --repair does so.",
}


class Command(BaseCommand):
    help = (
        "List the runs whose energy their power cannot explain: more than 1.2 times the peak power "
        "over their time (and a little for the counter's reports), or less than nothing. Until "
        "counters were judged, one report of 0 or of another counter made such runs. Nothing is "
        "changed without --repair. The collector may run meanwhile; Ctrl-C ends it without harm, "
        "and it may be run again. The exit code is 1 if a run was found that is not repaired."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--repair",
            nargs="?",
            const="rows",
            choices=("rows", "peak"),
            help="put them right, with the totals of their days. rows (the default): to the "
            "energy of their minute rows. peak: those whose minute rows are gone as well, to their "
            "peak power over that time, which is the most that they can have used",
        )
        for name in OPTIONS:
            metavar = flag(name).strip("-").upper()
            parser.add_argument(flag(name), dest=name, default="", metavar=metavar, help=HELP[name])

    def handle(self, *args: Any, **options: Any) -> None:
        self.walked, self.booked_wh, self.explained_wh = 0, 0.0, 0.0
        self.fates: Counter[str] = Counter()
        try:
            self.walk(runs_of(options), options["repair"])
        except KeyboardInterrupt:
            raise CommandError(
                f"Interrupted after {counted(self.walked)}, {self.fates[REPAIRED]:,} repaired."
            ) from None
        self.conclude()

    def walk(self, runs: QuerySet[Run], how: str | None) -> None:
        said = time.monotonic()
        for walked, found in find(runs, time.time()):
            self.walked += walked
            done = repair(found, by_peak=how == "peak") if how else set()
            for each in found:
                self.tell(each, REPAIRED if each.run.id in done else why_not(each, how))
            if time.monotonic() - said > PROGRESS_S:
                said = time.monotonic()
                self.stderr.write(f"{counted(self.walked)} so far")

    def tell(self, wrong: Overbooked, fate: str) -> None:
        self.fates[fate] += 1
        self.booked_wh += wrong.run.energy_wh
        self.explained_wh += wrong.energy_wh
        self.stdout.write(f"{described(wrong)}, {fate}")

    def conclude(self) -> None:
        if not self.fates:
            self.stdout.write(f"{counted(self.walked)} checked: their power explains their energy.")
            return
        self.stdout.write(
            f"{counted(self.walked)} checked, of {self.fates.total():,} the power does not explain "
            f"the energy: {self.booked_wh:,.1f} Wh booked, {self.explained_wh:,.1f} Wh explained."
        )
        if repaired := self.fates.pop(REPAIRED, 0):
            self.stdout.write(f"{counted(repaired)} repaired, with the totals of their days.")
        if self.fates:
            raise CommandError(" ".join(WHY_NOT[why].format(n) for why, n in self.fates.items()))


def why_not(wrong: Overbooked, how: str | None) -> str:
    """Return why this run is not repaired, as WHY_NOT has it."""
    if wrong.is_open:
        return "still open"
    if not wrong.has_its_rows and how != "peak":
        return "minute rows are gone"
    return "changed meanwhile" if how else "not repaired"


def described(wrong: Overbooked) -> str:
    run = wrong.run
    started = timezone.localtime(run.started_at)
    length = formatting.duration(wrong.seconds).replace(formatting.NBSP, " ")
    most = "" if wrong.has_its_rows else "at most "
    return (
        f"{run.device_id} {run.channel}  {started:%Y-%m-%d %H:%M:%S}  {length}: "
        f"{run.energy_wh:,.1f} Wh booked, {most}{wrong.energy_wh:,.1f} Wh explained"
    )


def runs_of(options: dict[str, Any]) -> QuerySet[Run]:
    """Return the runs that the options select. Raise CommandError for an invalid option."""
    nothing = dict.fromkeys(RUNS.search.base_fields, "")
    search = RUNS.search(asked(RUNS, nothing | {name: options[name] for name in OPTIONS}))
    if not search.is_valid():
        raise CommandError("\n".join(sentences(search)))
    return search.queryset()


def counted(number: int) -> str:
    return "1 run" if number == 1 else f"{number:,} runs"
