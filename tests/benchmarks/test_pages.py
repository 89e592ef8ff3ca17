"""What the pages are timed with: rows that agree with each other, and a stopwatch that is right."""

import asyncio
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F, Sum
from django.db.models.functions import Trunc

from benchmarks import asking, page_list, pages
from benchmarks.history import Fleet, fill, keep_fresh
from benchmarks.page_list import Page
from benchmarks.pages import Cost
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run, Silence

on_databases = pytest.mark.django_db(transaction=True, databases=["default", "writer"])
SMALL = Fleet(devices=3, channels=2, rows=3000)
TOTALS = ("device_id", "channel", "day", "active_minutes", "filled_minutes", "runs")


class Made(NamedTuple):
    rows: int
    url: str


@pytest.fixture
def filled(request: pytest.FixtureRequest, transactional_db: None) -> Made:
    """The rows of a small fleet."""
    if connection.vendor != "postgresql":
        pytest.skip("it is PostgreSQL that makes the rows")
    name = connection.settings_dict["NAME"]
    url = request.getfixturevalue("postgres_url").replace("/postgres?", f"/{name}?")
    return Made(fill(url, SMALL), url)


def minutes_of(run: Run, now: datetime) -> set[datetime]:
    rows = PowerLog.objects.filter(
        device_id=run.device_id,
        channel=run.channel,
        timestamp__gte=run.started_at.replace(second=0),
        timestamp__lt=run.ended_at or now,
    )
    return set(rows.values_list("timestamp", flat=True))


@on_databases
def test_there_are_as_many_rows_as_asked_for(filled: Made) -> None:
    assert filled.rows == PowerLog.objects.count()
    assert filled.rows == pytest.approx(SMALL.rows, rel=0.35)  # whole days, and chance
    assert Device.objects.count() == 3
    assert Channel.objects.count() == 6


@on_databases
def test_every_minute_of_a_run_has_its_row_and_no_other_minute_has(filled: Made) -> None:
    now = datetime.now(UTC)
    runs = list(Run.objects.all())
    found = sum(len(minutes_of(run, now)) for run in runs)
    assert found == filled.rows
    for run in runs:
        length_s = ((run.ended_at or now) - run.started_at).total_seconds()
        assert length_s / 60 - 1 <= len(minutes_of(run, now)) <= length_s / 60 + 2


@on_databases
def test_the_history_ends_now_and_an_open_run_is_not_over(filled: Made) -> None:
    now = datetime.now(UTC)
    assert all(run.started_at <= now for run in Run.objects.all())
    assert all(run.end == "" for run in Run.objects.filter(ended_at=None))
    assert not Run.objects.filter(ended_at__gt=now).exists()
    assert PowerLog.objects.latest("timestamp").timestamp <= now


@on_databases
def test_rows_lie_in_the_order_of_time_and_counters_never_fall(filled: Made) -> None:
    by_day = PowerLog.objects.annotate(day=Trunc("timestamp", "day")).order_by("pk")
    days = list(by_day.values_list("day", flat=True))
    assert days == sorted(days)
    for device_id, channel in Channel.objects.values_list("device_id", "channel"):
        rows = PowerLog.objects.filter(device_id=device_id, channel=channel).order_by("timestamp")
        counters = list(rows.values_list("energy_total_wh", flat=True))
        assert counters == sorted(counters)


@on_databases
def test_day_totals_are_those_that_the_collector_makes_of_the_same_rows(filled: Made) -> None:
    made = set(DayTotal.objects.values_list(*TOTALS))
    sums = DayTotal.objects.aggregate(Sum("run_s"), Sum("energy_wh"))
    call_command("rebuild_totals", verbosity=0)
    assert set(DayTotal.objects.values_list(*TOTALS)) == made
    again = DayTotal.objects.aggregate(Sum("run_s"), Sum("energy_wh"))
    assert again == pytest.approx(sums, rel=1e-6)


@on_databases
def test_nothing_runs_in_a_silence(filled: Made) -> None:
    silences = Silence.objects.all()
    assert silences
    for silence in silences:
        assert silence.since < silence.until
        assert not PowerLog.objects.filter(
            device_id=silence.device_id, timestamp__range=(silence.since, silence.until)
        ).exists()


@on_databases
def test_devices_can_be_kept_as_fresh_as_if_they_were_heard(filled: Made) -> None:
    Device.objects.update(last_seen_at=F("first_seen_at"))
    with connection.cursor() as cursor:
        keep_fresh(cursor)
    assert all(
        (datetime.now(UTC) - device.last_seen_at).total_seconds() < 60
        for device in Device.objects.all()
    )


@on_databases
def test_every_address_can_be_filled_in(filled: Made) -> None:
    words = page_list.places(filled.url)
    for page in (*page_list.YEAR_PAGES, *page_list.OVERVIEW_PAGES):
        assert "{" not in page.url.format_map(words)
    assert Run.objects.get(pk=int(words["run"])).device_id == words["device"]
    assert Channel.objects.filter(device_id=words["device"], channel="switch:1").exists()
    assert words["channel"] == "switch%3A1"


# The stopwatch


def ask(application: Any, url: str = "/a%20b/?c=d") -> asking.Answer:
    return asyncio.run(asking.ask(application, url, "sessionid=x"))


def test_an_application_is_asked_as_a_server_would_and_all_that_it_sends_is_counted() -> None:
    scopes = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        await send({"type": "http.response.start", "status": 201})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await send({"type": "http.response.body", "body": b"de"})

    answer = ask(application)
    assert (answer.status, answer.size, answer.page) == (201, 5, "abcde")
    assert answer.seconds > 0
    assert (scopes[0]["path"], scopes[0]["query_string"]) == ("/a b/", b"c=d")
    assert (b"cookie", b"sessionid=x") in scopes[0]["headers"]


def test_no_more_of_an_export_is_kept_than_asked_for() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(5):
            await send({"type": "http.response.body", "body": b"12345678", "more_body": True})

    answer = asyncio.run(asking.ask(application, "/export/", "", kept_bytes=10))
    assert (answer.size, answer.page) == (40, "1234567812")


@pytest.mark.django_db
def test_queries_are_timed_once_however_often_a_connection_is_opened() -> None:
    queries = asking.Queries()
    try:
        queries.listen(connection)
        queries.listen(connection)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.execute_wrappers.remove(queries)
    ((seconds, sql),) = queries.take()
    assert (seconds > 0, sql) == (True, "SELECT 1")
    assert queries.take() == []


def test_growing_memory_is_seen() -> None:
    with asking.Memory() as memory:
        kept = bytearray(b"x" * 60_000_000)
        asyncio.run(asyncio.to_thread(memory._over.wait, 3 * asking.LOOK_S))
    assert len(kept) == 60_000_000
    assert 50 < memory.growth_mb < 200


def test_a_page_weighs_what_it_makes_a_browser_load_and_each_of_it_once() -> None:
    page = (
        '<link rel="stylesheet" href="/static/powerlog/site.css">'
        '<link rel="stylesheet" href="/static/powerlog/site.css?v=2">'
        '<script src="/static/there/is/none.js"></script><a href="/dashboard/">'
    )
    alone = asking.Answer(200, 0.1, 0.1, 1000, "")
    assert asking.weight(alone) == 1000
    assert 1500 < asking.weight(alone._replace(page=page)) < 50_000


def cost(page: Page, *answers: asking.Answer, growth_mb: float = 0.0) -> Cost:
    return Cost(page, answers, [(0.001, "SELECT 1"), (0.02, "SELECT\n  2")], growth_mb)


def quick(seconds: float = 0.01, status: int = 200, size: int = 1000) -> asking.Answer:
    return asking.Answer(status, seconds, 0.005, size, "")


def test_a_page_that_keeps_to_everything_has_no_fault() -> None:
    found = cost(Page("day", "/dashboard/", 30.0), quick(0.01), quick(0.02), quick(0.9))
    assert list(found.faults) == []
    assert list(pages.lines([found])) == [
        ["day", "200", "20.0", "10.0", "900.0", "30", "5.0", "7.0 in 1", "1 KB", "1 KB"]
    ]


@pytest.mark.parametrize(
    ("page", "answer", "growth_mb", "fault"),
    [
        (Page("", "/dashboard/", 30.0), quick(status=404), 0, "HTTP 404"),
        (
            Page("", "/dashboard/", 30.0),
            quick(0.05),
            0,
            "50 ms, 30 allowed: 5 of CPU, 21 of queries, the slowest 20: SELECT 2",
        ),
        (Page("", "/dashboard/", 30.0), quick(size=151_000), 0, "weighs 151 KB"),
        (Page("", "/admin/x/export/", 2000.0, True), quick(size=10**8), 101, "101 MB of memory"),
    ],
)
def test_a_fault_is_named(page: Page, answer: asking.Answer, growth_mb: float, fault: str) -> None:
    assert list(cost(page, answer, growth_mb=growth_mb).faults) == [fault]


def test_the_page_of_a_million_rows_begins_early_enough() -> None:
    assert page_list.days_ago(datetime(2026, 11, 24).date(), 36.5).isoformat() == "2026-10-18"


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT\n   1", "SELECT 1"),
        ("… IN (%s, %s, %s, %s) ORDER", "… IN (%s, …) ORDER"),
        ("VALUES (%s, %s), (%s, %s), (%s, %s)) SELECT %s", "VALUES (%s, …)) SELECT %s"),
        ("x" * 400, "x" * pages.SHOWN + "…"),
    ],
)
def test_a_slow_query_is_shown_so_that_one_can_read_it(sql: str, shown: str) -> None:
    assert pages.short(sql) == shown
