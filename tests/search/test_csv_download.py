"""An export from the admin: who may have it, what it says, and that its reader sets the pace."""

import asyncio
import csv
import io
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from http import HTTPStatus
from typing import Any

import httpx
import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import OperationalError, connections
from django.test import AsyncClient, Client

from powerlog.database.store import WRITER
from powerlog.search import csv_download
from powerlog.search.csv_download import Download
from tests.support.databases import ADMIN, PASSWORD
from tests.support.servers import Server, running, serve, until
from tests.test_models import row

EXPORT = "/admin/powerlog/powerlog/export/"
ACTIVE = "SELECT pid, wait_event FROM pg_stat_activity WHERE query LIKE '%COPY%power_logs%' AND "
ACTIVE += "state = 'active' AND pid <> pg_backend_pid()"

database = pytest.mark.django_db(transaction=True, databases=["default", WRITER])


def anew() -> None:
    """This thread has seen the tests of the other database."""
    for alias in connections:
        connections[alias].close()
        del connections[alias]


@pytest.fixture
async def browser() -> AsyncIterator[AsyncClient]:
    """Of a superuser, through async views and all."""
    await sync_to_async(anew)()
    made = AsyncClient(raise_request_exception=False)
    await made.aforce_login(await User.objects.acreate_superuser("staff"))
    yield made
    await sync_to_async(anew)()


async def file_of(browser: AsyncClient, path: str) -> tuple[Any, bytes]:
    response = await browser.get(path)
    content = b"".join([piece async for piece in response])
    await sync_to_async(response.close)()
    return response, content


@database
async def test_who_may_see_the_rows_may_have_them_as_a_file(browser: AsyncClient) -> None:
    await row().asave()
    await row(device_id="other").asave()
    response, content = await file_of(browser, f"{EXPORT}?device=pump&p=3")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="rows-2')
    assert content.startswith(b"\xef\xbb\xbftime,"), "Excel takes it for UTF-8"
    (only,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    assert only["device id"] == "pump"
    assert Download.under_way == 0


@database
@pytest.mark.parametrize(("kind", "first"), [("run", "started"), ("daytotal", "day")])
async def test_runs_and_days_are_files_as_well(browser: AsyncClient, kind: str, first: str) -> None:
    _, content = await file_of(browser, f"/admin/powerlog/{kind}/export/")
    assert content.decode("utf-8-sig").startswith(f"{first},")


@database
def test_the_list_has_a_button_with_its_own_search(client: Client) -> None:
    client.force_login(User.objects.create_superuser("staff"))
    page = client.get("/admin/powerlog/powerlog/").content.decode()
    assert "export/" not in page, "there is nothing to export"
    row().save()
    page = client.get("/admin/powerlog/powerlog/?device=pump&min_w=7").content.decode()
    assert '<a class="button" href="export/?device=pump&amp;min_w=7">Export as CSV</a>' in page


@database
def test_strangers_and_staff_without_the_right_get_nothing(client: Client) -> None:
    assert client.get(EXPORT)["Location"].startswith("/admin/login/")
    client.force_login(User.objects.create_user("nobody"))
    assert client.get(EXPORT).status_code == HTTPStatus.FOUND
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.get(EXPORT).status_code == HTTPStatus.FORBIDDEN


@database
def test_what_is_wrong_with_the_search_is_said(client: Client) -> None:
    client.force_login(User.objects.create_superuser("staff"))
    response = client.get(f"{EXPORT}?since_0=nonsense&min_w=9&max_w=5")
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert response["Content-Type"].startswith("text/plain")
    assert response.content.decode().splitlines() == [
        "From: Enter a valid date.",
        "to (W): This ends before it begins.",
    ]
    assert client.post(EXPORT).status_code == HTTPStatus.METHOD_NOT_ALLOWED


@database
def test_more_than_a_few_at_once_are_too_many(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Download, "under_way", csv_download.AT_ONCE)
    client.force_login(User.objects.create_superuser("staff"))
    response = client.get(EXPORT)
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.content == csv_download.BUSY.encode()


async def failing(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise OperationalError("server closed\nthe connection")


@database
async def test_a_database_that_is_away_is_503_before_anything_is_sent(
    browser: AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csv_download, "_source", lambda table, search: failing([]))
    response = await browser.get(EXPORT)
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response["Retry-After"]
    assert Download.under_way == 0


@database
async def test_one_that_goes_in_the_middle_breaks_the_file_off_and_is_logged_in_one_line(
    browser: AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(csv_download, "_source", lambda table, search: failing([b"1\n", b"2\n"]))
    with pytest.raises(asyncio.CancelledError):
        await file_of(browser, EXPORT)
    (record,) = caplog.records
    assert record.getMessage() == "an export breaks off: server closed the connection"
    assert record.exc_info is None
    assert Download.under_way == 0


@database
async def test_a_search_that_takes_long_is_a_file_that_begins_with_its_header(
    browser: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = asyncio.Event()

    async def searching() -> AsyncIterator[bytes]:
        await found.wait()
        yield b"at last\n"

    monkeypatch.setattr(csv_download, "BEGIN_S", 0.0)
    monkeypatch.setattr(csv_download, "_source", lambda table, search: searching())
    pieces = aiter(await browser.get(EXPORT))
    assert (await anext(pieces)).decode("utf-8-sig").startswith("time,")
    found.set()
    assert [piece async for piece in pieces] == [b"at last\n"]


async def test_who_goes_before_anything_is_found_ends_the_search() -> None:
    ended = []

    async def searching() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b"never"
        finally:
            ended.append(True)

    source = searching()
    pieces = aiter(Download(b"head", asyncio.ensure_future(anext(source)), source))
    assert await anext(pieces) == b"head"
    await asyncio.sleep(0)  # the search has begun
    await pieces.aclose()
    assert ended


def test_an_answer_that_is_over_early_ends_its_source() -> None:
    ended = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"."
        finally:
            ended.append(True)

    async def begin() -> Download:
        source = endless()
        answer = Download(b"head", asyncio.ensure_future(anext(source)), source)
        assert [await anext(aiter(answer)) for _ in range(3)] == [b"head", b".", b"."]
        return answer

    loop = asyncio.new_event_loop()
    answer = loop.run_until_complete(begin())
    answer.close()
    assert ended
    loop.close()


# What follows is the whole way: a collector of its own, a real PostgreSQL, a real socket.


@pytest.fixture(scope="module")
def collector(
    ready_postgres: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """With more rows than all buffers between PostgreSQL and a browser hold."""
    folder = tmp_path_factory.mktemp("export")
    url = ready_postgres()
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO power_logs (timestamp, device_id, channel, apower_w, voltage_v, "
            "current_a, energy_total_wh) SELECT '2026-01-01'::timestamptz + n * interval '1 min', "
            "repeat('x', 100), 'switch:2', 430, 229, 2.4, n FROM generate_series(1, 150000) n"
        )
    with running(serve(url, folder)) as server:
        yield server


def connection_to(server: Server) -> tuple[socket.socket, psycopg.Connection]:
    """A browser that has asked for all rows, and not read the answer; and the database."""
    with httpx.Client(base_url=server.url) as browser:
        browser.get("/admin/login/")
        token = browser.cookies["csrftoken"]
        form = {"username": ADMIN, "password": PASSWORD, "csrfmiddlewaretoken": token}
        browser.post("/admin/login/", data=form)
        cookie = f"sessionid={browser.cookies['sessionid']}"
    reader = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    request = f"GET {EXPORT} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"
    reader.sendall(request.encode())
    return reader, psycopg.connect(server.database_url, autocommit=True)


def read_all(reader: socket.socket) -> bytes:
    """Up to the end of the answer, as HTTP marks it."""
    received = bytearray()
    while not received.endswith(b"\r\n0\r\n\r\n"):
        received += reader.recv(1 << 20)
    return bytes(received)


def test_the_reader_sets_the_pace_and_who_goes_ends_the_query(collector: Server) -> None:
    reader, observer = connection_to(collector)
    with closing(observer):
        with closing(reader):
            assert reader.recv(15) == b"HTTP/1.1 200 OK"
            # Nothing more is read: in the end PostgreSQL itself waits.
            until(lambda: [event for _, event in observer.execute(ACTIVE)] == ["ClientWrite"])
            assert collector.answers()
        until(lambda: not observer.execute(ACTIVE).fetchall())


def test_a_file_that_breaks_off_does_not_look_complete(collector: Server) -> None:
    reader, observer = connection_to(collector)
    with closing(observer), closing(reader):
        until(lambda: [event for _, event in observer.execute(ACTIVE)] == ["ClientWrite"])
        ((pid, _),) = observer.execute(ACTIVE).fetchall()
        observer.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises(ConnectionResetError):
            read_all(reader)
    until(lambda: "an export breaks off" in collector.output)
    assert "Traceback" not in collector.output


def test_a_file_that_is_read_to_the_end_is_complete(collector: Server) -> None:
    reader, observer = connection_to(collector)
    with closing(observer), closing(reader):
        received = read_all(reader)
    assert received.count(b"measured\n") == 150_000
