"""All channels, first those that need attention."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from powerlog.dashboard.overview import MANY_STARTS, Overview, overview
from powerlog.models import PowerLog, Run
from powerlog.reports.channels import everybody
from tests.support.pumps import DAY, NOON, at, device, minutes, run, total

pytestmark = pytest.mark.django_db


def shown(query: str = "", page: str = "1", now: datetime = NOON) -> Overview:
    with time_machine.travel(now, tick=False):
        return overview(everybody(), now, query, page)


def names(found: Overview) -> list[str]:
    return [line.meter.device_id for line in found.lines]


def cycle(device_id: str, count: int) -> None:
    Run.objects.bulk_create(
        run(661 + 2 * each, 662 + 2 * each, device_id=device_id) for each in range(count)
    )


def test_the_order_is_what_needs_attention_first() -> None:
    device("a stopped")
    device("b running")
    run(700, None, device_id="b running").save()
    device("c too long")
    total(device_id="c too long", runs=4, run_s=2400.0).save()
    run(500, None, device_id="c too long").save()
    device("d wears out")
    cycle("d wears out", MANY_STARTS)
    device("e silent", last_seen_at=at(600))
    device("f gone", last_seen_at=NOON - timedelta(days=31))
    found = shown()
    assert names(found) == [
        "e silent",
        "d wears out",
        "c too long",
        "b running",
        "a stopped",
        "f gone",
    ]
    assert (found.count, found.running, found.troubled) == (6, 3, 3)
    assert found.lines[1].why == "10 starts in the last hour"
    assert found.lines[2].why.replace("\u00a0", " ") == "running for 3 h 40 min, usually 10 min"


def test_a_relay_without_a_meter_stands_last_and_is_no_trouble() -> None:
    device("a relay", reports_power=False)
    device("b relay", reports_power=False, last_seen_at=at(600))
    device("c gone", last_seen_at=NOON - timedelta(days=31))
    device("d pump")
    found = shown()
    assert names(found) == ["d pump", "a relay", "b relay", "c gone"]
    assert (found.troubled, found.running) == (0, 0)
    titles = [(line.state.title, line.state.since_text, line.heard) for line in found.lines[1:3]]
    assert titles == [("No meter", "", "just now"), ("No meter", "", "2 h ago")]


def test_a_clamp_that_may_sit_the_wrong_way_round_is_a_hint_and_no_trouble() -> None:
    negative = {"negative_w": -1250.0, "negative_at": at(703)}
    device("a reversed", **negative)
    device("b panel", **negative)
    run(60, 90, device_id="b panel").save()
    device("c silent", last_seen_at=at(600), **negative)
    found = shown()
    assert found.troubled == 1
    hints = {line.meter.device_id: line.hint[:24] for line in found.lines}
    assert hints == {"a reversed": "Power is always negative", "b panel": "", "c silent": ""}


def test_names_are_in_the_order_of_their_numbers() -> None:
    for name in ("Field 10", "Field 9", "field 2b", "Barn", "²"):
        device(name, name=name)
    assert names(shown()) == ["Barn", "field 2b", "Field 9", "Field 10", "²"]


def test_nine_starts_are_no_trouble() -> None:
    device()
    cycle("pump", MANY_STARTS - 1)
    assert shown().troubled == 0


@pytest.mark.parametrize("runs", [0, 1])
def test_a_pump_that_always_runs_is_no_trouble(runs: int) -> None:
    device()
    total(runs=runs, run_s=86_400.0).save()
    run(-1440, None).save()
    assert (shown().troubled, shown().running) == (0, 1)


def test_a_line_has_the_state_and_what_was_used_today() -> None:
    device()
    total().save()
    total(DAY - timedelta(days=1), run_s=9.0).save()
    run(710, None, 0.0).save()
    PowerLog.objects.bulk_create(minutes(710, 10, energy_total_wh=164.5))
    (line,) = shown().lines
    assert (line.state.title, line.state.since_text) == ("Running", "since 11:50")
    assert line.run_time.replace("\u00a0", " ") == "40 min"
    assert line.energy.replace("\u00a0", " ") == "280 Wh"
    assert line.spark.startswith("M0 24V")
    assert line.heard == "just now"


def test_what_did_not_run_today_is_a_dash() -> None:
    device(last_seen_at=at(600))
    (line,) = shown().lines
    assert (line.run_time, line.energy, line.spark, line.heard) == (
        "\u2013",
        "\u2013",
        "",
        "2 h ago",
    )


def test_the_sparkline_of_a_long_day_has_more_quarters(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    device()
    assert shown(now=datetime.fromisoformat("2026-10-25T12:00+01:00")).quarters == 100


def test_a_search_finds_every_word_in_names_and_ids() -> None:
    device("shellyplus1pm-aa01", title="Well")
    device("shellyplus1pm-bb02", title="Trough", name="Stable")
    assert names(shown("stable TROUGH")) == ["shellyplus1pm-bb02"]
    assert names(shown("aa01")) == ["shellyplus1pm-aa01"]
    assert names(shown("nothing")) == []
    assert shown("nothing").count == 2


def test_a_long_list_comes_in_pages_and_costs_the_same(django_assert_num_queries: Any) -> None:
    for each in range(52):
        device(f"pump-{each:02}")
    assert len(shown().lines) == 50
    assert names(shown(page="2")) == ["pump-50", "pump-51"]
    pages = [shown(page=text).page.number for text in ("99", "x", "0")]
    assert pages == [2, 1, 2]
    known = everybody()
    with django_assert_num_queries(5):
        overview(known, NOON)
