"""Two devices become one while the collector runs: by the command, and by keyboard in a browser."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.end_to_end.test_collector import dial, minute
from tests.support.browser import OTHER, WIDTHS, Visitor, chromium, fill
from tests.support.databases import ADMIN
from tests.support.frames import PUMP, delta, full, meter
from tests.support.servers import Server, manage, running, serve, until

OLD = PUMP.upper()


def line_of(server: Server, device_id: str) -> tuple[str, str, bool] | None:
    return next((line for line in server.devices() if line[0] == device_id), None)


def test_a_device_whose_id_changes_its_letters_keeps_its_history(
    ready_database: str, tmp_path: Path
) -> None:
    start = minute()
    with running(serve(ready_database, tmp_path)) as server:
        with dial(server) as device:
            device.send(full(start, OLD, switch_2=meter(430.0, 2718.0)))
            until(lambda: len(server.rows()) == 1)
            joined = manage("join_devices", OLD, PUMP, database_url=ready_database)
            assert joined.returncode == 1
        with dial(server) as device:
            device.send(full(start + 60, switch_2=meter(432.0, 2722.0)))
            until(lambda: len(server.rows()) == 2)
            until(lambda: line_of(server, PUMP))
            until(lambda: line_of(server, OLD) == (OLD, "127.0.0.1", False))
            until(lambda: server.runs_left() == 1)
            joined = manage("join_devices", OLD, PUMP, f"--by={ADMIN}", database_url=ready_database)
            assert (joined.stdout, joined.returncode) == ("1 minute and 1 run moved.\n", 0)
            # The socket that is open meanwhile just goes on.
            device.send(delta(start + 70, switch_2={"apower": 0, "output": False}))
            until(lambda: [run[3] for run in server.runs()] == ["lost contact", "stopped"])
            assert {row[0] for row in server.rows()} == {PUMP}
        until(lambda: server.devices() == [(PUMP, "127.0.0.1", False)])
        with closing(server.connect()) as connection:
            query = "SELECT device_id, active_minutes, runs FROM day_totals ORDER BY day"
            totals = connection.execute(query).fetchall()
        assert {each[0] for each in totals} == {PUMP}
        assert [sum(each[at] for each in totals) for at in (1, 2)] == [2, 2]


def test_staff_join_two_devices_by_keyboard(
    ready_postgres: Callable[[], str], tmp_path: Path
) -> None:
    url = ready_postgres()
    fill(url)
    with running(serve(url, tmp_path)) as server, chromium() as browser:
        with closing(server.connect()) as connection:
            connection.execute("DELETE FROM runs WHERE device_id = %s", [PUMP])
            connection.execute("DELETE FROM power_logs WHERE device_id = %s", [PUMP])
            an_hour_ago = "UPDATE devices SET last_seen_at = now() - interval '1 h'"
            connection.execute(f"{an_hour_ago} WHERE device_id = %s", [OTHER])
            connection.execute("UPDATE channels SET name = '' WHERE device_id = %s", [PUMP])
            connection.commit()
        visitor = Visitor(browser, server)
        with closing(visitor.context):
            visitor.log_in()
            page = visitor.page
            page.goto("/admin/powerlog/device/")
            press(page, "Stable")
            press(page, "Continue under another device")
            refuse_wide(page)
            press(page, "Garden shed")
            expect(page.locator("tr", has_text="switch:2")).to_contain_text("own name")
            refuse_wide(page)
            press(page, "Continue under Garden shed")
            expect(page.locator(".messagelist .success")).to_contain_text("runs have moved")
            assert visitor.complaints == []
        assert [line[0] for line in server.devices()] == [PUMP]
        assert {row[0] for row in server.rows()} == {PUMP}


FOCUSED = "(each => each.value || each.textContent)(document.activeElement || document.body)"


def press(page: Page, name: str) -> None:
    """Go there by the key Tab alone, and press Enter."""
    passed: list[str] = []
    while not passed or passed[-1] != name:
        page.keyboard.press("Tab")
        passed.append(page.evaluate(FOCUSED).strip())
        assert len(passed) < 100, passed
    with page.expect_navigation():
        page.keyboard.press("Enter")


def refuse_wide(page: Page) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
