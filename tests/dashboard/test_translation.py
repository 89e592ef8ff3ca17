"""The pages in German: the catalogue has all of their words, and no page mixes two languages."""

import ast
import gettext
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation.template import templatize

from powerlog.admin.lists import list_of
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run
from tests.support.pumps import device, past_of_the_pump
from tests.support.pumps import now as now
from tests.support.pumps import staff as staff

TABLES = (PowerLog, Run, DayTotal, Device, Channel)
GERMAN = settings.BASE_DIR / "powerlog" / "locale" / "de" / "LC_MESSAGES"
MARKS = ("_", "gettext", "gettext_lazy", "gettext_noop", "ngettext")
STRING = r"""u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
PLACEHOLDER = r"%\(\w+\)s|\{\w+\}|</?\w+>"
PAGES = (
    "/dashboard/",
    "/dashboard/?meter=pump/switch:2",
    "/dashboard/?meter=pump/switch:2&day=2026-04-20",
    "/dashboard/?device=pump",
    "/dashboard/weeks/?meter=pump/switch:2",
    "/dashboard/?meter=none/switch:2",
    "/admin/",
    "/admin/powerlog/powerlog/",
    "/admin/powerlog/run/?since_1=10:00&min_w=9&max_w=1",
    "/admin/powerlog/daytotal/",
    "/admin/powerlog/device/",
    "/admin/powerlog/channel/",
    "/admin/powerlog/access/",
)
AMBIGUOUS = {"Start"}  # what German admins call their first page


def entries() -> list[dict[str, str]]:
    """Of the catalogue: msgid, msgstr and what else is said of each."""
    text = (GERMAN / "django.po").read_text()
    return [dict(_keywords(block)) for block in text.strip().split("\n\n")]


def _keywords(block: str) -> Iterator[tuple[str, str]]:
    for name, lines in re.findall(r'^(msg[\w\[\]]+) ((?:"[^\n]*"\n?)+)', block, re.MULTILINE):
        yield name, "".join(ast.literal_eval(line) for line in lines.strip().split("\n"))


def pairs() -> Iterator[tuple[str, str]]:
    """An English text and the German one; of a plural, both of its forms."""
    for entry in entries()[1:]:
        yield entry["msgid"], entry.get("msgstr", entry.get("msgstr[0]", ""))
        if "msgid_plural" in entry:
            yield entry["msgid_plural"], entry["msgstr[1]"]


def test_every_text_has_a_german_one_and_none_is_a_guess() -> None:
    assert [english for english, german in pairs() if not german.strip()] == []
    text = (GERMAN / "django.po").read_text()
    assert "fuzzy" not in text
    assert "#~" not in text  # a text that no page has any more


def test_placeholders_and_tags_are_the_same_in_both() -> None:
    def of(text: str) -> list[str]:
        return sorted(re.findall(PLACEHOLDER, text))

    assert [english for english, german in pairs() if of(english) != of(german)] == []


def test_the_compiled_catalogue_is_the_one_that_is_written() -> None:
    written: dict[object, str] = {}
    for entry in entries()[1:]:
        context = f"{entry['msgctxt']}\x04" if "msgctxt" in entry else ""
        key = context + entry["msgid"]
        if "msgid_plural" in entry:
            written |= {(key, form): entry[f"msgstr[{form}]"] for form in (0, 1)}
        else:
            written[key] = entry["msgstr"]
    with (GERMAN / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog
    assert compiled == written | {"": compiled[""]}, "run manage.py compilemessages"


def marked() -> Iterator[tuple[Path, str]]:
    """Every text of the sources that is marked for translation."""
    for folder in ("powerlog", "collector_site"):
        for path in (settings.BASE_DIR / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKS:
                    yield from ((path, each.value) for each in node.args[:1] if _is_text(each))
    for path in (settings.BASE_DIR / "templates").rglob("*.html"):
        code = templatize(path.read_text())
        for said in re.findall(rf"\bn?gettext\({STRING}|\b_\({STRING}", code):
            yield path, ast.literal_eval("".join(said))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_no_marked_text_is_missing_in_the_catalogue() -> None:
    known = {entry["msgid"] for entry in entries()}
    found = list(marked())
    assert {path.suffix for path, text in found} == {".py", ".html"}
    assert {text for path, text in found} >= {"Run time", "Run time today", "to (min)"}
    assert [(path.name, text) for path, text in found if text not in known] == []


def _texts(client: Client, language: str) -> Iterator[tuple[str, str]]:
    """What the pages say, in words between tags and in the attributes that are read out."""
    opened = [list_of(model) + f"{model.objects.first().pk}/change/" for model in TABLES]
    for page in [*PAGES, *opened]:
        html = client.get(page, headers={"accept-language": language}).content.decode()
        read_out = re.findall(
            r'(?:aria-label|placeholder|data-(?!numbers|live)\w+)="([^"]*)"', html
        )
        yield page, "\n".join([*read_out, *re.findall(">([^<]+)<", html)])


def _mixed(client: Client, language: str, foreign: set[str]) -> dict[str, list[str]]:
    """Which of the words of the other language each page has; nothing of pages without any."""
    found = {
        page: [each for each in foreign if re.search(rf"(?<!\w){re.escape(each)}(?!\w)", text)]
        for page, text in _texts(client, language)
    }
    return {page: words for page, words in found.items() if words}


@pytest.fixture
def pages(staff: Client, now: datetime) -> Client:
    past_of_the_pump()
    device("other", title="Trough", name="Stable")
    return staff


def _plain(index: int) -> set[str]:
    """The words of one of the two languages only, as they stand in a page."""
    differing = [pair for pair in pairs() if pair[0] != pair[1] and "%" not in pair[0]]
    other = {pair[1 - index] for pair in differing}
    return {pair[index] for pair in differing if len(pair[index]) > 3} - other - AMBIGUOUS


@pytest.mark.django_db
def test_a_german_page_has_no_english_words(pages: Client) -> None:
    words = _plain(0)
    assert words >= {"Run time", "No contact", "Last heard", "Log out", "runs"}
    assert _mixed(pages, "de", words) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "fr", ""])
def test_every_other_reader_gets_english_without_german_words(pages: Client, language: str) -> None:
    words = _plain(1)
    assert words >= {"Laufzeit", "Kein Kontakt", "Abmelden", "Heute"}
    assert _mixed(pages, language, words) == {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "spoken"), [("de-AT,en;q=0.5", "de"), ("en-GB", "en"), ("fr", "en"), ("", "en")]
)
def test_a_page_says_in_which_language_it_is(pages: Client, asked: str, spoken: str) -> None:
    page = pages.get("/dashboard/", headers={"accept-language": asked}).content.decode()
    assert f'<html lang="{spoken}">' in page


@pytest.mark.django_db
def test_times_are_of_24_hours_in_both_languages(pages: Client) -> None:
    for language, said in (("en", "since 11:50"), ("de", "seit 11:50")):
        page = pages.get(PAGES[1], headers={"accept-language": language}).content.decode()
        assert said in page
