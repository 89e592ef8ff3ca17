"""The pages: the health line at `/`, and the dashboard for staff."""

import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from powerlog.traffic import traffic
from powerlog.writer import row_writer

from .test_models import row

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield NOON


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_user("staff", is_staff=True))
    return client


def shown(response: HttpResponse) -> str:
    """What a reader sees: the text without the tags, in one line."""
    body = re.search("<main>(.*)</main>", response.content.decode(), re.DOTALL)
    assert body
    return " ".join(re.sub("<[^>]*>", " ", body[1]).split())


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
    monkeypatch.setitem(traffic.devices, "pump", object())
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
def test_the_dashboard_wants_a_login_of_staff(client: Client) -> None:
    response = client.get("/dashboard/")
    assert response.status_code == 302
    assert response["Location"] == "/admin/login/?next=/dashboard/"
    client.force_login(User.objects.create_user("guest"))
    assert client.get("/dashboard/").status_code == 302


@pytest.mark.django_db
def test_a_login_works_behind_tls_where_the_proxy_is_believed(settings: Any) -> None:
    assert settings.SECURE_PROXY_SSL_HEADER is None
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    client = Client(enforce_csrf_checks=True)
    form = client.get("/admin/login/", headers={"host": "collector.example"})
    token = form.cookies["csrftoken"].value
    response = client.post(
        "/admin/login/",
        {"username": "nobody", "password": "x", "csrfmiddlewaretoken": token},
        headers={
            "host": "collector.example",
            "origin": "https://collector.example",
            "x-forwarded-proto": "https",
            "referer": "https://collector.example/admin/login/",
        },
    )
    assert "correct username and password" in response.content.decode()


@pytest.mark.django_db
def test_before_the_first_row_it_says_what_to_type_into_the_shelly(staff: Client) -> None:
    page = shown(staff.get("/dashboard/", headers={"host": "192.0.2.5:5000"}))
    assert "No readings yet" in page
    assert "ws://192.0.2.5:5000/ws" in page


@pytest.mark.django_db
def test_it_shows_the_figures_of_today_and_of_what_ran_last(staff: Client, now: datetime) -> None:
    early = now - timedelta(hours=4)
    row(timestamp=early, device_id="other").save()
    for offset, power in enumerate((400.0, 500.0, 451.0)):
        row(
            timestamp=early + timedelta(minutes=offset + 1),
            apower_w=power,
            energy_total_wh=100 + 7.5 * offset,
        ).save()
    page = shown(staff.get("/dashboard/"))
    assert "pump switch:2" in page
    assert "Friday, 1 May 2026 (today)" in page
    for figure in (
        "Active 3 minutes",
        "Energy 15.0 Wh",
        "Mean power 450.3 W",
        "Peak power 500.0 W",
        "First active 08:01",
        "Last active until 08:04",
    ):
        assert figure in page


@pytest.mark.django_db
def test_a_single_minute_is_singular_and_its_energy_is_not_known(
    staff: Client, now: datetime
) -> None:
    row(timestamp=now).save()
    page = shown(staff.get("/dashboard/"))
    assert "Active 1 minute " in page
    assert "Energy not known" in page


@pytest.mark.django_db
def test_the_picture_has_a_bar_for_every_minute(staff: Client, now: datetime) -> None:
    for offset in range(5):
        row(timestamp=now - timedelta(minutes=offset)).save()
    row(timestamp=now - timedelta(minutes=9), source="carried").save()
    page = staff.get("/dashboard/").content.decode()
    measured = re.search(r'<path class="measured" d="([^"]*)"', page)
    carried = re.search(r'<path class="carried" d="([^"]*)"', page)
    assert measured
    assert carried
    assert measured[1].count("z") == 5
    assert carried[1].count("z") == 1
    assert "1 minute carried over short gaps" in page


@pytest.mark.django_db
def test_day_and_channel_are_to_be_chosen(staff: Client, now: datetime) -> None:
    row(timestamp=now).save()
    row(timestamp=now - timedelta(days=1), channel="switch:1", apower_w=77.0).save()
    page = shown(staff.get("/dashboard/?meter=pump/switch:1&day=2026-04-30"))
    assert "pump switch:1" in page
    assert "Thursday, 30 April 2026" in page
    assert "(today)" not in page
    assert "Peak power 77.0 W" in page


@pytest.mark.django_db
def test_a_day_without_rows_leads_to_the_last_one_that_has_some(
    staff: Client, now: datetime
) -> None:
    row(timestamp=now - timedelta(days=3)).save()
    response = staff.get("/dashboard/")
    assert "No active minute on this day." in shown(response)
    assert 'href="?meter=pump%2Fswitch%3A2&amp;day=2026-04-28"' in response.content.decode()


@pytest.mark.django_db
def test_a_channel_that_has_been_silent_for_long_can_still_be_asked_for(
    staff: Client, now: datetime
) -> None:
    row(timestamp=now).save()
    row(timestamp=now - timedelta(days=90), device_id="old").save()
    page = shown(staff.get("/dashboard/?meter=old/switch:2&day=2026-01-31"))
    assert "old switch:2" in page
    assert "Active 1 minute " in page


@pytest.mark.django_db
@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "0001-01-01", "9999-12-31"])
def test_a_day_that_is_none_is_said_to_be_none(staff: Client, now: datetime, day: str) -> None:
    row(timestamp=now).save()
    response = staff.get("/dashboard/", {"day": day})
    assert response.status_code == 400
    assert 'class="error"' in response.content.decode()
    assert "(today)" in shown(response)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "meter", ["nobody/switch:2", "pump", "/", "pump/switch:9", "<b>/x", "\0/\0"]
)
def test_a_channel_that_nobody_knows_is_said_to_be_unknown(
    staff: Client, now: datetime, meter: str
) -> None:
    row(timestamp=now).save()
    response = staff.get("/dashboard/", {"meter": meter})
    assert response.status_code == 400
    assert "pump switch:2" in shown(response)
    assert "<b>" not in response.content.decode()


@pytest.mark.django_db
def test_a_device_id_is_text_on_the_page_whatever_is_in_it(staff: Client, now: datetime) -> None:
    row(timestamp=now, device_id="<script>alert(1)</script>/&").save()
    response = staff.get("/dashboard/")
    assert "<script" not in response.content.decode()
    again = staff.get("/dashboard/", {"meter": "<script>alert(1)</script>/&/switch:2"})
    assert again.status_code == 200


@pytest.mark.parametrize("path", ["powerlog/site.css", "powerlog/icon.svg", "admin/css/base.css"])
def test_static_files_are_served_with_debug_off(client: Client, path: str) -> None:
    response = client.get(f"/static/{path}")
    assert response.status_code == 200
    assert response.getvalue()
