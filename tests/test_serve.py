"""`manage.py serve`, as far as it can be seen without a process of its own."""

import io
import socket

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError

from powerlog.management.commands.serve import (
    Command,
    create_first_staff_user,
    lan_address,
    refuse_unless_free,
)


@pytest.mark.django_db
def test_the_first_staff_user_is_admin_with_a_password_that_works() -> None:
    password = create_first_staff_user()
    user = authenticate(username="admin", password=password)
    assert user is not None
    assert user.is_superuser
    assert len(password or "") >= 16


@pytest.mark.django_db
def test_where_there_is_a_superuser_none_is_made() -> None:
    User.objects.create_superuser("boss")
    assert create_first_staff_user() is None
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_it_does_not_touch_an_admin_who_is_somebody_else() -> None:
    User.objects.create_user("admin")
    with pytest.raises(CommandError, match="createsuperuser"):
        create_first_staff_user()


def test_a_port_in_use_is_one_sentence() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CommandError, match=r"Cannot listen on 127.0.0.1 port \d+: Address already"),
    ):
        refuse_unless_free("127.0.0.1", taken.getsockname()[1])


def test_a_host_that_is_none_is_one_sentence() -> None:
    with pytest.raises(CommandError, match=r"Cannot listen on no\.such\.host"):
        refuse_unless_free("no.such.host.invalid", 5000)


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_a_port_that_is_none_is_one_sentence(port: int) -> None:
    with pytest.raises(CommandError, match=f"--port is {port}"):
        refuse_unless_free("127.0.0.1", port)


def test_the_lan_address_is_one_of_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((lan_address(), 0))


@pytest.mark.parametrize(("host", "shown"), [("10.0.0.7", "10.0.0.7"), ("::1", "[::1]")])
def test_it_says_what_to_type_into_the_shelly_and_where_the_pages_are(
    host: str, shown: str
) -> None:
    out = io.StringIO()
    Command(stdout=out).say_where(host, 5001)
    for line in (
        f"ws://{shown}:5001/ws\n",
        f"http://{shown}:5001/dashboard/\n",
        f"http://{shown}:5001/admin/\n",
    ):
        assert line in out.getvalue()
