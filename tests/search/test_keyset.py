"""Pages by cursor show every row once, in order, and no page looks at more than its budget."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from powerlog.models import Channel, DayTotal, Device, PowerLog, Run
from powerlog.search import channel_match, keyset
from powerlog.search.forms import DaySearch, LogSearch, RunSearch, Search
from powerlog.search.keyset import Cursor, Page, about, find
from tests.test_models import row

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset, "PAGE", 3)
    monkeypatch.setattr(keyset, "BUDGET", 6)
    monkeypatch.setattr(keyset, "CHANNELS_BUDGET", 6)
    monkeypatch.setattr(keyset, "FEW_CHANNELS", 1)


@pytest.fixture
def rows() -> list[PowerLog]:
    """Twenty minutes of three channels, some of them at the same time; the newest first."""
    PowerLog.objects.bulk_create(
        row(
            timestamp=NOON + timedelta(minutes=minute),
            device_id=f"pump{number}",
            apower_w=float(minute),
            source="carried" if minute == 2 else "measured",
        )
        for minute in range(20)
        for number in range(1, 4)
        if minute % number == 0
    )
    return list(PowerLog.objects.order_by("-timestamp", "-pk"))


def search(kind: type[Search] = LogSearch, **asked: str) -> Search:
    form = kind(asked)
    assert form.is_valid(), form.errors
    return form


def back(asked: Search) -> list[Page]:
    pages = [find(asked)]
    while pages[-1].older:
        pages.append(find(asked, before=pages[-1].older))
    return pages


def shown(pages: list[Page]) -> list[Any]:
    return [each for page in pages for each in page.rows]


SEARCHES = [
    {},
    {"device": "pump1"},
    {"device": "pump"},
    {"device": "pump", "min_w": "7"},
    {"device": "pump2", "max_w": "3"},
    {"min_w": "4", "max_w": "9"},
    {"source": "carried"},
    {"channel": "switch:2", "min_w": "1"},
    {"channel": "wells"},
    {"channel": "wells", "source": "carried"},
    {"since_0": "2026-05-01", "since_1": "12:03", "until_0": "2026-05-01", "until_1": "12:12"},
    {"device": "pump3", "channel": "switch:1"},
    {"min_w": "1000"},
]


@pytest.mark.django_db
@pytest.mark.parametrize("asked", SEARCHES, ids=str)
@pytest.mark.parametrize("most_pairs", [1000, 1])
def test_the_pages_of_a_search_show_all_that_matches_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, rows: list[PowerLog], asked: dict[str, str], most_pairs: int
) -> None:
    monkeypatch.setattr(channel_match, "MOST_PAIRS", most_pairs)
    for number in (1, 2, 3):
        device = Device.objects.create(device_id=f"pump{number}", name=f"Well {number}")
        Channel.objects.create(device=device, channel="switch:2", name="Wells")
    pages = back(search(**asked))
    assert shown(pages) == list(search(**asked).queryset())
    assert all(len(page.rows) == 3 for page in pages[:-1] if not page.stopped)


@pytest.mark.django_db
@pytest.mark.parametrize("asked", SEARCHES, ids=str)
def test_the_way_back_to_newer_pages_shows_them_all_as_well(
    rows: list[PowerLog], asked: dict[str, str]
) -> None:
    form = search(**asked)
    first, *_, last = [None, *back(form)]
    pages = [last]
    while pages[-1].newer:
        pages.append(find(form, after=pages[-1].newer))
    assert first is None
    assert set(shown(pages)) == set(form.queryset())
    assert pages[-1].rows == find(form).rows


@pytest.mark.django_db
@pytest.mark.parametrize("count", [2, 3, 4, 7, 8])
def test_of_channels_that_run_at_the_same_time_every_row_is_shown(count: int) -> None:
    for number in range(count):
        device = Device.objects.create(device_id=f"pump{number}")
        Channel.objects.create(device=device, channel="switch:2", name="Wells")
        for minute in range(number % 3 + 1):
            row(timestamp=NOON + timedelta(minutes=minute), device_id=device.device_id).save()
    form = search(channel="wells")
    assert len(form.scope.pairs or ()) == count
    pages = back(form)
    assert shown(pages) == list(form.queryset())
    while pages[-1].newer:
        pages.append(find(form, after=pages[-1].newer))
    assert pages[-1].rows == find(form).rows


@pytest.mark.django_db
def test_a_search_that_finds_little_says_how_far_it_got(rows: list[PowerLog]) -> None:
    page = find(search(source="carried"))
    assert (page.rows, page.whole) == ([], False)
    assert page.stopped == rows[6].timestamp
    assert str(page.older) == f"{rows[6].timestamp:%Y-%m-%dT%H:%M:%S}_0"


@pytest.mark.django_db
def test_a_moment_with_more_rows_than_the_budget_does_not_stop_the_search() -> None:
    for number in range(10):
        row(device_id=f"pump{number}").save()
    row(timestamp=NOON - timedelta(minutes=1), source="carried").save()
    assert [each.source for each in shown(back(search(source="carried")))] == ["carried"]


@pytest.mark.django_db
def test_what_fits_a_page_is_known_to_be_all(rows: list[PowerLog]) -> None:
    assert find(search(device="pump3", since_0="2026-05-01", since_1="12:13")).whole
    assert not find(search()).whole


@pytest.mark.django_db
def test_open_runs_are_found_however_old_they_are() -> None:
    values = {"channel": "switch:2", "energy_wh": 1.0, "mean_w": 400.0, "peak_w": 450.0}
    old = Run.objects.create(device_id="stuck", started_at=NOON - timedelta(days=90), **values)
    for minute in range(20):
        started = NOON + timedelta(minutes=minute)
        Run.objects.create(
            device_id="pump", started_at=started, ended_at=started, end="stopped", **values
        )
    page = find(search(RunSearch, end="open"))
    assert (page.rows, page.whole) == ([old], True)


@pytest.mark.django_db
def test_days_are_paged_like_minutes() -> None:
    for number in range(4):
        for day in range(1, 4):
            key = {"device_id": f"pump{number}", "channel": "switch:2"}
            DayTotal.objects.create(**key, day=date(2026, 5, day), peak_w=day)
    for asked in ({}, {"min_w": "2"}, {"device": "pump1"}):
        form = search(DaySearch, **asked)
        assert shown(back(form)) == list(form.queryset())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "_",
        "x_1",
        "2026-05-01T12:00:00",
        "0001-01-01_1",
        "9999-12-31_1",
        "2026-05-01_-1",
        "2026-05-01_\u0661",
        "\0_1",
        f"2026-05-01_{'9' * 20}",
        "2026-13-01_1",
    ],
)
def test_what_is_no_cursor_is_none(text: str) -> None:
    assert Cursor.read(text, PowerLog, "timestamp") is None
    assert Cursor.read(text, DayTotal, "day") is None


def test_a_cursor_is_read_as_it_was_written() -> None:
    for cursor, model, moment in (
        (Cursor(NOON + timedelta(microseconds=5), 7), PowerLog, "timestamp"),
        (Cursor(date(2026, 5, 1), 7), DayTotal, "day"),
    ):
        assert Cursor.read(str(cursor), model, moment) == cursor


@pytest.mark.django_db
def test_the_total_is_an_estimate_without_a_look_at_the_rows(rows: list[PowerLog]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as queries:
        total = about(search())
    assert total == len(rows)
    assert not any("COUNT(" in query["sql"].upper() for query in queries)
    assert about(search(channel="wells")) is None
    if connection.vendor == "sqlite":
        assert about(search(device="pump1")) is None
        PowerLog.objects.all().delete()
        assert about(search()) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "indexes"),
    [
        ({}, {"idx_power_logs_timestamp"}),
        ({"min_w": "1e9"}, {"idx_power_logs_timestamp"}),
        ({"channel": "switch:2", "source": "carried"}, {"idx_power_logs_timestamp"}),
        ({"device": "pump7"}, {"uniq_power_logs_minute", "power_logs_pkey"}),
        ({"device": "pump7", "min_w": "1e9"}, {"uniq_power_logs_minute"}),
        ({"channel": "wells"}, {"uniq_power_logs_minute", "power_logs_pkey"}),
        ({"channel": "wells", "min_w": "1e9"}, {"idx_power_logs_timestamp"}),
    ],
    ids=lambda given: str(sorted(given)),
)
def test_postgresql_finds_every_page_by_index(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], indexes: set[str]
) -> None:
    if connection.vendor != "postgresql":
        return  # what SQLite plans is not what a fleet waits for
    monkeypatch.setattr(keyset, "BUDGET", 500)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO power_logs (timestamp, device_id, channel, apower_w, voltage_v, "
            "current_a, energy_total_wh) SELECT timestamptz '2026-05-01' + m * interval '1 minute',"
            " 'pump' || d, 'switch:2', 400, 230, 2, m FROM generate_series(1, 1000) m, "
            "generate_series(1, 20) d"
        )
        cursor.execute("ANALYZE power_logs")
    for number in range(1, 6):
        device = Device.objects.create(device_id=f"pump{number}")
        Channel.objects.create(device=device, channel="switch:2", name="Wells")
    with CaptureQueriesContext(connection) as queries:
        find(search(**asked))
    plans = [_plan(q["sql"]) for q in queries if q["sql"].startswith("SELECT")]
    nodes = [node for plan in plans for node in _nodes(plan) if "power_logs" in _table(node)]
    used = {node["Index Name"] for node in nodes if "Index Name" in node}
    assert indexes <= used <= indexes | {"idx_power_logs_device_channel"}  # which channels it has
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"]


def _plan(sql: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT json) {sql}")
        (plan,) = cursor.fetchone()
    return (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in _nodes(part))]


def _table(node: dict[str, Any]) -> str:
    return node.get("Relation Name", "") or node.get("Index Name", "")
