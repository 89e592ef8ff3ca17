"""The page about dependencies says what is installed, and none of it is known to be abandoned."""

import re
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PINS = dict(
    re.findall(
        r"^([a-z_-]+)(?:\[.*\])?==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
)


@pytest.mark.parametrize("name", PINS)
def test_each_is_pinned_explained_and_alive(name: str) -> None:
    page = (ROOT / "docs/dependencies.md").read_text()
    assert f"| `{name}` | {PINS[name]} | " in page
    assert version(name) == PINS[name]
    assert "Development Status :: 7 - Inactive" not in (metadata(name).get_all("Classifier") or [])


def test_the_page_names_none_that_is_not_there() -> None:
    page = (ROOT / "docs/dependencies.md").read_text()
    assert set(re.findall(r"^\| `(\S+)` \|", page, re.MULTILINE)) == set(PINS)
