"""How big the data is and how it grows: from estimates, never by reading the log."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connections
from django.test.utils import CaptureQueriesContext

from powerlog.database import size as data_size
from powerlog.database.size import DataSize, measured, size, span
from powerlog.database.store import WRITER
from powerlog.models import DayTotal, PowerLog
from tests.test_models import row

TODAY = date(2026, 5, 10)
GB = 10**9
database = pytest.mark.django_db(transaction=True, databases=["default", WRITER])


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 5, 10, 12, 0, tzinfo=UTC), tick=False):
        yield


@pytest.fixture(autouse=True)
def _disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=7 * GB))


def total(days_ago: int, active_minutes: int) -> None:
    DayTotal.objects.create(
        device_id="pump",
        channel="switch:2",
        day=TODAY - timedelta(days=days_ago),
        active_minutes=active_minutes,
    )


def a_day() -> float | None:
    """Rows a day, from bytes a day."""
    found = measured()
    return found.a_day and found.a_day / found.row


@pytest.mark.parametrize(
    ("known", "keep_days", "text"),
    [
        ({}, None, "1.4 GB"),
        ({"a_day": 12e6, "free": 13 * GB}, None, "1.4 GB, 12 MB a day, the disk lasts for 2 years"),
        ({"a_day": 12e6}, None, "1.4 GB, 12 MB a day"),
        ({"a_day": 0.0, "free": 13 * GB}, None, "1.4 GB, 0 bytes a day"),
        ({"a_day": 12e6, "free": 13 * GB}, 400, "1.4 GB, 12 MB a day, kept for 400 days"),
        (
            {"a_day": 12e6, "free": 3 * GB},
            400,
            "1.4 GB, 12 MB a day, kept for 400 days, the disk lasts for 8 months",
        ),
        ({"a_day": 12e6}, 1, "1.4 GB, 12 MB a day, kept for 1 day"),
    ],
)
def test_what_is_known_is_said_in_one_line(
    known: dict[str, float], keep_days: int | None, text: str
) -> None:
    assert DataSize(1_400_000_000, 1_300_000_000, 260, **known).text(keep_days) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (999.6, "1 kB"),
        (1449, "1.4 kB"),
        (12_345_678, "12 MB"),
        (9.96e6, "10 MB"),
        (2.5e12, "2.5 TB"),
        (3.2e16, "32000 TB"),
    ],
)
def test_sizes_are_short(number: float, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0.4, "less than a day"),
        (1.9, "1 day"),
        (45, "45 days"),
        (100, "3 months"),
        (725, "23 months"),
        (1100, "3 years"),
        (9000, "more than 20 years"),
    ],
)
def test_stretches_of_time_are_short_and_never_too_long(days: float, text: str) -> None:
    assert span(days) == text


@database
def test_the_growth_is_the_mean_of_the_last_seven_whole_days() -> None:
    total(8, 1440)
    total(7, 700)
    total(1, 70)
    total(0, 1440)
    assert a_day() == pytest.approx(110)


@database
def test_of_a_new_collector_it_is_the_mean_of_its_own_whole_days() -> None:
    assert a_day() is None
    total(0, 1440)
    assert a_day() is None, "the first day is not over"
    total(2, 300)
    assert a_day() == pytest.approx(150)


@database
def test_few_rows_do_not_say_what_a_row_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    if connections[WRITER].vendor == "postgresql":
        with connections[WRITER].cursor() as cursor:
            # Its estimate of another test's rows outlives them, even where they are rolled back.
            cursor.execute("TRUNCATE power_logs")
    row().save()
    assert measured().row == data_size.BYTES_A_ROW[connections[WRITER].vendor]
    monkeypatch.setattr(data_size, "FEW_ROWS", 2000)
    PowerLog.objects.all().delete()
    minutes = [
        row(timestamp=datetime(2026, 4, 1, tzinfo=UTC) + timedelta(minutes=each))
        for each in range(3000)
    ]
    PowerLog.objects.bulk_create(minutes)
    with connections["default"].cursor() as cursor:
        cursor.execute("ANALYZE power_logs")
    found = measured()
    assert found.rows <= found.total
    assert 150 < found.row < 1000


@database
def test_the_log_is_not_read_for_it() -> None:
    with CaptureQueriesContext(connections[WRITER]) as queries:
        measured()
    asked = [each["sql"] for each in queries if "power_logs" in each["sql"]]
    assert all("pg_class" in sql or "max(id) - min(id)" in sql for sql in asked)
    assert len(queries) <= 4


@database
def test_the_free_space_is_that_of_the_disk_of_the_database() -> None:
    assert measured().free == 7 * GB


@database
def test_the_disk_of_a_server_elsewhere_is_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = data_size.SERVER.replace("host(inet_server_addr())", "'192.0.2.1'")
    hidden = data_size.SERVER.replace("'data_directory'", "'what nobody may see'")
    unseen = data_size.SERVER.replace(
        "(SELECT setting FROM pg_settings", "(SELECT '/nowhere' FROM pg_settings"
    )
    for query in (elsewhere, hidden, unseen):
        monkeypatch.setattr(data_size, "SERVER", query)
        if connections[WRITER].vendor == "postgresql":
            assert measured().free is None
