"""`manage.py join_devices`: move the history of one device to another, however long it is."""

import time
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from powerlog.joining.plan import Plan, Refused, plan
from powerlog.joining.steps import Moved, join
from powerlog.management.commands.prune import counted

PROGRESS_S = 2.0


class Command(BaseCommand):
    help = (
        "Move the history of the device OLD to the device NEW: minutes, runs, day totals, "
        "silences, and the settings of its channels. OLD leaves the list. This cannot be undone. "
        "The collector may run meanwhile, and the command may be interrupted and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("old", metavar="OLD", help="the id of the device that is gone")
        parser.add_argument("new", metavar="NEW", help="the id of the device that goes on")
        parser.add_argument(
            "--by",
            metavar="USER",
            help="the user in the history entry of NEW (default: the only superuser)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be moved, and move nothing"
        )

    def handle(
        self, *args: Any, old: str, new: str, by: str | None, dry_run: bool, **options: Any
    ) -> None:
        try:
            planned = plan(old, new)
            if planned.objections:
                raise Refused("\n".join(planned.objections))
            if dry_run:
                self.stdout.write(f"{described(planned)} would move from {old} to {new}.")
                return
            self.stderr.write(f"Moving {described(planned)} from {old} to {new}.")
            self.join(planned, user_id(by))
        except Refused as exc:
            raise CommandError(str(exc)) from None

    def join(self, planned: Plan, by: int) -> None:
        said, moved = time.monotonic(), Moved()
        try:
            for moved in join(planned, by):
                if time.monotonic() - said > PROGRESS_S:
                    said = time.monotonic()
                    self.stderr.write(
                        f"{moved.runs:,} of {planned.runs:,} runs, "
                        f"{moved.minutes:,} of {planned.minutes:,} minutes so far"
                    )
        except KeyboardInterrupt:
            raise CommandError(
                f"Interrupted, {done(moved)} moved. The same command goes on from there.",
                returncode=130,
            ) from None
        left_out = counted(moved.left_out, "minute")
        both = f" {left_out} that both had left out." if moved.left_out else ""
        self.stdout.write(f"{done(moved)} moved.{both}")


def user_id(name: str | None) -> int:
    """Return the key of this user, or of the only superuser."""
    users = get_user_model().objects.filter(is_active=True)
    chosen = users.filter(is_superuser=True) if name is None else users.filter(username=name)
    keys = list(chosen.values_list("pk", flat=True)[:2])
    if len(keys) == 1:
        return keys[0]
    if name is None:
        raise CommandError(
            "There is not exactly one superuser. Name the user of the history entry: --by USER."
        )
    raise CommandError(f"There is no active user {name!r}.")


def described(planned: Plan) -> str:
    span = f", from {planned.first} to {planned.last}" if planned.first else ""
    parts = (
        counted(planned.minutes, "minute"),
        counted(planned.runs, "run"),
        counted(planned.days, "day total"),
    )
    return f"{', '.join(parts)}{span}"


def done(moved: Moved) -> str:
    return f"{counted(moved.minutes, 'minute')} and {counted(moved.runs, 'run')}"
