"""Which names are the collector's own, and what a page under any other one gets to read."""

import socket
import threading
from typing import Any

import pytest
from django.test import Client, RequestFactory

from powerlog import own_hosts
from powerlog.own_hosts import asked_by_own_name, is_own, learn_full_name

OWN = ["192.168.1.10", "8.8.8.8", "::1", "fd00::1", "localhost", "pi", "power_collector", "pi."]
OWN += ["pi.local", "collector.lan", "pi.home.arpa", "pi.internal", "a.localhost", "pi.lan."]
STRANGE = ["rebound.example", "192.168.1.10.rebound.example", "local.example", "evillan.example"]
STRANGE += ["", ".", "rebound.example.", "pi.lan.example", "1.2.3.4.5"]


@pytest.mark.parametrize("name", OWN)
def test_a_name_that_no_page_of_the_internet_can_have_is_the_collectors_own(name: str) -> None:
    assert is_own(name)


@pytest.mark.parametrize("name", STRANGE)
def test_any_other_name_is_not(name: str) -> None:
    assert not is_own(name)


def test_a_name_that_is_set_is_its_own_beside_these(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["power.example.org", ".example.net"]
    assert is_own("power.example.org")
    assert is_own("pi.example.net")
    assert is_own("192.168.1.10")
    assert not is_own("rebound.example")
    settings.ALLOWED_HOSTS = ["*", "power.example.org"]
    assert is_own("power.example.org")
    assert not is_own("rebound.example")


def test_the_full_name_of_the_machine_is_its_own_once_dns_has_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer, learnt = threading.Event(), threading.Event()

    class Names(set[str]):
        def add(self, name: str) -> None:
            super().add(name)
            learnt.set()

    def ask_dns() -> str:
        answer.wait()
        return "Pi.Example.org"

    monkeypatch.setattr(own_hosts, "names_of_the_machine", Names())
    monkeypatch.setattr(socket, "getfqdn", ask_dns)
    learn_full_name()  # and does not wait
    assert not is_own("pi.example.org")
    answer.set()
    learnt.wait()
    assert is_own("pi.example.org")


def test_a_certificate_vouches_for_any_name(settings: Any) -> None:
    told = {"HTTP_HOST": "power.example.org", "HTTP_X_FORWARDED_PROTO": "https"}
    assert not asked_by_own_name(RequestFactory().get("/", **told))
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert asked_by_own_name(RequestFactory().get("/", **told))
    assert not asked_by_own_name(RequestFactory().get("/", HTTP_HOST="power.example.org"))


def read(path: str, host: str, **headers: str) -> Any:
    # No django_db mark: a query of any kind would fail here.
    return Client().get(path, REMOTE_ADDR="192.168.1.7", headers={"host": host} | headers)


@pytest.mark.parametrize("name", ["rebound.example", "192.168.1.10.rebound.example", "..", "a@pi"])
def test_a_page_under_a_name_that_was_made_to_point_here_reads_nothing(name: str) -> None:
    assert read("/", f"{name}:5000").content == b"collector: running\nhealth: ok\n"
    refused = read("/metrics", f"{name}:5000")
    assert refused.status_code == 403
    assert b"ALLOWED_HOSTS" in refused.content


@pytest.mark.parametrize("name", ["192.168.1.10", "[fd00::1]", "LOCALHOST", "Pi.local", "a_b"])
def test_under_its_own_names_local_callers_read_all(name: str) -> None:
    assert b"devices connected" in read("/", f"{name}:5000").content
    assert read("/metrics", f"{name}:5000").status_code == 200


def test_where_its_name_is_set_they_do_under_that_too(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["power.example.org"]
    for name, status in {"power.example.org": 200, "192.168.1.10": 200, "x.example": 403}.items():
        assert read("/metrics", name).status_code == status


def test_a_token_for_the_metrics_is_good_under_any_name(settings: Any) -> None:
    settings.METRICS_TOKEN = "for-prometheus-alone"
    known = {"Authorization": "Bearer for-prometheus-alone"}
    assert read("/metrics", "power.example.org", **known).status_code == 200
    assert read("/metrics", "192.168.1.10").status_code == 403
