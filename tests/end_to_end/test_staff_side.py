"""The doors for people: guessed passwords, forged posts, and what a page may load."""

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"
GUESSES = 10


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss", password="correct horse")


def log_in(password: str, address: str, **headers: str) -> Any:
    form = {"username": "boss", "password": password, "next": "/dashboard/"}
    return Client().post(LOGIN, form, REMOTE_ADDR=address, headers=headers)


def guess(address: str, times: int = GUESSES, **headers: str) -> Any:
    for _ in range(times):
        response = log_in("wrong", address, **headers)
    return response


def test_who_guesses_ten_times_is_told_to_come_back_later(boss: User) -> None:
    response = guess("8.8.8.8")
    assert response.status_code == 429
    assert b"Log in again in a quarter of an hour" in response.content
    assert log_in("correct horse", "8.8.8.8").status_code == 429


def test_staff_elsewhere_log_in_meanwhile(boss: User) -> None:
    guess("8.8.8.8")
    assert log_in("correct horse", "192.168.1.7").status_code == 302


def test_nobody_can_lock_staff_out_by_giving_their_address(boss: User) -> None:
    guess("8.8.8.8", **{"X-Forwarded-For": "192.168.1.7"})
    assert log_in("correct horse", "192.168.1.7").status_code == 302
    assert log_in("wrong", "8.8.8.8", **{"X-Forwarded-For": "10.1.2.3"}).status_code == 429


def test_one_customer_of_ipv6_has_not_a_new_address_for_each_guess(boss: User) -> None:
    for number in range(GUESSES):
        response = log_in("wrong", f"2001:4860:1:2::{number}")
    assert response.status_code == 429


def test_a_mistyped_password_costs_nothing_in_the_end(boss: User) -> None:
    for _ in range(3):
        guess("192.168.1.7", GUESSES - 1)
        assert log_in("correct horse", "192.168.1.7").status_code == 302


def test_what_was_typed_is_kept_nowhere(boss: User, caplog: pytest.LogCaptureFixture) -> None:
    form = {"username": "my s3cret by mistake", "password": "s3cret"}
    for _ in range(GUESSES):
        Client().post(LOGIN, form, REMOTE_ADDR="8.8.8.8")
    assert "s3cret" not in caplog.text
    assert all("s3cret" not in attempt.post_data for attempt in AccessAttempt.objects.all())


def test_who_goes_on_guessing_fills_no_table(boss: User) -> None:
    for number in range(3 * GUESSES):
        form = {"username": f"user-{number}", "password": "x"}
        Client().post(LOGIN, form, REMOTE_ADDR="8.8.8.8")
    assert AccessAttempt.objects.count() <= GUESSES


@pytest.mark.parametrize("path", ["/admin/auth/user/add/", "/admin/logout/", LOGIN])
def test_a_post_from_another_page_changes_nothing(boss: User, path: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(boss)
    forged = {"username": "mallory", "password1": "correct horse", "password2": "correct horse"}
    assert browser.post(path, forged, headers={"Origin": "https://evil.example"}).status_code == 403
    assert User.objects.count() == 1
    assert browser.get("/dashboard/").status_code == 200


@pytest.mark.parametrize("path", ["/dashboard/", "/admin/", LOGIN, "/admin/nothing/", "/nowhere"])
def test_every_page_says_that_it_loads_nothing_inline_and_nothing_foreign(
    boss: User, path: str
) -> None:
    browser = Client()
    browser.force_login(boss)
    policy = browser.get(path)["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'"):
        assert part in policy.split("; ")
    assert "unsafe" not in policy


def test_behind_tls_a_page_asked_for_in_clear_is_asked_for_again(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = Client().get(LOGIN)
    assert (response.status_code, response["Location"]) == (301, f"https://testserver{LOGIN}")
