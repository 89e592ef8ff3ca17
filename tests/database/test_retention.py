"""Old minutes go by whole local days, in small transactions, and nothing else goes."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from powerlog.database import retention
from powerlog.database.store import WRITER
from powerlog.management.commands import prune as command
from powerlog.models import DayTotal, PowerLog, Run, Silence
from tests.test_models import row

NOW = datetime(2026, 5, 10, 12, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 5, 7, 22, 0, tzinfo=UTC)  # of 8 May, in Berlin

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", WRITER])


@pytest.fixture(autouse=True)
def _now(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.TIME_ZONE = "Europe/Berlin"
    monkeypatch.setattr(retention, "PAUSE_S", 0)
    with time_machine.travel(NOW, tick=False), timezone.override("Europe/Berlin"):
        yield


def write(*moments: datetime, device_id: str = "pump") -> None:
    for moment in moments:
        row(timestamp=moment, device_id=device_id).save()
        day = timezone.localdate(moment)
        DayTotal.objects.get_or_create(device_id=device_id, channel="switch:2", day=day)


def left() -> list[datetime]:
    return list(PowerLog.objects.order_by("timestamp").values_list("timestamp", flat=True))


def run(*arguments: object) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("prune", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_what_is_older_than_so_many_local_days_goes_to_the_minute() -> None:
    last_old, first_kept = MIDNIGHT - timedelta(minutes=1), MIDNIGHT
    write(MIDNIGHT - timedelta(days=9), last_old, first_kept, NOW)
    out, err = run("--keep-days", 2)
    assert left() == [first_kept, NOW]
    assert out == "2 minute rows deleted.\n"
    assert re.fullmatch(
        r"Deleting about \d+ minute rows? from 2026-04-29 00:00 to 2026-05-07 23:59\.\n", err
    )


def test_day_totals_runs_and_silences_stay() -> None:
    write(MIDNIGHT - timedelta(days=9))
    long_ago = MIDNIGHT - timedelta(days=9)
    Run.objects.create(
        device_id="pump",
        channel="switch:2",
        started_at=long_ago,
        ended_at=long_ago,
        energy_wh=1,
        mean_w=1,
        peak_w=1,
    )
    Silence.objects.create(device_id="pump", since=long_ago, until=long_ago)
    run("--keep-days", 1)
    assert left() == []
    assert [model.objects.count() for model in (DayTotal, Run, Silence)] == [1, 1, 1]


def test_the_oldest_go_first_in_transactions_of_a_bounded_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    old = [MIDNIGHT - timedelta(days=5, minutes=each) for each in range(5)]
    write(*old)
    found = retention.old(1)
    assert found is not None
    assert (found.first, found.last) == (min(old), max(old))
    pauses: list[float] = []
    deleting = retention.prune(found, pauses.append)
    assert next(deleting) == 2
    assert left() == sorted(old)[2:]
    assert list(deleting) == [2, 1]
    assert len(pauses) == 3, "others have their turn after each"


def test_many_rows_of_one_minute_go_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    for device in "abcde":
        write(MIDNIGHT - timedelta(days=5), device_id=device)
    assert run("--keep-days", 1)[0] == "5 minute rows deleted.\n"
    assert left() == []


def test_a_dry_run_deletes_nothing() -> None:
    write(MIDNIGHT - timedelta(days=5), NOW)
    out, err = run("--keep-days", 2, "--dry-run")
    assert len(left()) == 2
    assert re.fullmatch(
        r"about \d+ minute rows? from 2026-05-03 00:00 to 2026-05-03 00:00 would be deleted\.\n",
        out,
    )
    assert err == ""


def test_where_nothing_is_old_the_command_says_so() -> None:
    write(NOW)
    assert run("--keep-days", 1) == ("No minute row is older than 1 day.\n", "")
    assert run("--keep-days", 30) == ("No minute row is older than 30 days.\n", "")


def test_a_row_of_a_day_without_a_total_stays_and_the_cure_is_named() -> None:
    write(MIDNIGHT - timedelta(days=5))
    DayTotal.objects.all().delete()
    with pytest.raises(CommandError, match=r"no day total of pump switch:2 on 2026-05-03.*rebuild"):
        run("--keep-days", 1)
    assert len(left()) == 1


def test_the_setting_says_how_many_days_and_without_either_it_is_an_error(
    settings: Any,
) -> None:
    write(MIDNIGHT - timedelta(days=5))
    with pytest.raises(CommandError, match="--keep-days N, or set KEEP_DAYS"):
        run()
    settings.KEEP_DAYS = 2
    assert run()[0] == "1 minute row deleted.\n"


@pytest.mark.parametrize("number", [0, -1, 40_000])
def test_a_number_of_days_that_makes_no_sense_deletes_nothing(number: int) -> None:
    write(MIDNIGHT - timedelta(days=5))
    with pytest.raises(CommandError, match=f"--keep-days is {number}, but must be 1 to 36500"):
        run(f"--keep-days={number}")
    assert len(left()) == 1


def test_ctrl_c_says_how_far_it_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(found: retention.Old) -> Iterator[int]:
        yield 1000
        raise KeyboardInterrupt

    write(MIDNIGHT - timedelta(days=5))
    monkeypatch.setattr(command, "prune", interrupted)
    with pytest.raises(CommandError, match="Interrupted, 1,000 rows deleted"):
        run("--keep-days", 1)


def test_progress_is_told_while_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PROGRESS_S", -1)
    write(MIDNIGHT - timedelta(days=5))
    _, err = run("--keep-days", 1)
    assert re.search(r"^1 of about \d+ rows so far$", err, re.MULTILINE)


def test_every_query_reads_a_bounded_number_of_rows_by_an_index() -> None:
    write(MIDNIGHT - timedelta(days=5), NOW)
    connection = connections[WRITER]
    with CaptureQueriesContext(connection) as queries:
        found = retention.old(1)
        assert found is not None
        list(retention.prune(found))
    reading = [each["sql"] for each in queries if "timestamp" in each["sql"]]
    assert reading
    assert all("LIMIT" in sql and "COUNT(" not in sql for sql in reading)
