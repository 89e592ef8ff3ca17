"""`python -m benchmarks.capacity`: the table of docs/capacity.md, from the figures measured.

The defaults are what the other benchmarks have measured; after a new run, say it here and put the
table into the page.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from .devices import BUSY
from .usage import table

FLEETS = (1, 1_000, 10_000, 100_000)
MEASURED_DEVICES = 10_000
DUTIES_H = (4, 24)
# Of fleet.py --devices 10000: the shares of a core in percent, and memory.
CPU, CPU_POSTGRES, EMPTY_MB, KB_PER_CONNECTION = 14.0, 1.0, 90.0, 30.0
BYTES_PER_ROW = 250.0  # of rows.py


def lines(asked: Namespace) -> Iterator[list[str]]:
    for devices in FLEETS:
        share = devices / MEASURED_DEVICES
        memory_mb = asked.empty_mb + devices * asked.kb_per_connection / 1024
        cores = (f"{share * cost / 100:.3f}" for cost in (asked.cpu, asked.cpu_postgres))
        days = [devices * BUSY * duty_h * 60 for duty_h in DUTIES_H]
        yield [
            f"{devices:,}",
            *cores,
            f"{memory_mb:,.0f} MB",
            f"{devices * BUSY / 60:,.2f}",
            *(f"{rows:,}" for rows in days),
            *(disk(rows * 365 * asked.bytes_per_row) for rows in days),
        ]


def disk(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size < 1e12 else f"{size / 1e12:,.1f} TB"


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--cpu", type=float, default=CPU, help="fleet: % of a core")
    parser.add_argument("--cpu-postgres", type=float, default=CPU_POSTGRES, help="the same")
    parser.add_argument("--empty-mb", type=float, default=EMPTY_MB, help="fleet: memory, empty")
    parser.add_argument("--kb-per-connection", type=float, default=KB_PER_CONNECTION, help="fleet")
    parser.add_argument("--bytes-per-row", type=float, default=BYTES_PER_ROW, help="rows, indexes")
    return parser.parse_args()


def main() -> None:
    duties = [f"at {duty_h} h a day" for duty_h in DUTIES_H]
    table(
        (
            "devices", "cores, collector", "cores, PostgreSQL", "memory", "rows/s, all busy",
            *(f"rows a day {duty}" for duty in duties), *(f"disk a year {duty}" for duty in duties),
        ),
        lines(arguments()),
    )  # fmt: skip


if __name__ == "__main__":
    main()
