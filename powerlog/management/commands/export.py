"""`manage.py export`: rows, runs or day totals as CSV, to standard output or into a file."""

import os
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.forms import MultiValueField
from django.utils import timezone

from powerlog.search.csv_export import BOM, DAYS, ROWS_AT_ONCE, TABLES, Table
from powerlog.search.forms import Search
from powerlog.search.pg_copy import Piece, copied_here

PROGRESS_S = 2.0
WHEN = "of TIME_ZONE, such as 2026-05-01"
HELP = {
    "device": "name or id, or a part of it",
    "channel": "name, or component key such as switch:2",
    "since": f"from this day on, {WHEN}; with a time of day as '2026-05-01 12:00'",
    "until": f"up to this day, which is included, {WHEN}; or up to this minute",
    "min_w": "power from, in watts; of runs and days their peak",
    "max_w": "power up to, in watts",
    "source": "measured, device or carried",
    "min_minutes": "lasting from, in minutes",
    "max_minutes": "lasting up to, in minutes",
    "end": "how it ended: stopped, 'lost contact', or open",
}
CLOCK_CHANGES = (
    "A time of day that comes twice, where clocks are set back, means the first of the two for "
    "--from and the last for --to. One that does not exist, where they are set forward, means the "
    "moment to which the clock jumps."
)
FLAGS = {"since": "--from", "until": "--to"}


def flag(name: str) -> str:
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


class Command(BaseCommand):
    help = (
        "Write minute rows, runs or day totals as CSV in the order of time: all, or what the "
        "options say, as in the search of the admin."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True, metavar="rows|runs|days")
        for table in TABLES.values():
            kind = kinds.add_parser(
                table.name,
                help=f"options: export {table.name} --help",
                epilog="" if table is DAYS else CLOCK_CHANGES,
            )
            for name in table.search.base_fields:
                kind.add_argument(
                    flag(name),
                    dest=name,
                    default="",
                    metavar=flag(name).strip("-").upper(),
                    help=HELP[name],
                )
            kind.add_argument(
                "--output",
                type=Path,
                metavar="FILE",
                help="a new file, which begins with the mark by which Excel knows UTF-8; "
                "without it, to standard output without the mark",
            )

    def handle(self, *args: Any, kind: str, output: Path | None, **options: Any) -> None:
        table = TABLES[kind]
        search = table.search(asked(table, options))
        if not search.is_valid():
            raise CommandError("\n".join(sentences(search)))
        pieces = self.told(pieces_of(table, search))
        if output:
            with new_file(output) as file:
                file.write(BOM + table.header)
                file.writelines(pieces)
        else:
            to_standard_output(table.header, pieces)
        rows = f"{self.rows:,} {table.name if self.rows != 1 else table.name.removesuffix('s')}"
        self.stderr.write(f"{rows} in {output}" if output else rows)

    def told(self, pieces: Iterator[Piece]) -> Iterator[bytes]:
        """Yield the pieces, and write the progress now and then."""
        self.rows, said = 0, time.monotonic()
        for piece in pieces:
            self.rows += piece.rows
            if time.monotonic() - said > PROGRESS_S:
                said = time.monotonic()
                self.stderr.write(f"{self.rows:,} so far")
            yield piece.data


def asked(table: Table, options: dict[str, Any]) -> dict[str, str]:
    """Return the options as the search form takes them from a browser."""
    data = {name: options[name] for name in table.search.base_fields}
    for name, field in table.search.base_fields.items():
        if isinstance(field, MultiValueField):
            day, _, time_of_day = data.pop(name).replace("T", " ").partition(" ")
            data |= {f"{name}_0": day, f"{name}_1": time_of_day}
    return data


def sentences(search: Search) -> Iterator[str]:
    for name, errors in search.errors.items():
        for error in errors:
            yield f"{flag(name)}: {error}"


def pieces_of(table: Table, search: Search) -> Iterator[Piece]:
    if connection.vendor == "postgresql":
        yield from copied_here(*table.copy(search), timezone.get_current_timezone_name())
        return
    lines = table.lines(search)
    while part := list(islice(lines, ROWS_AT_ONCE)):
        yield Piece("".join(part).encode(), len(part), False)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file, written whole or not at all; never replace an existing one."""
    taken = f"{path} is there already: remove it, or choose another name."
    if path.exists():
        raise CommandError(taken)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o666 & ~umask())
            os.link(file.name, path)
    except FileExistsError:
        raise CommandError(taken) from None
    except OSError as exc:
        raise CommandError(f"{path} cannot be written: {exc.strerror}.") from None
    except KeyboardInterrupt:
        raise CommandError(f"Interrupted: there is no {path}.") from None


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def to_standard_output(header: bytes, pieces: Iterator[bytes]) -> None:
    try:
        sys.stdout.buffer.write(header)
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader has closed the pipe, as `head` does; Python would report it again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        raise CommandError("Interrupted: what was written is not all.") from None
