"""`manage.py score`: how well the rules of sampling find out the truth about made-up devices.

No database and no server: lives are drawn from seeds, played through the core and judged. The same
seeds give the same score.
"""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from benchmarks.accuracy.playback import judge, play
from benchmarks.accuracy.results import Finding, Score
from benchmarks.accuracy.scenarios import Life

PROGRESS_S = 2.0
SHOWN = 10


class Command(BaseCommand):
    help = "Play the made-up lives of devices through the rules and print how right the rows are."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--lives", type=int, default=500)
        parser.add_argument("--hours", type=float, default=6.0, help="the length of a life")
        parser.add_argument("--seed", type=int, default=1, help="of the first life")

    def handle(self, *args: Any, lives: int, hours: float, seed: int, **options: Any) -> None:
        score = Score()
        said = time.monotonic()
        for each in range(seed, seed + lives):
            life = Life(each, hours)
            judge(life, play(life), score)
            if time.monotonic() - said > PROGRESS_S:
                said = time.monotonic()
                self.stderr.write(f"{score.lives} of {lives} lives")
        self.stdout.write(score.table())
        for finding in score.worst(SHOWN):
            self.stdout.write(described(finding))


def described(finding: Finding) -> str:
    kind, seed, channel, at, why, _, befell = finding
    clock = time.strftime("%H:%M:%S", time.gmtime(at))
    line = f"seed {seed} {channel} {clock}: {kind}: {why}"
    return f"{line} ({befell})" if befell else line
