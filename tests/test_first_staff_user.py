"""The first staff user of a fresh installation, and the password that it begins with."""

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError
from django.test import RequestFactory

from powerlog.management.commands.serve import Command
from tests.end_to_end.test_collector import log_in
from tests.support.servers import free_port, manage, running, serve

CHOSEN = "$wells of 12 pumps"  # django-environ takes what begins with $ for another name

database = pytest.mark.django_db(transaction=True, databases=["default", "writer"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def said(out: io.StringIO | None = None) -> str:
    """What `serve` prints when it sets the database up."""
    out = out or io.StringIO()
    Command(stdout=out).set_up()
    return out.getvalue()


def is_password(password: str) -> bool:
    user = authenticate(RequestFactory().post("/"), username="admin", password=password)
    return user is not None and user.is_superuser


@database
def test_a_generated_password_is_shown_once_and_works() -> None:
    first, second = said(), said()
    (password,) = [line[10:] for line in first.splitlines() if line.startswith("  admin / ")]
    assert len(password) >= 16
    assert is_password(password)
    assert first.startswith("The database is set up: ")
    assert second.startswith("The database is set up: ")
    assert second.count("\n") == 1


@database
def test_where_the_output_is_kept_it_says_that_the_password_stays_there() -> None:
    *_, password, warning = said().splitlines()
    assert password.startswith("  admin / ")
    assert warning.endswith("log in and change it.")


@database
def test_a_terminal_needs_no_such_line() -> None:
    assert said(Terminal()).splitlines()[-1].startswith("  admin / ")


@database
@pytest.mark.parametrize("password", [CHOSEN, "äöü 99 Brunnen", "a" * 99 + "b"])
def test_a_password_of_ones_own_is_taken_and_shown_nowhere(settings: Any, password: str) -> None:
    settings.ADMIN_PASSWORD = password
    told = said()
    assert "admin" not in told
    assert password not in told
    assert is_password(password)


@database
@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("geheim7", "too short"),
        ("password123", "too common"),
        ("admin-ab", "too similar to the username"),
        (" geheim of the pumps", "begins or ends with a space"),
        ("geheim of the pumps\r", "begins or ends with a space"),
        ("geheim\x7fof the pumps", "a character that cannot be typed"),
        ("geheim of the pumps\udcff", "a character that cannot be typed"),
    ],
)
def test_a_bad_password_stops_the_start_and_is_not_repeated(
    settings: Any, password: str, why: str
) -> None:
    settings.ADMIN_PASSWORD = password
    with pytest.raises(CommandError, match="ADMIN_PASSWORD") as caught:
        said()
    assert why in str(caught.value)
    assert password.strip() not in str(caught.value)
    assert not User.objects.exists()


@database
@pytest.mark.parametrize("password", [CHOSEN, "bad"])
def test_where_there_is_a_superuser_it_has_no_effect_and_says_so(
    settings: Any, password: str
) -> None:
    User.objects.create_superuser("boss")
    settings.ADMIN_PASSWORD = password
    assert said().splitlines()[1:] == [
        "ADMIN_PASSWORD has no effect, there is a staff user: remove it."
    ]
    assert User.objects.count() == 1


@database
def test_it_does_not_touch_an_admin_who_is_somebody_else(settings: Any) -> None:
    User.objects.create_user("admin")
    settings.ADMIN_PASSWORD = CHOSEN
    with pytest.raises(CommandError, match="createsuperuser"):
        said()


def test_a_password_of_the_environment_opens_the_pages_and_is_in_no_output(
    new_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", CHOSEN)
    with running(serve(new_database, tmp_path, "--processes", "2")) as server:
        with httpx.Client(base_url=server.url, follow_redirects=True) as browser:
            assert log_in(browser, CHOSEN).url.path == "/dashboard/"
        assert server.stop() == 0
        assert CHOSEN not in server.output
        assert "admin /" not in server.output


def test_a_bad_password_of_the_environment_is_one_line(
    new_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", "geheim")
    result = manage(
        "serve", "--host", "127.0.0.1", "--port", str(free_port()), database_url=new_database
    )
    assert result.returncode == 1
    assert result.stderr.startswith("CommandError: ADMIN_PASSWORD is refused. This password is too")
    assert result.stderr.count("\n") == 1
    assert "geheim" not in result.stdout + result.stderr
