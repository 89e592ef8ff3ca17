"""No text of a stranger is a formula, in whatever file and however a spreadsheet reads that."""

import csv
import io
import random
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from powerlog.dashboard.runs_table import HEADER, as_csv
from powerlog.search.csv_export import DAYS, ROWS, RUNS, line
from powerlog.search.csv_formulas import safe, safe_sql
from tests.dashboard.test_chart import day_of
from tests.support.pumps import PUMP, known_run

HOSTILE = [
    ("=1+1", "'=1+1"),
    ("+49 30", "'+49 30"),
    ("-2 m", "'-2 m"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\uff1d1+1", "'\uff1d1+1"),
    ("\ufe66\uff0b", "'\ufe66\uff0b"),
    ("\t=1", "' =1"),
    ("\r=1", "' =1"),
    ("\0=1", "' =1"),
    ("\u00a0=1", "'\u00a0=1"),
    ("\ufeff\u200b\u3000=1", "'\ufeff\u200b\u3000=1"),
    ("a\u2028=1", "a =1"),
    ('"=1', "'\"=1"),
    ("Well;=1+1", "Well;'=1+1"),
    ("a;=cmd|calc!A0", "a;'=cmd|calc!A0"),
    ('a;"=1;-2', "a;'\"=1;'-2"),
    ('b,"=1', "b,'\"=1"),
    ("a\n=1", "a =1"),
    ("W 1+2 = 3 - x@y; z", "W 1+2 = 3 - x@y; z"),
    ('Größe, "2"', 'Größe, "2"'),
]
PIECES = ["=", "+", "-", "@", "\uff1d", '"', "'", ";", ",", "\t", "\n", "\r", " ", "\u00a0"]
PIECES += ["\ufeff", "\u200b", "\0", "\x85", "\u2028", "|", "\\", "cmd", "1", ".", "ä"]
UNSEEN = '"\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff'
hostile = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=12)


def cells(text: str) -> Iterator[str]:
    """All cells of this file as spreadsheets see it: by comma, semicolon or tab, and by one that
    knows of no quotes."""
    for separator in ",;\t":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            file = io.StringIO(text, newline="")
            for each in csv.reader(file, delimiter=separator, quoting=quoting):
                yield from each


def begins_formula(cell: str) -> bool:
    """Whether a careless spreadsheet calculates it. A number is what it looks like."""
    seen = cell
    while seen and (seen[0] in UNSEEN or unicodedata.category(seen[0]) in ("Zs", "Zl", "Zp", "Cc")):
        seen = seen[1:]
    form, _, code = unicodedata.decomposition(seen[:1] or " ").partition("> ")
    first = chr(int(code, 16)) if form in ("<wide", "<small") else seen[:1]
    return first in ("=", "+", "-", "@") and not re.fullmatch(r"-?[0-9.]+", seen)


@pytest.mark.parametrize(("text", "harmless"), HOSTILE)
def test_a_text_is_never_a_formula(text: str, harmless: str) -> None:
    assert safe(text) == harmless


@given(hostile)
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    assert safe(safe(text)) == safe(text)


@given(hostile, hostile, hostile, hostile)
def test_no_cell_of_an_export_begins_a_formula(
    device_id: str, name: str, channel: str, title: str
) -> None:
    texts = [*map(safe, (device_id, name, channel, title))]
    for table in (ROWS, RUNS, DAYS):
        file = table.header.decode() + line(["2026-05-01", *texts, "-5.5", "measured"]) * 2
        assert not [each for each in cells(file) if begins_formula(each)]


@given(hostile, hostile)
def test_no_cell_of_the_runs_of_a_day_begins_a_formula(device_id: str, channel: str) -> None:
    meter = replace(PUMP, device_id=device_id, channel=channel)
    day = replace(day_of(runs=[known_run(60, 62, -1.0), known_run(70, 72)]), meter=meter)
    file = as_csv(day)
    assert not [each for each in cells(file) if begins_formula(each)]
    first = next(csv.DictReader(io.StringIO(file.removeprefix("\ufeff"), newline="")))
    assert (first["device_id"], first["channel"]) == (safe(device_id), safe(channel))


@pytest.mark.django_db
def test_postgresql_makes_the_same_of_a_text() -> None:
    if connection.vendor != "postgresql":
        return
    dice = random.Random(1)
    pieces = [each for each in PIECES if each != "\0"]
    texts = ["".join(dice.choices(pieces, k=dice.randrange(12))) for _ in range(3000)]
    texts += [chr(code) + "=1" for code in range(1, 0xFFFF) if not 0xD800 <= code < 0xE000]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT t, {safe_sql('t')} FROM unnest(%s::text[]) AS t", [texts])
        assert [pair for pair in cursor if safe(pair[0]) != pair[1]] == []


def test_no_header_is_a_formula_or_looks_like_another_kind_of_file() -> None:
    for titles in (HEADER, *([each.title for each in t.columns] for t in (ROWS, RUNS, DAYS))):
        assert [safe(title) for title in titles] == list(titles)
        assert len(set(titles)) == len(titles)
        # A file that begins with ID is no CSV to Excel.
        assert not titles[0].upper().startswith("ID")
        assert "".join(titles).isascii()
