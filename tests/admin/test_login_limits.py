"""The login: under which names it works, and one try at a time for each place."""

import threading
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client, RequestFactory

from powerlog.admin import login_limits
from powerlog.admin.login_limits import Turns, guarded
from tests.support.servers import until

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


@pytest.mark.django_db
def test_no_site_may_read_that_somebody_is_locked_out() -> None:
    for _ in range(10):
        response = Client().post(LOGIN, WRONG, headers={"X-Requested-With": "XMLHttpRequest"})
    assert response.status_code == 429
    assert "Access-Control-Allow-Origin" not in response


class Checked:
    """The rest of the way of a request: it stands still until it may go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.places: list[str] = []
        self.lock = threading.Lock()

    def __call__(self, request: Any) -> HttpResponse:
        with self.lock:
            self.places.append(request.META["REMOTE_ADDR"])
        self.go_on.wait()
        return HttpResponse("checked")


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    monkeypatch.setattr(login_limits, "turns", found := Turns())
    return found


def present(turns: Turns, place: str) -> int:
    turn = turns._places.get(place)
    return turn.present if turn else 0


def test_the_next_try_of_a_place_begins_when_the_last_one_is_counted(turns: Turns) -> None:
    checked = Checked()
    page = guarded(checked)

    def send(address: str, method: str = "post", path: str = LOGIN) -> threading.Thread:
        request = getattr(RequestFactory(), method)(path, REMOTE_ADDR=address)
        thread = threading.Thread(target=page, args=[request])
        thread.start()
        return thread

    threads = [send("8.8.8.8")]
    until(lambda: len(checked.places) == 1)
    threads += [send("8.8.8.8"), send("8.8.8.8")]
    until(lambda: present(turns, "8.8.8.8") == 3)
    # Whoever is elsewhere, or only looks, or asks for another page waits for none of them.
    threads += [send("9.9.9.9"), send("8.8.8.8", "get"), send("8.8.8.8", path="/dashboard/")]
    until(lambda: len(checked.places) == 4)
    assert sorted(checked.places) == ["8.8.8.8"] * 3 + ["9.9.9.9"]
    checked.go_on.set()
    for thread in threads:
        thread.join()
    assert len(checked.places) == 6
    assert len(turns) == 0  # no place is remembered


def test_who_comes_while_as_many_wait_as_may_fail_is_sent_away(settings: Any, turns: Turns) -> None:
    settings.AXES_FAILURE_LIMIT = 1
    with turns.wait("8.8.8.8", 1):
        response = Client().post(LOGIN, WRONG, REMOTE_ADDR="8.8.8.8")
        assert response.status_code == 429
        assert "This one was not tried" in response.content.decode()
    assert len(turns) == 0


def test_a_try_that_raises_ends_its_turn(turns: Turns) -> None:
    def fail(request: Any) -> HttpResponse:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        guarded(fail)(RequestFactory().post(LOGIN))
    assert len(turns) == 0


def test_who_waits_for_too_long_is_sent_away(monkeypatch: pytest.MonkeyPatch, turns: Turns) -> None:
    monkeypatch.setattr(login_limits, "WAIT_S", 0)
    with turns.wait("8.8.8.8", 10) as first, turns.wait("8.8.8.8", 10) as second:
        assert (first, second) == (True, False)
    with turns.wait("8.8.8.8", 10) as later:
        assert later
    assert len(turns) == 0
