"""A real browser before a real collector: Debian's Chromium, and a past for it to look at."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.databases import ADMIN, PASSWORD
from tests.support.frames import PUMP
from tests.support.servers import PATIENCE_S, Server

OTHER = "shellyplus1pm-0a1b2c3d4e60"
WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")
PAST = """
INSERT INTO devices
    (device_id, name, reported_name, model, firmware, address, first_seen_at, last_seen_at,
        connected)
    VALUES (%(id)s, %(name)s, '', '', '', '', now() - interval '90 days', %(seen)s, true);
INSERT INTO channels
    (device_id, channel, name, reported_name, logged, reports_power, flow_m3h, price_kwh)
    VALUES (%(id)s, 'switch:2', %(title)s, '', true, true, 3.2, 0.32);
INSERT INTO day_totals (device_id, channel, day, active_minutes, filled_minutes, runs, run_s,
        energy_wh, peak_w)
    SELECT %(id)s, 'switch:2', %(today)s::date - each, 60, 2, 3, 3600, 430, 450
    FROM generate_series(1, 60) AS each;
INSERT INTO runs (device_id, channel, started_at, ended_at, energy_wh, mean_w, peak_w, counter_wh,
        "end", midnights)
    SELECT %(id)s, 'switch:2', start, start + interval '20 minutes', 143, 430, 450, 100, 'stopped',
        '[]'
    FROM generate_series(%(today)s - interval '40 days' + interval '30 minutes',
        %(today)s - interval '2 hours', interval '8 hours') AS start;
INSERT INTO power_logs (timestamp, device_id, channel, apower_w, voltage_v, current_a,
        energy_total_wh, source)
    SELECT started_at + each * interval '1 minute', %(id)s, 'switch:2', 425 + each, 229.4, 2.3, 100,
        CASE each WHEN 3 THEN 'device' WHEN 4 THEN 'carried' ELSE 'measured' END
    FROM runs, generate_series(0, 19) AS each
    WHERE device_id = %(id)s AND started_at > %(today)s - interval '2 days';
INSERT INTO silences (device_id, since, until)
    SELECT %(id)s, %(today)s - interval '20 hours', %(today)s - interval '19 hours';
"""


def executable() -> str:
    """Of Chromium. Where there is none a test is skipped, but never in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("CI"):
        pytest.fail("There is no Chromium, and in CI there has to be: apt-get install chromium.")
    if found is None:
        pytest.skip("There is no Chromium on this machine: apt-get install chromium.")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def fill(database_url: str) -> None:
    """Sixty days of two pumps: one that is in contact now, and one that fell silent at midnight."""
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    pumps = [
        {"id": PUMP, "name": "Garden shed", "title": "Well pump", "seen": now},
        {"id": OTHER, "name": "Stable", "title": "Trough", "seen": today - timedelta(minutes=5)},
    ]
    with psycopg.connect(database_url) as connection:
        cursor = psycopg.ClientCursor(connection)
        for pump in pumps:
            cursor.execute(PAST, pump | {"today": today})


class Visitor:
    """A member of staff who has logged in; what the browser complains of is collected."""

    def __init__(self, browser: Browser, server: Server, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(
            base_url=server.url, locale="en-GB", **options
        )
        self.context.set_default_timeout(PATIENCE_S * 1000)
        self.complaints: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def log_in(self) -> None:
        self.page.goto("/dashboard/")
        self.page.fill("#id_username", ADMIN)
        self.page.fill("#id_password", PASSWORD)
        self.page.click("[type=submit]")
        self.page.wait_for_url("**/dashboard/")


def faults(page: Page) -> list[str]:
    """What axe finds to be serious or moderate on a page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("moderate", "serious", "critical")
    ]
