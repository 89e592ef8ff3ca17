"""The pages in a real browser, under their policy: nothing is refused, the console stays empty."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.support.browser import chromium
from tests.support.databases import ADMIN, PASSWORD
from tests.support.knocking import dial, knock, power
from tests.support.servers import PATIENCE_S, Server, running, serve, until

LISTS = ("access", "powerlog", "run", "daytotal", "device", "channel")
PAGES = (
    "/dashboard/",
    "/admin/",
    "/admin/auth/user/",
    "/admin/auth/user/1/change/",  # date pickers, and two lists to pick from
    "/admin/auth/user/1/password/",
    "/admin/auth/user/1/history/",
    "/admin/auth/user/add/",
    "/admin/auth/group/add/",
    "/admin/password_change/",
    *(f"/admin/powerlog/{name}/" for name in LISTS),
    "/admin/powerlog/device/1/change/",
    "/admin/powerlog/device/1/history/",
    "/admin/powerlog/channel/1/change/",
    "/status/",
    "/admin/nothing/",
)
NOT_FOUND = "the server responded with a status of 404"


@pytest.fixture(scope="module")
def server(
    ready_sqlite: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    tmp_path = tmp_path_factory.mktemp("policy")
    with running(serve(ready_sqlite(tmp_path), tmp_path)) as server, dial(server) as device:
        device.send(power("shellypro4pm-0a1b2c3d4e5f", 430.0))
        until(server.rows)
        yield server


@pytest.fixture
def said() -> list[str]:
    """What the browser has to complain about."""
    return []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser, said: list[str]) -> Iterator[Page]:
    """In a context of its own: without the cookies of another test."""

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):  # and not what else it has to recommend
            said.append(f"{page.url}: {message.text}")

    with closing(browser.new_page()) as page:
        page.set_default_timeout(1000 * PATIENCE_S)
        page.on("console", complain)
        page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
        yield page


def log_in(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/admin/login/?next=/dashboard/")
    page.fill("#id_username", ADMIN)
    page.fill("#id_password", PASSWORD)
    page.click("[type=submit]")
    page.wait_for_url("**/dashboard/**")


def test_every_page_works_under_its_policy_with_an_empty_console(
    page: Page, server: Server, said: list[str]
) -> None:
    log_in(page, server)
    for path in PAGES:
        page.goto(server.url + path)
    assert [line for line in said if NOT_FOUND not in line] == []


def test_the_widgets_of_the_admin_work(page: Page, server: Server, said: list[str]) -> None:
    log_in(page, server)
    page.goto(f"{server.url}/admin/auth/user/1/change/")
    page.fill("#id_date_joined_0", "")
    page.locator(".field-date_joined .datetimeshortcuts a").first.click()  # "Today"
    assert page.input_value("#id_date_joined_0")
    page.locator(".field-date_joined .date-icon").click()
    page.locator(".calendarbox:visible .calendar td a").first.click()
    page.fill("#id_user_permissions_input", "session")
    page.locator("#id_user_permissions_from option").first.click()
    page.click("#id_user_permissions_add")
    page.click("[name=_continue]")
    expect(page.locator(".messagelist .success")).to_be_visible()
    expect(page.locator("#id_user_permissions_to option")).to_have_count(1)
    page.locator(".theme-toggle").first.click()
    assert said == []


def test_a_token_is_made_by_a_click(page: Page, server: Server, said: list[str]) -> None:
    log_in(page, server)
    page.goto(f"{server.url}/admin/powerlog/access/")
    page.get_by_role("button", name="Make token").click()
    address = page.locator("td code").inner_text()
    path = address.partition(str(server.port))[2]
    until(lambda: knock(server, path + "x") == 403 and knock(server, path) == 101)
    page.goto(f"{server.url}/admin/powerlog/access/")
    expect(page.get_by_role("button", name="Withdraw token")).to_be_visible()
    assert said == []


def test_what_the_policy_refuses_is_refused(page: Page, server: Server, said: list[str]) -> None:
    log_in(page, server)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'mine'";
            document.body.append(script);
        }"""
    )
    assert page.title() != "mine"
    assert any("Content Security Policy" in line for line in said)
