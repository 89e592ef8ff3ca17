"""The columns of an export, the same on both databases."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from powerlog.database.store import WRITER
from powerlog.management.commands.export import pieces_of
from powerlog.models import Channel, DayTotal, Device, PowerLog, Run
from powerlog.search.csv_export import DAYS, ROWS, RUNS, Table, iso, number
from tests.search.test_csv_formulas import HOSTILE
from tests.test_models import row

NOON = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)

TEXTS = [pair for pair in HOSTILE if "\0" not in pair[0]]  # which PostgreSQL does not store

database = pytest.mark.django_db(transaction=True, databases=["default", WRITER])


@pytest.fixture(autouse=True)
def _zone(settings: Any) -> Iterator[None]:
    settings.TIME_ZONE = "Europe/Berlin"
    with timezone.override("Europe/Berlin"):
        yield


def exported(table: Table, **asked: str) -> list[dict[str, str]]:
    """What a spreadsheet makes of it."""
    search = table.search(asked)
    assert search.is_valid(), search.errors
    data = table.header + b"".join(piece.data for piece in pieces_of(table, search))
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def run(**changes: Any) -> Run:
    values = {"device_id": "pump", "channel": "switch:2", "started_at": NOON, "energy_wh": 12.5}
    values |= {"ended_at": NOON + timedelta(seconds=90.6), "mean_w": 497.0, "peak_w": 510.5}
    return Run(**(values | {"end": "stopped"} | changes))


@database
def test_a_row_has_its_time_with_the_offset_names_and_units() -> None:
    Device.objects.create(device_id="pump", name="Well", reported_name="unnamed")
    Channel.objects.create(device_id="pump", channel="switch:2", reported_name="Außen, links")
    row(timestamp=NOON, energy_total_wh=2718.032).save()
    assert exported(ROWS) == [
        {
            "time": "2026-05-01T12:00:00+02:00",
            "device id": "pump",
            "device name": "Well",
            "channel": "switch:2",
            "channel name": "Außen, links",
            "power (W)": "430",
            "voltage (V)": "229",
            "current (A)": "2.4",
            "counter (Wh)": "2718.032",
            "source": "measured",
        }
    ]


@database
def test_history_without_a_device_has_its_ids_and_no_names() -> None:
    row().save()
    (only,) = exported(ROWS)
    assert (only["device id"], only["device name"], only["channel name"]) == ("pump", "", "")


@database
def test_what_was_never_reported_is_empty() -> None:
    row(voltage_v=0.0, current_a=0.0, energy_total_wh=0.0).save()
    (only,) = exported(ROWS)
    assert [only[name] for name in ("voltage (V)", "current (A)", "counter (Wh)")] == [""] * 3


@database
def test_the_order_is_that_of_time_and_the_hour_that_is_there_twice_is_told_apart() -> None:
    moments = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (1, 0)]
    PowerLog.objects.bulk_create([row(timestamp=moment) for moment in moments])
    times = [each["time"] for each in exported(ROWS)]
    assert times == ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]


@database
def test_exactly_what_is_searched_for_is_exported() -> None:
    Device.objects.create(device_id="other", name="100% 'Well'")
    for minute in range(4):
        row(timestamp=NOON + timedelta(minutes=minute), device_id="other").save()
    row(timestamp=NOON).save()
    found = exported(
        ROWS, device="100% 'well'", since_0="2026-05-01", since_1="12:01", until_0="2026-05-01",
        until_1="12:02", min_w="400", source="measured",
    )  # fmt: skip
    assert [(each["device name"], each["time"][11:16]) for each in found] == [
        ("100% 'Well'", "12:01"),
        ("100% 'Well'", "12:02"),
    ]
    assert exported(ROWS, device="nobody") == []


@database
def test_a_run_has_its_length_and_how_it_ended() -> None:
    run().save()
    run(
        started_at=NOON + timedelta(hours=1), ended_at=NOON + timedelta(hours=2), end="lost contact"
    ).save()
    first, second = exported(RUNS)
    assert first == {
        "started": "2026-05-01T12:00:00+02:00",
        "ended": "2026-05-01T12:01:30+02:00",
        "duration (s)": "91",
        "device id": "pump",
        "device name": "",
        "channel": "switch:2",
        "channel name": "",
        "energy (Wh)": "12.5",
        "mean power (W)": "497",
        "peak power (W)": "510.5",
        "how it ended": "stopped",
        "starts": "1",
    }
    assert (second["duration (s)"], second["how it ended"]) == ("3600", "lost contact")


@database
def test_of_an_open_run_nothing_is_said_that_is_not_known_yet() -> None:
    run(ended_at=None, end="").save()
    (only,) = exported(RUNS)
    assert only["how it ended"] == "still running"
    unknown = ("ended", "duration (s)", "energy (Wh)", "mean power (W)")
    assert [only[name] for name in unknown] == [""] * 4
    assert only["peak power (W)"] == "510.5"


@database
def test_a_day_has_all_its_totals() -> None:
    DayTotal.objects.create(
        device_id="pump",
        channel="switch:2",
        day=date(2026, 5, 1),
        active_minutes=61,
        filled_minutes=2,
        runs=3,
        run_s=3600.4,
        energy_wh=430.12345,
        peak_w=510.5,
    )
    DayTotal.objects.create(device_id="pump", channel="switch:2", day=date(2026, 5, 2))
    busy, idle = exported(DAYS)
    assert list(busy.values()) == [
        "2026-05-01", "pump", "", "switch:2", "", "61", "2", "3", "3600", "430.123", "510.5",
        "430.076",
    ]  # fmt: skip
    assert idle["energy (Wh)"] == "0"
    assert idle["mean power (W)"] == ""


@database
def test_no_name_and_no_id_is_a_formula_in_the_file() -> None:
    for text, _ in TEXTS:
        Device.objects.create(device_id=text, name=text)
        Channel.objects.create(device_id=text, channel=text, reported_name=text)
    PowerLog.objects.bulk_create(
        [
            row(device_id=text, channel=text, timestamp=NOON + timedelta(minutes=minute))
            for minute, (text, _) in enumerate(TEXTS)
        ]
    )
    names = ("device id", "device name", "channel", "channel name")
    assert [[each[name] for name in names] for each in exported(ROWS)] == [
        [harmless] * 4 for _, harmless in TEXTS
    ]


@pytest.mark.parametrize(("value", "text"), [(430.0, "430"), (0.1, "0.1"), (7, 7), (None, None)])
def test_numbers_are_as_short_as_postgresql_writes_them(value: Any, text: Any) -> None:
    assert number(value) == text


def test_no_time_is_no_text() -> None:
    assert iso(None) is None


@database
def test_the_export_asks_for_no_count_and_goes_by_the_index_of_time() -> None:
    from django.db import connection

    search = ROWS.search({})
    assert search.is_valid()
    statement, parameters = ROWS.copy(search)
    assert "COUNT(" not in statement.upper()
    if connection.vendor != "postgresql":
        return
    query = statement.strip().removeprefix("COPY (").removesuffix(") TO STDOUT (FORMAT csv)")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}", parameters or None)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "idx_power_logs_timestamp" in plan
    assert "Sort" not in plan
