"""/metrics, and how much of `/` a stranger sees."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families as parsed

from powerlog.devices.connections import traffic
from powerlog.monitoring import metrics
from powerlog.monitoring.other_processes import neighbours
from powerlog.writer.histogram import WITHIN_S, Histogram
from tests.monitoring.test_health import NOW, _now, process

__all__ = ["_now"]
TOKEN = "a-token-of-the-operator"


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """The figures by their names, the number of the process, and what else tells them apart."""
    found = {}
    for sample in (each for family in parsed(text.decode()) for each in family.samples):
        process = [sample.labels.pop("process")] if sample.labels else []
        found[sample.name.removeprefix("collector_"), *process, *sample.labels.values()] = (
            sample.value
        )
    return found


def test_every_figure_of_every_process_is_there_once() -> None:
    one = process(
        1,
        devices=5012,
        kinds={"full": 3, "delta": 70, "other": 0},
        bad_frames={"not JSON": 2},
        texts=6,
        slowed=3,
        slowed_s=70.5,
        refused={"a page of another site": 4},
        by_source={"measured": 9, "device": 1},
        written=8,
        waiting=2,
        waiting_since=NOW - 1,
        spooled=7,
        losers=2,
        spooled_since=NOW - 60,
        failing_since=NOW - 90,
        threads={"registry": 75.5},
    )
    told = samples(metrics.text([one, process(2, devices=1)], 3))
    for name, value in {
        ("processes_expected",): 3,
        ("devices_connected", "1"): 5012,
        ("devices_connected", "2"): 1,
        ("frames_total", "1", "delta"): 70,
        ("frames_rejected_total", "1", "not JSON"): 2,
        ("values_as_text_total", "1"): 6,
        ("addresses_slowed", "1"): 3,
        ("addresses_slowed", "2"): 0,
        ("addresses_slowed_seconds_total", "1"): 70.5,
        ("connections_refused_total", "1", "a page of another site"): 4,
        ("rows_accepted_total", "1", "device"): 1,
        ("rows_written_total", "1"): 8,
        ("rows_waiting_age_seconds", "1"): 1,
        ("rows_spooled", "1"): 7,
        ("addresses_with_rows_lost", "1"): 2,
        ("rows_spooled_age_seconds", "1"): 60,
        ("rows_spooled_age_seconds", "2"): 0,
        ("database_away_seconds", "1"): 90,
        ("thread_round_age_seconds", "1", "registry"): 75.5,
    }.items():
        assert told[name] == value, name


def test_a_histogram_says_how_many_writes_took_no_longer_than_what() -> None:
    writes = Histogram()
    for took_s in (0.001, 0.005, 0.3, 60.0, -1.0):
        writes.note(took_s)
    known = {"write_counts": writes.counts, "write_s": writes.total_s}
    told = samples(metrics.text([process(1, **known)], 1))
    assert told["write_seconds_bucket", "1", "0.005"] == 3
    assert told["write_seconds_bucket", "1", str(WITHIN_S[-1])] == 4
    assert told["write_seconds_bucket", "1", "+Inf"] == told["write_seconds_count", "1"] == 5
    assert told["write_seconds_sum", "1"] == pytest.approx(60.306)


def ask(path: str, address: str = "127.0.0.1", **headers: str) -> Any:
    # No django_db mark: a query of any kind would fail here.
    return Client().get(path, REMOTE_ADDR=address, headers=headers)


def test_without_a_token_only_who_is_local_gets_the_metrics() -> None:
    assert b"collector_devices_connected" in ask("/metrics", "192.168.1.7").content
    assert ask("/metrics", "8.8.8.8").status_code == 403
    assert ask("/metrics", **{"X-Forwarded-For": "127.0.0.1"}).status_code == 403


def test_behind_two_proxies_a_stranger_gets_none_of_them(settings: Any) -> None:
    settings.BEHIND_PROXY = True
    for chain, status in {"8.8.8.8, 172.18.0.2": 403, "192.168.1.7, 172.18.0.2": 200}.items():
        assert ask("/metrics", **{"X-Forwarded-For": chain}).status_code == status


def test_with_a_token_whoever_has_it_gets_them_and_nobody_else(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert ask("/metrics", "8.8.8.8", Authorization=f"Bearer {TOKEN}").status_code == 200
    for wrong in ("", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é", "Basic eDp4"):
        response = ask("/metrics", "127.0.0.1", Authorization=wrong)
        assert response.status_code == 403
        assert TOKEN.encode() not in response.content


def test_metrics_are_only_to_be_read_and_whatever_the_host(settings: Any) -> None:
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["power.example.org"], True
    assert ask("/metrics", Host="10.0.0.7:5000").status_code == 200
    assert Client().post("/metrics").status_code == 405


def stranger_sees() -> bytes:
    return ask("/", "8.8.8.8").content


def test_a_stranger_sees_whether_all_is_well_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stranger_sees() == b"collector: running\nhealth: ok\n"
    monkeypatch.setattr(neighbours, "expected", 2)
    assert stranger_sees() == b"collector: running\nhealth: not well\n"


def test_who_sees_the_details_is_a_setting(settings: Any) -> None:
    assert b"devices connected" in ask("/", "192.168.1.7").content
    assert b"devices connected" not in ask("/", **{"X-Forwarded-For": "8.8.8.8"}).content
    settings.STATUS_DETAILS = "all"
    assert b"devices connected" in stranger_sees()
    settings.STATUS_DETAILS = "none"
    assert b"devices connected" not in ask("/").content


@pytest.mark.django_db
def test_staff_see_them_at_an_address_of_their_own(admin_client: Client, settings: Any) -> None:
    settings.STATUS_DETAILS = "none"
    assert b"devices connected" in admin_client.get("/status/", REMOTE_ADDR="8.8.8.8").content
    assert Client().get("/status/").status_code == 302


def test_who_is_connected_and_says_nothing_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    spoke = {"pump": NOW - 1, "well": NOW - 119, "fan": NOW - 121}
    for name, heard_at in spoke.items():
        peer = SimpleNamespace(heard_at=heard_at)
        monkeypatch.setitem(traffic.devices, name, SimpleNamespace(peer=peer))
    assert traffic.silent(NOW - 120) == 1


def test_frames_are_of_three_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in {"frames": 10, "full": 2, "other": 3}.items():
        monkeypatch.setattr(traffic, name, count)
    monkeypatch.setattr(traffic, "rejected", Counter({"not JSON": 1}))
    assert traffic.kinds == {"full": 2, "delta": 4, "other": 3}
