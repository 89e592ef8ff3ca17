"""`python -m benchmarks.accuracy`: how right the rows and runs of made-up devices are.

No database, no server and no Django: lives are drawn from seeds, played through the rules of
sampling and compared with the truth. The same seeds give the same figures.
"""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence

from benchmarks.accuracy.playback import play
from benchmarks.accuracy.results import Finding, Score
from benchmarks.accuracy.scenarios import Life
from benchmarks.accuracy.scoring import score_life

PROGRESS_S = 2.0
SHOWN = 10


def main(arguments: Sequence[str] | None = None) -> None:
    parser = ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--lives", type=int, default=500)
    parser.add_argument("--hours", type=float, default=6.0, help="the length of a life")
    parser.add_argument("--seed", type=int, default=1, help="of the first life")
    asked = parser.parse_args(arguments)
    measure(asked.lives, asked.hours, asked.seed)


def measure(lives: int, hours: float, seed: int) -> None:
    """Print the figures of these lives, and progress while they are played."""
    score = Score()
    shown_at = time.monotonic()
    for each in range(seed, seed + lives):
        life = Life(each, hours)
        score_life(life, play(life), score)
        if time.monotonic() - shown_at > PROGRESS_S:
            shown_at = time.monotonic()
            sys.stderr.write(f"{score.lives} of {lives} lives\n")
    lines = [score.table(), *map(described, score.worst(SHOWN))]
    sys.stdout.writelines(f"{line}\n" for line in lines)


def described(finding: Finding) -> str:
    kind, seed, channel, at, why, _, fault = finding
    clock = time.strftime("%H:%M:%S", time.gmtime(at))
    line = f"seed {seed} {channel} {clock}: {kind}: {why}"
    return f"{line} ({fault})" if fault else line


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
