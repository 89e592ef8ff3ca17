"""Each limit in docs/threats.md names the place in the code that keeps it."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.servers import ROOT

LIMITS = (ROOT / "docs/threats.md").read_text().partition("## Limits\n")[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in LIMITS.splitlines()
    if line.startswith("|") and "---" not in line
]
PLACES = [row for row in ROWS if row[2] != "where"]


def source(place: str) -> str:
    if place.endswith(".py"):
        return (ROOT / "powerlog" / place).read_text()
    spec = find_spec(place)
    assert spec
    assert spec.origin
    return Path(spec.origin).read_text()


def test_there_are_tables_of_four_columns() -> None:
    assert len(PLACES) > 30
    assert {len(row) for row in ROWS} == {4}


@pytest.mark.parametrize("row", PLACES, ids=lambda row: row[0][:40])
def test_a_limit_is_where_it_is_said_to_be(row: list[str]) -> None:
    place, name = re.fullmatch("`(.+)` `(.+)`", row[2]).groups()
    assert re.search(rf"\b{name}\b", source(place))
