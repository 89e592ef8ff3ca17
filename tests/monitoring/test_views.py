"""The health line at `/`, and what all pages share: the login, the static files."""

import time
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.test import Client

from powerlog.devices.connections import traffic
from powerlog.devices.session import Peer
from powerlog.writer.row_writer import row_writer

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def health(client: Client) -> dict[str, str]:
    response = client.get("/")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    lines = response.content.decode().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def test_the_status_answers_without_a_database(client: Client) -> None:
    # No django_db mark: a query of any kind would fail here.
    assert health(client)["collector"] == "running"


def test_the_status_counts_devices_frames_and_rows(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(traffic.devices, "pump", SimpleNamespace(peer=Peer({})))
    rejected = Counter({"src is missing or not a string": 1, "not JSON": 2})
    monkeypatch.setattr(traffic, "rejected", rejected)
    monkeypatch.setattr(row_writer, "written", 1234)
    monkeypatch.setattr(row_writer.backlog, "accepted", row_writer.backlog.done + 7)
    lines = health(client)
    assert lines["devices connected"] == "1"
    assert lines["bad frames"] == "3 (2 not JSON, 1 src is missing or not a string)"
    assert (lines["rows written"], lines["rows waiting"]) == ("1234", "7")


def test_the_status_of_a_process_without_a_bad_frame_has_no_reasons(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "rejected", Counter())
    assert health(client)["bad frames"] == "0"


def test_the_status_says_whether_the_last_write_worked(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_writer, "last_write_at", None)
    assert health(client)["last write"] == "none yet"
    with time_machine.travel(NOON, tick=False):
        monkeypatch.setattr(row_writer, "last_write_at", time.time() - 12)
        assert health(client)["last write"] == "ok, 12 s ago"
        monkeypatch.setattr(row_writer, "asking_since", time.time() - 3)
        assert health(client)["last write"] == "ok, 12 s ago"
        monkeypatch.setattr(row_writer, "failing_since", time.time() - 90)
        failed = "failed, the database has taken no rows for 90 s"
        assert health(client)["last write"] == failed
        monkeypatch.setattr(row_writer, "asking_since", time.time() - 65)
        assert health(client)["last write"] == "the database has not answered for 65 s"


@pytest.mark.parametrize("host", ["a_b:5000", "..", "10.0.0.9"])
def test_the_status_answers_whatever_the_host_header_is(
    client: Client, settings: Any, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["collector.example"]
    assert client.get("/", headers={"host": host}).status_code == 200
    assert client.get("/dashboard/", headers={"host": host}).status_code == 400


def test_the_status_is_only_to_be_read(client: Client) -> None:
    assert client.post("/").status_code == 405


@pytest.mark.django_db
def test_a_login_works_behind_tls_where_the_proxy_is_believed(settings: Any) -> None:
    assert settings.SECURE_PROXY_SSL_HEADER is None
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    client = Client(enforce_csrf_checks=True)
    told = {"host": "collector.example", "x-forwarded-proto": "https"}
    form = client.get("/admin/login/", headers=told)
    token = form.cookies["csrftoken"].value
    response = client.post(
        "/admin/login/",
        {"username": "nobody", "password": "x", "csrfmiddlewaretoken": token},
        headers=told
        | {
            "origin": "https://collector.example",
            "referer": "https://collector.example/admin/login/",
        },
    )
    assert "correct username and password" in response.content.decode()


@pytest.mark.parametrize(
    "path", ["powerlog/site.css", "powerlog/live.js", "powerlog/icon.svg", "admin/css/base.css"]
)
def test_static_files_are_served_with_debug_off(settings: Any, client: Client, path: str) -> None:
    settings.WHITENOISE_AUTOREFRESH = False  # as outside of the tests
    response = client.get(f"/static/{path}")
    assert response.status_code == 200
    assert response.getvalue()
    assert "Access-Control-Allow-Origin" not in response  # other sites have no business with them
