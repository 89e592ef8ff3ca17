"""The pages in a real browser, with a real Daphne and a real PostgreSQL behind them."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.test_collector import dial
from tests.support.browser import OTHER, SCHEMES, WIDTHS, Visitor, chromium, faults, fill
from tests.support.frames import PUMP, delta, full, meter
from tests.support.servers import PATIENCE_S, Server, running, serve

LIMIT_MS = PATIENCE_S * 1000
WELL = f"/dashboard/?meter={PUMP}/switch:2"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def server(ready_postgres: Callable[[], str], tmp_path: Path) -> Iterator[Server]:
    with running(serve(ready_postgres(), tmp_path)) as found:
        yield found


@pytest.fixture(scope="module")
def filled(
    ready_postgres: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """With a past, for those who only look."""
    url = ready_postgres()
    fill(url)
    with running(serve(url, tmp_path_factory.mktemp("filled"))) as found:
        yield found


@contextmanager
def visit(browser: Browser, server: Server, **options: object) -> Iterator[Visitor]:
    visitor = Visitor(browser, server, **options)
    with closing(visitor.context):
        visitor.log_in()
        yield visitor


def test_a_visitor_walks_from_the_overview_to_the_day_a_run_the_weeks_and_the_file(
    browser: Browser, filled: Server
) -> None:
    with visit(browser, filled) as visitor:
        page = visitor.page
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(page.locator("tbody tr").first).to_contain_text("Trough")
        expect(page.locator("tbody tr").first).to_contain_text("No contact since")
        page.get_by_role("link", name="Well pump").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Well pump")
        expect(page.locator(".note")).to_contain_text("It has not run today")
        page.locator("#runs tbody a").first.click()
        expect(page.get_by_text("Show the whole day")).to_be_visible()
        expect(page.locator("tr.chosen")).to_have_count(1)
        page.get_by_text("Show the whole day").click()
        page.locator(".links a").first.dispatch_event("click")
        expect(page.get_by_text("Show the whole day")).to_be_visible()
        page.get_by_role("link", name="Weeks").click()
        expect(page.locator(".bar")).to_have_count(42)
        page.get_by_role("link", name="Energy", exact=True).click()
        page.get_by_text("The picture as a table").first.click()
        page.locator("#days-table tbody a").nth(-2).click()
        expect(page.locator("#runs tbody tr")).to_have_count(3)
        with page.expect_download() as download:
            page.get_by_text("Download as CSV").click()
        assert download.value.path().read_text().count(PUMP) == 3
        assert visitor.complaints == []


def test_the_crosshair_is_moved_by_the_keyboard_and_says_every_value(
    browser: Browser, filled: Server
) -> None:
    with visit(browser, filled) as visitor:
        page = visitor.page
        page.goto(WELL)
        page.locator("#runs tbody a").first.click()
        slider = page.get_by_role("slider", name="Time of day")
        slider.focus()
        page.keyboard.press("Home")
        readout = page.locator(".readout")
        expect(readout).to_contain_text("not running")
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        expect(readout).to_contain_text("425.0 W · 229.4 V · 2.30 A")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        expect(readout).to_contain_text("428.0 W · 229.4 V · 2.30 A (from the device)")
        assert "428.0" in (slider.get_attribute("aria-valuetext") or "")
        assert visitor.complaints == []


def test_the_page_follows_the_pump_and_says_when_it_has_lost_the_server(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    fill(server.database_url)
    with visit(browser, server) as visitor:
        page = visitor.page
        page.goto(WELL)
        state = page.locator("#state")
        expect(state).to_contain_text("Stopped")
        page.locator("#table summary").click()
        with dial(server) as device:
            device.send(full(time.time(), switch_2=meter(430.0, 2718.0)))
            expect(state).to_contain_text("Running", timeout=LIMIT_MS)
            expect(page.locator("h2.date")).to_contain_text("today so far", timeout=LIMIT_MS)
            expect(page.locator("#table")).to_have_attribute("open", "")
            device.send(delta(time.time(), switch_2={"apower": 0, "output": False}))
            expect(state).to_contain_text("Stopped", timeout=LIMIT_MS)
            expect(page.locator("#runs tbody tr")).to_have_count(1, timeout=LIMIT_MS)
        server.stop()
        lost = page.locator("#lost")
        expect(lost).to_contain_text("No connection to the collector", timeout=LIMIT_MS)
        command = ["manage.py", "serve", "--host", "127.0.0.1", "--port", str(server.port)]
        again = Server(command, server.port, server.database_url, tmp_path / "again.log")
        with running(again):
            expect(lost).to_be_empty(timeout=LIMIT_MS)
            expect(state).to_contain_text("No contact since")  # the pump has left meanwhile


def test_the_first_visit_turns_into_the_pump_when_it_dials_in(
    browser: Browser, server: Server
) -> None:
    with visit(browser, server) as visitor:
        page = visitor.page
        expect(page.locator("code.address")).to_have_text(f"ws://127.0.0.1:{server.port}/ws")
        fill(server.database_url)
        expect(page.get_by_role("heading", level=1)).to_have_text("All channels", timeout=LIMIT_MS)


def test_without_its_script_every_page_says_the_same(browser: Browser, filled: Server) -> None:
    with visit(browser, filled, java_script_enabled=False) as visitor:
        page = visitor.page
        page.get_by_role("link", name="Well pump").click()
        page.fill("#id_day", "2026-05-01")
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".empty")).to_contain_text("Nothing is known of this day")
        page.locator(".empty a").click()
        expect(page.locator("#runs tbody tr")).to_have_count(3)
        page.get_by_role("link", name="Duration").click()
        expect(page.locator("th[aria-sort=descending]")).to_have_text("Duration ↓")


def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    browser: Browser, server: Server
) -> None:
    with visit(browser, server) as visitor:
        page = visitor.page
        refuse_faults(page, "the welcome")
        fill(server.database_url)
        for path in (
            "/dashboard/",
            WELL,
            f"{WELL}&day=2026-05-01",
            f"/dashboard/?meter={OTHER}/switch:2",
            f"/dashboard/?device={PUMP}",
            f"/dashboard/weeks/?meter={PUMP}/switch:2",
            "/dashboard/?meter=nobody/switch:2",
            f"{WELL}&day=never",
        ):
            page.goto(path)
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            refuse_faults(page, path)


def refuse_faults(page: Page, path: str) -> None:
    """In light and dark, on a phone and on a desk."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert faults(page) == [], (path, width, scheme)
