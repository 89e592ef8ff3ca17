"""`manage.py serve`, as far as it can be seen without a process of its own."""

import io
import socket
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)

from powerlog.management.commands import serve
from powerlog.management.commands.serve import (
    Command,
    lan_address,
    listening,
)


class Connections(dict):
    """Django's connections, of which the writer's fails as it is told."""

    def __init__(self, fault: Exception | None = None) -> None:
        super().__init__(writer=self)
        self.fault = fault

    def ensure_connection(self) -> None:
        if self.fault:
            raise self.fault

    def close_all(self) -> None:
        pass


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Connections:
    connections = Connections()
    monkeypatch.setattr(serve, "connections", connections)
    monkeypatch.setattr(serve, "RETRY_S", 0)
    return connections


def in_turn(*outcomes: Any) -> Callable[[], Any]:
    """A function that returns these, or raises those that are exceptions."""
    waiting = list(outcomes)

    def take() -> Any:
        outcome = waiting.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return take


def test_each_reason_of_a_database_that_is_away_is_told_once(
    connected: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    command = Command()
    for reason in ("Connection\nrefused", "starting up", "Connection\nrefused", "starting up"):
        connected.fault = OperationalError(reason)
        assert not command.try_to_set_up()
    first, second = caplog.messages
    assert first.endswith(": Connection refused")
    assert second.endswith(": starting up")


@pytest.mark.parametrize(
    "fault",
    [
        DatabaseError("file is not a database"),
        ProgrammingError('invalid connection option "bogus"'),
        OperationalError('connection is bad: invalid sslmode value: "bogus"'),
    ],
)
def test_a_wrong_setting_is_no_database_that_is_away(
    connected: Connections, fault: DatabaseError
) -> None:
    connected.fault = fault
    with pytest.raises(DatabaseError) as caught:
        Command().try_to_set_up()
    assert caught.value is fault


def test_it_tries_until_the_database_is_there_whoever_else_sets_it_up(
    connected: Connections, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    command = Command()
    quicker = ProgrammingError("relation exists"), IntegrityError("admin exists")
    gone = OperationalError("server closed the connection"), InterfaceError("it is closed")
    monkeypatch.setattr(command, "set_up", in_turn(*quicker, *gone, None))
    while command.try_again():
        pass
    assert len(caplog.records) == 4


def test_what_no_waiting_cures_is_one_line_and_the_server_goes_on(
    connected: Connections, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    command = Command()
    somebody_else = CommandError("the name admin belongs to somebody else")
    monkeypatch.setattr(command, "set_up", in_turn(somebody_else))
    while command.try_again():
        pass
    assert caplog.messages == [f"the database cannot be set up: {somebody_else}"]


def test_a_port_in_use_is_one_sentence() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CommandError, match=r"Cannot listen on 127.0.0.1 port \d+: Address already"),
    ):
        listening("127.0.0.1", taken.getsockname()[1])


def test_a_host_that_is_none_is_one_sentence() -> None:
    with pytest.raises(CommandError, match=r"Cannot listen on no\.such\.host"):
        listening("no.such.host.invalid", 5000)


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_a_port_that_is_none_is_one_sentence(port: int) -> None:
    with pytest.raises(CommandError, match=f"--port is {port}"):
        listening("127.0.0.1", port)


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


@pytest.mark.parametrize("processes", [0, -1])
def test_fewer_processes_than_one_is_one_sentence(processes: int) -> None:
    with pytest.raises(CommandError, match=f"--processes is {processes}, but must be 1 or more"):
        call_command("serve", processes=processes)


def test_with_a_token_it_says_so_and_does_not_show_it(settings: Any) -> None:
    settings.WS_TOKEN = "the-token-of-all-devices"
    out = io.StringIO()
    Command(stdout=out).say_where("10.0.0.7", 5001)
    assert "ws://10.0.0.7:5001/ws/ and then WS_TOKEN\n" in out.getvalue()
    assert settings.WS_TOKEN not in out.getvalue()
