"""The lists of rows, runs and day totals: what they show, how they link, and what they cost."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from powerlog.admin.lists import roughly
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run
from powerlog.search import keyset
from tests.search.test_forms import run
from tests.test_models import row

LIST, RUNS, DAYS = (f"/admin/powerlog/{name}/" for name in ("powerlog", "run", "daytotal"))
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def admin(client: Client) -> Any:
    client.force_login(User.objects.create_superuser("admin"))
    with time_machine.travel(NOON, tick=False):
        yield client


@pytest.fixture
def rows() -> list[PowerLog]:
    made = [
        row(timestamp=NOON - timedelta(days=2)),
        row(timestamp=NOON - timedelta(hours=1), channel="switch:1", source="carried"),
        row(timestamp=NOON, device_id="other", voltage_v=0.0),
    ]
    for each in made:
        each.save()
    return made


@pytest.fixture
def pump() -> Device:
    device = Device.objects.create(device_id="pump", name="Garden pump")
    Channel.objects.create(device=device, channel="switch:2", reported_name="Well")
    return device


def found(client: Client, **query: str) -> list[PowerLog]:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def page_of(client: Client, address: str, **query: str) -> str:
    return client.get(address, query).content.decode()


def text_of(client: Client, address: str, **query: str) -> str:
    return " ".join(re.sub("<[^>]*>", " ", page_of(client, address, **query)).split())


@pytest.mark.django_db
def test_rows_are_listed_newest_first_under_their_names(
    admin: Client, rows: list[PowerLog], pump: Device
) -> None:
    assert found(admin) == rows[::-1]
    text = text_of(admin, LIST)
    assert "2026-05-01 12:00 other switch:2 430.0 - 2.400 10.0 measured" in text
    assert "2026-05-01 11:00 Garden pump switch:1 430.0 229.0 2.400 10.0 carried over" in text
    assert "2026-04-29 12:00 Garden pump Well" in text
    assert "3 power logs · times of UTC" in text


@pytest.mark.django_db
def test_times_are_local(admin: Client, rows: list[PowerLog], settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    text = text_of(admin, LIST)
    assert "2026-05-01 14:00 other" in text
    assert "times of Europe/Berlin" in text


@pytest.mark.django_db
def test_a_search_narrows_the_list_and_stays_in_its_form(
    admin: Client, rows: list[PowerLog]
) -> None:
    asked = {"device": "pump", "channel": "switch:2", "since_0": "2026-04-01", "since_1": "10:00"}
    assert found(admin, **asked) == [rows[0]]
    page = page_of(admin, LIST, **asked)
    for value in asked.values():
        assert f'value="{value}"' in page


@pytest.mark.django_db
def test_quick_picks_keep_what_else_is_searched_for(admin: Client, rows: list[PowerLog]) -> None:
    page = page_of(admin, LIST, device="pump", before="2026-05-01T12:00:00_1")
    link = "?device=pump&amp;since_0=2026-04-30&amp;until_0=2026-04-30"
    assert f'<a href="{link}">Yesterday</a>' in page
    today = page_of(admin, LIST, since_0="2026-05-01", until_0="2026-05-01")
    assert 'aria-current="true">Today</a>' in today


@pytest.mark.django_db
def test_names_are_offered_but_not_by_the_thousand(admin: Client, pump: Device) -> None:
    Device.objects.bulk_create(Device(device_id=f"pump{number}") for number in range(500))
    page = page_of(admin, LIST)
    assert '<option value="Garden pump">' in page
    assert '<option value="Well">' in page
    assert page.count("<option") < 450


@pytest.mark.django_db
def test_pages_lead_back_and_forth(
    monkeypatch: pytest.MonkeyPatch, admin: Client, rows: list[PowerLog]
) -> None:
    monkeypatch.setattr(keyset, "PAGE", 1)
    seen, address = [], ""
    while address is not None:
        cl = admin.get(LIST + address).context["cl"]
        seen += cl.result_list
        address = cl.older
    assert seen == rows[::-1]
    assert cl.newest == "?"
    assert admin.get(LIST + cl.newer).context["cl"].result_list == [rows[1]]
    assert "Older →" in page_of(admin, LIST)
    assert "← Newer" not in page_of(admin, LIST)


@pytest.mark.django_db
def test_a_search_that_ran_out_of_its_budget_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, admin: Client, rows: list[PowerLog]
) -> None:
    monkeypatch.setattr(keyset, "BUDGET", 1)
    page = admin.get(LIST, {"min_w": "1000"})
    assert "back to 1 May 2026, 11:00." in page.content.decode()
    assert "Search further back" in page.content.decode()
    assert "Older →" not in page.content.decode()
    assert "Nothing matches" in page_of(admin, LIST + page.context["cl"].older)


@pytest.mark.django_db
def test_an_empty_table_and_an_empty_answer_say_what_they_are(admin: Client, pump: Device) -> None:
    assert "No minute has been logged yet" in page_of(admin, LIST)
    assert "No channel has run yet" in page_of(admin, RUNS)
    assert "No day has a total yet" in page_of(admin, DAYS)
    row().save()
    nothing = text_of(admin, LIST, device="nobody")
    assert "Nothing matches: no such device or channel has anything to show." in nothing
    assert "Nothing matches. Clear the search" in text_of(admin, LIST, since_0="2026-05-02")


@pytest.mark.django_db
def test_a_wrong_input_is_told_at_its_field(admin: Client, rows: list[PowerLog]) -> None:
    text = text_of(admin, LIST, since_0="2026-13-40", min_w="much", device="pump")
    assert "Enter a valid date." in text
    assert "Enter a number." in text
    assert "correct what is marked above" in text
    assert "Garden" not in text


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    [
        "device=%00&channel=%00&source=%00",
        "device=%ED%A0%80",
        "since_0=0001-01-01&since_1=00:00",
        "until_0=9999-12-31&until_1=23:59",
        "since=0001-01-01&until=9999-12-31",
        "min_w=1e308&max_w=-1e308",
        "min_minutes=1e308&max_minutes=nan",
        "before=0001-01-01T00:00:00_1&after=9999-12-31_99999999999999999999",
        "before=%00&after=%00_%00",
        "p=-1&o=x.y&q=%00&e=1&all=&id=99999999999999999999&timestamp__gte=x",
        "device=a&device=b&_popup=1",
        "_facets=True",
    ],
)
@pytest.mark.parametrize("address", [LIST, RUNS, DAYS])
def test_no_query_string_is_a_server_error(
    admin: Client, rows: list[PowerLog], settings: Any, address: str, query: str
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    assert admin.get(f"{address}?{query}", follow=True).status_code == 200


@pytest.mark.django_db
def test_runs_lead_to_their_minutes(admin: Client, pump: Device) -> None:
    started = NOON - timedelta(hours=2)
    ended = started + timedelta(minutes=75, seconds=3.5)
    run(started, ended_at=ended, end="stopped", energy_wh=540.04, mean_w=431.25, peak_w=455.0)
    run(NOON - timedelta(minutes=1), channel="switch:1")
    text = text_of(admin, RUNS)
    assert "11:59:00 Garden pump switch:1 still running 0:01:00 so far - - 450.0 still" in text
    assert "10:00:00 Garden pump Well 11:15:03 1:15:03 540.0 431.2 455.0 stopped" in text
    link = re.search(r'href="([^"]*)">1:15:03', page_of(admin, RUNS))[1].replace("&amp;", "&")
    for minute in (-1, 0, 75, 76):
        row(timestamp=started + timedelta(minutes=minute)).save()
    minutes = [each.timestamp for each in admin.get(link).context["cl"].result_list]
    assert minutes == [started + timedelta(minutes=75), started]


@pytest.mark.django_db
def test_a_day_leads_to_its_runs_and_minutes(admin: Client, pump: Device) -> None:
    key = {"device_id": "pump", "channel": "switch:2"}
    totals = {"active_minutes": 61, "filled_minutes": 2, "runs": 1, "run_s": 3600.0}
    DayTotal.objects.create(**key, day=date(2026, 5, 1), energy_wh=430.0, peak_w=450.0, **totals)
    DayTotal.objects.create(**key, day=date(2026, 4, 30))
    page, text = page_of(admin, DAYS), text_of(admin, DAYS)
    assert "2026-05-01 Garden pump Well 61 2 1 1:00:00 430.0 430.0 450.0" in text
    assert "2026-04-30 Garden pump Well 0 0 0 0:00:00 0.0 - 0.0" in text
    one = run(NOON)
    run(NOON - timedelta(days=1), ended_at=NOON, end="stopped")
    link = re.search(rf'href="({RUNS}[^"]*)">1<', page)[1].replace("&amp;", "&")
    assert admin.get(link).context["cl"].result_list == [one]
    assert re.search(rf'href="{LIST}[^"]*since_0=2026-05-01[^"]*">61<', page)


@pytest.mark.django_db
def test_nobody_adds_changes_or_deletes_anything(admin: Client, rows: list[PowerLog]) -> None:
    run(), DayTotal.objects.create(device_id="pump", channel="switch:2", day=date(2026, 5, 1))
    for address, model in ((LIST, PowerLog), (RUNS, Run), (DAYS, DayTotal)):
        one, before = model.objects.first(), model.objects.count()
        assert admin.get(f"{address}{one.pk}/change/").status_code == 200
        assert admin.post(f"{address}{one.pk}/change/", {"peak_w": "1"}).status_code == 403
        assert admin.post(f"{address}{one.pk}/delete/", {"post": "yes"}).status_code == 403
        assert admin.get(f"{address}add/").status_code == 403
        action = {"action": "delete_selected", "_selected_action": [one.pk], "post": "yes"}
        admin.post(address, action)
        assert model.objects.count() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "most"), [({}, 8), ({"device": "pump", "min_w": "1"}, 12), ({"channel": "w"}, 12)]
)
def test_a_page_takes_few_queries_and_counts_nothing(
    admin: Client, pump: Device, query: dict[str, str], most: int
) -> None:
    for number in range(150):  # each of a device of its own: names come in bulk
        row(device_id=f"pump{number}", timestamp=NOON - timedelta(minutes=number)).save()
    row().save()
    with CaptureQueriesContext(connection) as queries:
        admin.get(LIST, query)
    asked = [query["sql"] for query in queries if "django_session" not in query["sql"]]
    assert len(asked) <= most
    about_rows = [sql for sql in asked if 'FROM "power_logs"' in sql and "RECURSIVE" not in sql]
    assert not [sql for sql in about_rows if "COUNT(" in sql.upper() and "EXPLAIN" not in sql]
    assert all("LIMIT" in sql or "id" in sql for sql in about_rows)


def test_estimates_are_rounded_to_what_they_are_worth() -> None:
    assert roughly(12_613_002) == "12.6 million"
    assert roughly(10_000_400) == "10 million"
    assert roughly(12_345) == "12,000"
