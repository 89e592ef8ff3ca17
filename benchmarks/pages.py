"""`python -m benchmarks.pages`: what the pages cost with ten million rows behind them.

PostgreSQL fills its own tables with a year of three hundred pumps (history.py), or for the overview
with some months of a thousand. Then each page is asked for many times, of the collector's
application in this process (requests.py). A page above its limit is named with its slowest query.
"""

import asyncio
import re
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

import psycopg

from .asking import Answer, Memory, Queries, ask, weight
from .history import Fleet, fill, keep_fresh
from .page_list import OVERVIEW_PAGES, YEAR_PAGES, Page, places
from .rows import set_up
from .usage import new_database, place, run, say, table

YEAR, OVERVIEW = (100, 3), (500, 2)  # devices, and channels of each
HEAVIEST = 150_000
EXPORT_MB = 100.0
SHOWN = 300  # characters of a slow query


class Cost(NamedTuple):
    """Of a page asked for many times. growth_mb is that of the memory, of an export."""

    page: Page
    answers: Sequence[Answer]
    queries: Sequence[tuple[float, str]]
    growth_mb: float

    @property
    def median_ms(self) -> float:
        return median(answer.seconds for answer in self.answers) * 1000

    @property
    def best_ms(self) -> float:
        """What it takes where nothing else is going on: of a busy machine the fairest figure."""
        return min(answer.seconds for answer in self.answers) * 1000

    @property
    def worst_ms(self) -> float:
        return max(answer.seconds for answer in self.answers) * 1000

    @property
    def cpu_ms(self) -> float:
        return median(answer.cpu_s for answer in self.answers) * 1000

    @property
    def waited_ms(self) -> float:
        """For the database, on average."""
        return sum(seconds for seconds, _ in self.queries) / len(self.answers) * 1000

    @property
    def slowest(self) -> tuple[float, str]:
        return max(self.queries, default=(0.0, "none"))

    @property
    def faults(self) -> Iterator[str]:
        """Why it is not good enough, if so."""
        last, limit_ms = self.answers[-1], self.page.limit_ms
        if last.status != 200:
            yield f"HTTP {last.status}"
        if self.median_ms > limit_ms:
            seconds, sql = self.slowest
            yield (
                f"{self.median_ms:.0f} ms, {limit_ms:.0f} allowed: {self.cpu_ms:.0f} of CPU, "
                f"{self.waited_ms:.0f} of queries, the slowest {seconds * 1000:.0f}: "
                f"{short(sql)}"
            )
        if self.page.export and self.growth_mb > EXPORT_MB:
            yield f"{self.growth_mb:.0f} MB of memory"
        if self.page.url.startswith("/dashboard/") and weight(last) > HEAVIEST:
            yield f"weighs {weight(last) / 1000:.0f} KB"


def short(sql: str) -> str:
    """On one line, of many parameters in a row one, and no more than one can read."""
    line = re.sub(r"%s([(), ]+%s){3,}", "%s, …", " ".join(sql.split()))
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"


def staff_cookie() -> str:
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import Client

    user = get_user_model().objects.create_superuser("benchmark")
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


async def costs(
    pages: Sequence[Page], words: dict[str, str], cookie: str, rounds: int, url: str
) -> list[Cost]:
    """Each page once to warm up, and then so many times."""
    from django.db.backends.signals import connection_created

    from collector_site.asgi import application

    queries, found = Queries(), []
    connection_created.connect(queries.listen)
    for page in pages:
        with psycopg.connect(url) as connection:
            keep_fresh(connection)
        address = page.url.format_map(words)
        with Memory() as memory:
            whole = await ask(application, address, cookie)
            queries.take()
            answers = [await ask(application, address, cookie, 0) for _ in range(rounds)]
        answers[-1] = answers[-1]._replace(page=whole.page)
        found.append(Cost(page, answers, queries.take(), memory.growth_mb))
        say(f"{page.name}: {found[-1].median_ms:.1f} ms")
    return found


def lines(found: Sequence[Cost]) -> Iterator[list[str]]:
    for cost in found:
        last = cost.answers[-1]
        yield [
            cost.page.name,
            f"{last.status}",
            f"{cost.median_ms:.1f}",
            f"{cost.best_ms:.1f}",
            f"{cost.worst_ms:.1f}",
            f"{cost.page.limit_ms:.0f}",
            f"{cost.cpu_ms:.1f}",
            f"{cost.waited_ms:.1f} in {len(cost.queries) / len(cost.answers):.0f}",
            f"{last.size / 1000:.0f} KB",
            f"{cost.growth_mb:.0f} MB" if cost.page.export else f"{weight(last) / 1000:.0f} KB",
        ]


def measure(asked: Namespace) -> None:
    fleet = Fleet(*(OVERVIEW if asked.overview else YEAR), asked.rows)
    with place() as (postgres, folder):
        url = new_database(postgres, "pages")
        set_up(url, folder)
        began = time.monotonic()
        rows = fill(url, fleet)
        say(f"{rows} rows made in {time.monotonic() - began:.0f} s")
        report(OVERVIEW_PAGES if asked.overview else YEAR_PAGES, url, asked.rounds)


def report(pages: Sequence[Page], url: str, rounds: int) -> None:
    found = asyncio.run(costs(pages, places(url), staff_cookie(), rounds, url))
    table(
        (
            "page", "HTTP", "median ms", "best", "worst", "limit", "CPU", "queries", "sent",
            "with CSS and JS, or memory",
        ),
        lines(found),
    )  # fmt: skip
    for cost in found:
        for fault in cost.faults:
            sys.stdout.write(f"{cost.page.name}: {fault}\n")


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of minutes (10000000)")
    parser.add_argument("--rounds", type=int, default=20, help="of each page (20)")
    parser.add_argument(
        "--overview", action="store_true", help="a thousand channels, and the pages that list them"
    )
    return parser.parse_args()


def main() -> None:
    measure(arguments())


if __name__ == "__main__":
    run(main)
