"""The command that makes the pictures: of what, and at which time of the day."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import time_machine

from benchmarks.page_list import YEAR_PAGES
from docs import screenshots

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *ROOT.glob("docs/*.md"))


@pytest.mark.parametrize("hour", range(24))
def test_it_is_evening_on_the_pictures_whenever_they_are_made(hour: int) -> None:
    with time_machine.travel(datetime(2026, 7, 1, hour, 30, tzinfo=UTC), tick=False):
        zone = ZoneInfo(screenshots.evening())
        assert 18 <= datetime.now(zone).hour <= 22


def test_every_picture_of_readme_and_docs_is_made_by_the_command() -> None:
    made = {ROOT / "docs" / shot.file for shot in (*screenshots.DASHBOARD, *screenshots.ADMIN)}
    shown = {
        page.parent / picture
        for page in PAGES
        for picture in re.findall(r"\]\(([^)]+\.png)\)", page.read_text())
    }
    assert shown == made


def test_pictures_have_files_of_their_own_and_addresses_that_can_be_filled_in() -> None:
    shots = (*screenshots.DASHBOARD, *screenshots.ADMIN)
    assert len({shot.file for shot in shots}) == len(shots)
    for shot in screenshots.DASHBOARD:
        assert shot.url.format_map({"well": "w", "booster": "b"}).startswith("/dashboard/")
    known = {word for page in YEAR_PAGES for word in re.findall(r"{(\w+)}", page.url)}
    for shot in screenshots.ADMIN:
        assert set(re.findall(r"{(\w+)}", shot.url)) <= known
