"""README, CONTRIBUTING, docs/: each page can be reached; each link, file and command exists."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.documents import PAGES, README, ROOT, name_of, prose

COMMANDS = sorted(
    path.stem for path in ROOT.glob("powerlog/management/commands/*.py") if path.stem != "__init__"
)
FOLDERS = ("benchmarks/", "collector_site/", "docs/", "powerlog/", "tests/")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def links(page: Path) -> list[tuple[Path, str]]:
    """The relative links of a page: the file and the anchor of each."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    relative = (link.partition("#") for link in found if "://" not in link)
    return [
        ((page.parent / path).resolve() if path else page, anchor) for path, _, anchor in relative
    ]


def blocks(page: Path) -> list[str]:
    """The lines of a page that can be copied into a shell."""
    found = re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return [line for text in found for line in text.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


def test_every_page_and_picture_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [README]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            waiting += [path for path, _ in links(page)] if page.suffix == ".md" else []
    documents = {
        path for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".png", ".service")
    }
    assert documents
    assert {*documents, *PAGES, ROOT / "CHANGELOG.md"} <= seen


def test_the_readme_stays_short() -> None:
    assert len(README.read_text().splitlines()) <= 170


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_and_modules_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"`([\w./-]+)`", prose(page))
    for path in (each for each in named if each.startswith(FOLDERS)):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"-m ((?:benchmarks|docs)[\w.]*)", page.read_text()):
        assert find_spec(module), module


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_of_manage_py_that_a_page_names_exist(page: Path) -> None:
    django = {
        "axes_reset",
        "check",
        "compilemessages",
        "createsuperuser",
        "makemessages",
        "migrate",
    }
    named = set(re.findall(r"\bmanage\.py ([a-z_]+)\b", page.read_text()))
    assert named <= {*COMMANDS, *django}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_table_of_commands(command: str) -> None:
    table = (ROOT / "docs/operations.md").read_text()
    assert re.search(rf"^\| `manage\.py {command}\b.*` \| ", table, re.MULTILINE)


def test_make_runs_exactly_the_lines_of_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipes = dict(re.findall(r"^([a-z]+):\n((?:\t.*\n)+)", makefile, re.MULTILINE))
    assert set(recipes) == {"run", "test", "lint", "bench"}
    for name, recipe in recipes.items():
        assert {line.strip() for line in recipe.splitlines()} <= set(blocks(README)), name
