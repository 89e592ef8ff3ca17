"""The rows in the admin: newest first, filtered, searched, and never changed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from powerlog.admin import COUNTED_UP_TO, EstimatingPaginator
from powerlog.models import PowerLog, Run

from .test_models import row

LIST = "/admin/powerlog/powerlog/"
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def admin(client: Client) -> Any:
    client.force_login(User.objects.create_superuser("admin"))
    with time_machine.travel(NOON, tick=False):
        yield client


def found(client: Client, **query: str) -> list[PowerLog]:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


@pytest.fixture
def rows() -> list[PowerLog]:
    made = [
        row(timestamp=NOON - timedelta(days=2)),
        row(timestamp=NOON - timedelta(hours=1), channel="switch:1", source="carried"),
        row(timestamp=NOON, device_id="other"),
    ]
    for each in made:
        each.save()
    return made


@pytest.mark.django_db
def test_rows_are_listed_newest_first(admin: Client, rows: list[PowerLog]) -> None:
    assert found(admin) == rows[::-1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"device_id": "pump"}, [1, 0]),
        ({"channel": "switch:1"}, [1]),
        ({"source__exact": "carried"}, [1]),
        ({"q": "oth"}, [2]),
        ({"device_id": "pump", "channel": "switch:2"}, [0]),
        (
            {
                "timestamp__range__gte_0": "2026-05-01",
                "timestamp__range__gte_1": "00:00",
                "timestamp__range__lte_0": "2026-05-01",
                "timestamp__range__lte_1": "11:30",
            },
            [1],
        ),
    ],
)
def test_the_filters_and_the_search_find(
    admin: Client, rows: list[PowerLog], query: dict[str, str], expected: list[int]
) -> None:
    assert found(admin, **query) == [rows[index] for index in expected]


@pytest.mark.django_db
def test_a_range_that_is_no_date_is_no_server_error(admin: Client, rows: list[PowerLog]) -> None:
    assert admin.get(LIST, {"timestamp__range__gte_0": "soon"}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    [
        "device_id=%00",
        "channel=%00",
        "source__exact=%00",
        "q=%00",
        "id=99999999999999999999999",
        "timestamp__range__gte_0=0001-01-01&timestamp__range__gte_1=00:00",
    ],
)
def test_no_query_string_is_a_server_error(
    admin: Client, rows: list[PowerLog], settings: Any, query: str
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    assert admin.get(f"{LIST}?{query}", follow=True).status_code == 200


@pytest.mark.django_db
def test_the_filters_offer_what_had_rows_in_the_last_month(
    admin: Client, rows: list[PowerLog]
) -> None:
    row(timestamp=NOON - timedelta(days=40), device_id="long-gone").save()
    page = admin.get(LIST).content.decode()
    assert "?device_id=other" in page
    assert "long-gone" not in page.split('id="changelist-filter"')[1]
    assert [each.device_id for each in found(admin, device_id="long-gone")] == ["long-gone"]


@pytest.mark.django_db
def test_an_empty_table_is_an_empty_list(admin: Client) -> None:
    assert found(admin) == []


@pytest.mark.django_db
def test_nobody_adds_changes_or_deletes_a_row(admin: Client, rows: list[PowerLog]) -> None:
    one = f"{LIST}{rows[0].pk}/"
    assert admin.get(one + "change/").status_code == 200
    assert admin.post(one + "change/", {"apower_w": "1"}).status_code == 403
    assert admin.get(LIST + "add/").status_code == 403
    assert admin.post(one + "delete/", {"post": "yes"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": [rows[0].pk], "post": "yes"}
    admin.post(LIST, action)
    assert PowerLog.objects.count() == 3


@pytest.mark.django_db
def test_runs_are_listed_with_their_duration_and_are_not_to_be_changed(admin: Client) -> None:
    values = {"device_id": "pump", "channel": "switch:2", "mean_w": 431.25, "peak_w": 455.0}
    started = NOON - timedelta(hours=2)
    ended = Run.objects.create(
        **values,
        started_at=started,
        ended_at=started + timedelta(minutes=75, seconds=3.5),
        energy_wh=540.04,
        end="stopped",
    )
    Run.objects.create(**values, started_at=NOON, energy_wh=0.0)
    page = admin.get("/admin/powerlog/run/").content.decode()
    text = " ".join(re.sub("<[^>]*>", " ", page).split())
    assert "2026-05-01 12:00:00 still running - pump switch:2 - - 455.0 not ended" in text
    assert "2026-05-01 10:00:00 11:15:03 1:15:03 pump switch:2 540.0 431.2 455.0 stopped" in text
    assert admin.get("/admin/powerlog/run/", {"end__exact": "stopped"}).status_code == 200
    assert admin.post(f"/admin/powerlog/run/{ended.pk}/change/", {}).status_code == 403
    assert admin.get("/admin/powerlog/run/add/").status_code == 403


@pytest.mark.django_db
def test_the_list_of_a_large_table_takes_the_estimate_and_counts_nothing(
    monkeypatch: pytest.MonkeyPatch, admin: Client
) -> None:
    if connection.vendor != "postgresql":
        return  # SQLite has no estimate: there the rows are counted
    rows = (row(timestamp=NOON - timedelta(minutes=minute)) for minute in range(COUNTED_UP_TO * 2))
    PowerLog.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE power_logs")
    with CaptureQueriesContext(connection) as queries:
        paginator = admin.get(LIST).context["cl"].paginator
    assert COUNTED_UP_TO < paginator.count < COUNTED_UP_TO * 3
    assert not [q for q in queries if "COUNT(" in q["sql"].upper() and "EXPLAIN" not in q["sql"]]


@pytest.mark.django_db
def test_a_small_table_is_counted_exactly(rows: list[PowerLog]) -> None:
    assert EstimatingPaginator(PowerLog.objects.order_by("-timestamp"), 2).count == 3
