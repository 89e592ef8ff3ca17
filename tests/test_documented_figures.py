"""Measured figures are in docs/performance.md alone; docs/capacity.md is calculated from them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import PAGES, ROOT, name_of, prose

PERFORMANCE = ROOT / "docs/performance.md"
CAPACITY = ROOT / "docs/capacity.md"
OTHERS = [page for page in PAGES if page not in (PERFORMANCE, CAPACITY)]
NUMBER = r"\d[\d,.]*"
UNITS = (
    r"(?:µs|[MGT]B\b|KB (?:a connection|each)|(?:rows|minutes|frames)(?:/s| a second)|% of a core)"
)
# What is set, not measured: a limit of the code, and one of the systemd unit.
LIMITS = {"threats.md": {"1 MB"}, "failures.md": {"1 GB"}}


def measured(what: str) -> str:
    """The last cell of the row of docs/performance.md that measures this."""
    (found,) = re.findall(
        rf"^\| .*{re.escape(what)}.* \| ([^|]+) \|$", prose(PERFORMANCE), re.MULTILINE
    )
    return found


def number(what: str) -> float:
    return float(re.search(NUMBER, measured(what)).group().replace(",", ""))


@pytest.mark.parametrize("page", OTHERS, ids=name_of)
def test_another_page_has_no_figure_with_a_unit_of_a_measurement(page: Path) -> None:
    assert set(re.findall(rf"{NUMBER} {UNITS}", prose(page))) == LIMITS.get(page.name, set())


@pytest.mark.parametrize("page", [*OTHERS, CAPACITY], ids=name_of)
def test_no_measured_figure_stands_on_another_page(page: Path) -> None:
    cells = re.findall(rf"\| ({NUMBER} (?:µs|ms|s|KB))(?= \|)", prose(PERFORMANCE))
    assert len(cells) > 20
    assert [each for each in set(cells) if re.search(rf"(?<![\d.,]){each}\b", prose(page))] == []


def calculation() -> list[str]:
    """The command of docs/capacity.md, from its first option on."""
    (found,) = re.findall(
        r"^\.venv/bin/python -m benchmarks\.capacity (.+)$", CAPACITY.read_text(), re.M
    )
    return found.split()


def test_capacity_is_calculated_from_the_measured_figures() -> None:
    words = calculation()
    given = dict(zip(words[::2], map(float, words[1::2]), strict=True))
    empty_mb = number("memory without a device")
    assert given == {
        "--cpu": number("CPU of the collector on average"),
        "--cpu-postgres": number("CPU of PostgreSQL on average"),
        "--empty-mb": empty_mb,
        "--kb-per-connection": round((number("memory, all in all") - empty_mb) * 1024 / 10_000, 1),
        "--bytes-per-row": number("bytes of PostgreSQL a minute row"),
    }


def test_the_table_of_fleets_is_what_the_command_prints() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.capacity", *calculation()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip()
    assert result.stdout.strip() in CAPACITY.read_text()


def test_one_writer_sustains_what_capacity_claims() -> None:
    assert "more than five times their mean rate" in CAPACITY.read_text()
    (rate,) = re.findall(
        rf"^\| 100,000 \|.* \| ({NUMBER}) \|(?: [^|]+\|){{4}}$", prose(CAPACITY), re.M
    )
    assert number("rows a second into PostgreSQL") > 5 * float(rate.replace(",", ""))


def test_a_row_of_every_minute_of_a_year_takes_what_the_page_has() -> None:
    year_mb = number("bytes of PostgreSQL a minute row") * 60 * 24 * 365 / 1e6
    assert year_mb == pytest.approx(number("always active, in a year"), abs=5)


def test_the_limit_of_memory_is_that_of_the_unit() -> None:
    (memory,) = LIMITS["failures.md"]
    unit = (ROOT / "docs/collector.service").read_text()
    assert f"MemoryMax={memory.removesuffix('B').replace(' ', '')}\n" in unit
