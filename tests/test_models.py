"""The table is the one of the design card, on both databases."""

import io
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from powerlog.core.sampler import Sample
from powerlog.models import PowerLog

COLUMNS = {
    "id",
    "timestamp",
    "device_id",
    "channel",
    "apower_w",
    "voltage_v",
    "current_a",
    "energy_total_wh",
    "created_at",
    "source",
}


def row(**changes: object) -> PowerLog:
    values = {"device_id": "pump", "channel": "switch:2", "apower_w": 430.0, "voltage_v": 229.0}
    values |= {"current_a": 2.4, "energy_total_wh": 10.0}
    values |= {"timestamp": datetime(2026, 5, 1, 12, 0, tzinfo=UTC)}
    return PowerLog(**(values | changes))


@pytest.mark.django_db
def test_the_table_has_these_columns_and_none_may_be_null() -> None:
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, "power_logs")
    assert {column.name for column in described} == COLUMNS
    assert not any(column.null_ok for column in described)


@pytest.mark.django_db
def test_the_indexes_bear_their_names() -> None:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "power_logs")
    assert constraints["idx_power_logs_timestamp"]["columns"] == ["timestamp"]
    assert constraints["idx_power_logs_device_channel"]["columns"] == ["device_id", "channel"]
    unique = [c["columns"] for c in constraints.values() if c["unique"] and not c["primary_key"]]
    assert unique == [["device_id", "channel", "timestamp"]]


@pytest.mark.django_db
def test_rule_10_a_second_row_of_the_minute_is_refused_by_the_database() -> None:
    row().save()
    with pytest.raises(IntegrityError), transaction.atomic():
        row(apower_w=1.0).save()
    row(channel="switch:1").save()
    row(device_id="other").save()


@pytest.mark.django_db
def test_postgresql_stores_the_types_of_the_design() -> None:
    if connection.vendor != "postgresql":
        return  # SQLite has no such types to look at
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type, character_maximum_length "
            "FROM information_schema.columns WHERE table_name = 'power_logs'"
        )
        types = {name: (kind, length) for name, kind, length in cursor.fetchall()}
    assert types["timestamp"][0] == types["created_at"][0] == "timestamp with time zone"
    assert types["device_id"] == ("character varying", 100)
    assert types["channel"] == ("character varying", 20)
    for name in ("apower_w", "voltage_v", "current_a", "energy_total_wh"):
        assert types[name][0] == "double precision"


@pytest.mark.django_db
def test_a_row_inserted_by_hand_gets_its_source_and_its_time_of_writing() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO power_logs (timestamp, device_id, channel, apower_w, voltage_v, "
            "current_a, energy_total_wh) VALUES (%s, 'pump', 'switch:0', 1, 2, 3, 4)",
            ["2026-05-01 12:00:00+00:00"],
        )
    saved = PowerLog.objects.get()
    assert saved.source == "measured"
    assert saved.created_at.tzinfo is not None


@pytest.mark.django_db
def test_there_is_no_change_without_a_migration() -> None:
    out = io.StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=out)
    assert "No changes" in out.getvalue()


def test_every_source_of_a_sample_is_a_source_of_a_row() -> None:
    sources = Sample.__annotations__["source"].__args__
    assert set(sources) <= set(PowerLog.Source.values)


def test_a_row_says_what_it_is() -> None:
    assert str(row()) == "pump switch:2 2026-05-01 12:00"
