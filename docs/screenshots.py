"""`python -m docs.screenshots`: the pictures of README and docs, from a collector that really runs.

The dashboard's show the two pumps of `manage.py demo`, who dial in and are live, on some evening
on which most of their day has passed; `--admin` makes those of the admin, with ten million rows
behind them. A new picture is a line in a table. Needs requirements-dev.txt, and Chromium.
"""

import asyncio
import os
import re
import secrets
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from django.core.management import call_command
from playwright.async_api import Browser, async_playwright

from benchmarks.history import Fleet, fill, keep_fresh
from benchmarks.page_list import places
from benchmarks.pages import YEAR
from benchmarks.rows import set_up
from benchmarks.usage import new_database, place, run, say
from tests.support.servers import Server, running, serve, until

DOCS = Path(__file__).parent
EVENING = 20  # o'clock, where it is now
ZONES = (
    "Pacific/Auckland", "Australia/Brisbane", "Asia/Tokyo", "Asia/Bangkok", "Asia/Dubai",
    "Europe/Athens", "Europe/Berlin", "Europe/Lisbon", "Atlantic/Azores", "America/Sao_Paulo",
    "America/New_York", "America/Denver", "America/Los_Angeles", "Pacific/Honolulu",
)  # fmt: skip
ADMIN_ROWS = 10_000_000


class Shot(NamedTuple):
    """A picture of a page: its file in docs/, its address, and how wide and high the window is.

    height 0: as high as the page.
    """

    file: str
    url: str
    width: int = 1280
    height: int = 0


# {well} and {booster} are the pumps of the demo, as DEVICE/CHANNEL.
DASHBOARD = (Shot("dashboard.png", "/dashboard/?meter={well}", 1000, 900),)
# The words of benchmarks/page_list.py.
ADMIN = (
    Shot("admin-minutes.png", "/admin/powerlog/powerlog/?device={device}", 1280, 800),
    Shot("admin-runs.png", "/admin/powerlog/run/?min_minutes=20", 1280, 800),
)


def evening() -> str:
    """The time zone in which the day is about to end."""
    now = datetime.now(UTC)
    return min(ZONES, key=lambda zone: abs(now.astimezone(ZoneInfo(zone)).hour - EVENING))


async def take(server: Server, shots: Sequence[Shot], words: dict[str, str]) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for shot in shots:
            await take_one(browser, server, shot, words)
        await browser.close()


async def take_one(browser: Browser, server: Server, shot: Shot, words: dict[str, str]) -> None:
    window = {"width": shot.width, "height": shot.height or 600}
    page = await browser.new_page(viewport=window, locale="en-GB", color_scheme="light")
    await page.goto(f"{server.url}/admin/login/")
    await page.fill("[name=username]", "admin")
    await page.fill("[name=password]", re.findall(r"admin / (\S+)", server.output)[0])
    await page.click("[type=submit]")
    answer = await page.goto(server.url + shot.url.format_map(words), wait_until="networkidle")
    if answer is None or not answer.ok:
        sys.exit(f"{shot.url} answers {answer and answer.status}")
    await page.screenshot(path=DOCS / shot.file, full_page=not shot.height)
    say(f"docs/{shot.file}")
    await page.close()


async def live(server: Server, shots: Sequence[Shot]) -> None:
    """The pictures, while the pumps of the demo are connected and say what they do."""
    from django.utils import timezone

    from powerlog.management.commands.simulate import Fleet as Dialling
    from powerlog.models import Device
    from powerlog.simulation.demo import PUMPS, Story
    from powerlog.simulation.pro4pm import PUMP_CHANNEL

    fleet = Dialling(0, server.socket, say)
    for pump in PUMPS:
        device = await Device.objects.aget(device_id=pump.device_id)
        told = (device.first_seen_at.timestamp(), device.last_seen_at.timestamp())
        fleet.devices.append(Story(pump, *told, timezone.get_default_timezone()).shelly)
    talk = asyncio.create_task(fleet.run())
    words = [f"{pump.device_id}/{PUMP_CHANNEL}" for pump in PUMPS]
    try:
        await asyncio.to_thread(until, lambda: server.status()["devices connected"] == "2")
        await asyncio.sleep(5)  # until the database knows it, and the first minutes are in
        await take(server, shots, dict(zip(("well", "booster"), words, strict=True)))
    finally:
        talk.cancel()


def dashboard() -> None:
    with tempfile.TemporaryDirectory(prefix="collector-docs-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder}/collector.sqlite3"
        set_up(url, folder)
        call_command("demo")
        with running(serve(url, folder)) as server:
            asyncio.run(live(server, DASHBOARD))


def admin() -> None:
    with place() as (postgres, folder):
        url = new_database(postgres, "docs")
        set_up(url, folder)
        fill(url, Fleet(*YEAR, ADMIN_ROWS))
        with running(serve(url, folder)) as server, psycopg.connect(url) as connection:
            keep_fresh(connection)
            connection.commit()
            asyncio.run(take(server, ADMIN, places(url)))


def main() -> None:
    parser = ArgumentParser(prog="python -m docs.screenshots", description=__doc__)
    parser.add_argument("--admin", action="store_true", help="those of the admin instead")
    asked = parser.parse_args()
    # Nothing of the developer's own is on the pictures, and nothing is left in data/.
    os.environ |= {"TIME_ZONE": evening(), "SECRET_KEY": secrets.token_urlsafe(40)}
    admin() if asked.admin else dashboard()


if __name__ == "__main__":
    run(main)
