"""The login: under which names it works."""

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client

LOGIN = "/admin/login/"
REBOUND = {"host": "rebound.example:5000"}
WRONG = {"username": "boss", "password": "wrong"}


def ask(method: str, host: str, language: str = "en") -> Any:
    # Where no django_db mark is a query of any kind would fail here.
    headers = {"host": host, "accept-language": language}
    return getattr(Client(), method)(LOGIN, headers=headers)


@pytest.mark.parametrize("method", ["get", "post"])
def test_under_a_strange_name_the_page_says_what_to_set_and_has_no_form(method: str) -> None:
    response = ask(method, "power.example.org:5000")
    page = response.content.decode()
    assert response.status_code == 400
    assert "<code" in page
    assert ">ALLOWED_HOSTS=power.example.org</code>" in page
    assert "http://192.168.1.10:5000/" in page
    assert "<form" not in page
    assert "no-store" in response["Cache-Control"]
    assert "default-src 'none'" in response["Content-Security-Policy"]


def test_it_says_so_in_german_too() -> None:
    assert (
        "Keine Anmeldung unter diesem Namen"
        in ask("get", "power.example.org", "de").content.decode()
    )


def test_a_name_that_is_no_name_is_not_repeated() -> None:
    page = ask("get", "x.example<script>alert(1)</script>").content.decode()
    assert "<script" not in page
    assert ">ALLOWED_HOSTS=</code>" in page


def test_where_names_are_set_the_bare_address_is_not_offered(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["power.example.org"]
    response = ask("get", "other.example.org")
    assert response.status_code == 400
    assert "192.168.1.10" not in response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["192.168.1.10:5000", "pi", "pi.local", "power.example.org"])
def test_under_its_own_names_there_is_a_form(host: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*", "power.example.org"]
    response = ask("get", host)
    assert response.status_code == 200
    assert b'name="password"' in response.content


@pytest.mark.django_db
def test_a_page_that_was_made_to_point_here_locks_nobody_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    User.objects.create_superuser("boss", password="correct horse")
    with monkeypatch.context() as patch:
        patch.setattr(User, "check_password", lambda *_: pytest.fail("it was hashed"))
        for _ in range(20):
            response = Client().post(LOGIN, WRONG, REMOTE_ADDR="192.168.1.7", headers=REBOUND)
            assert response.status_code == 400
    assert AccessAttempt.objects.count() == 0
    right = WRONG | {"password": "correct horse"}
    assert Client().post(LOGIN, right, REMOTE_ADDR="192.168.1.7").status_code == 302
