"""Who is at the other end: what is believed of a caller's address, and how they are counted."""

from typing import Any

import pytest
from django.test import RequestFactory

from powerlog.entry.addresses import Tally, asking, caller, is_local, is_public, of_socket

PROXIED = {"x-forwarded-proto": "https"}


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({}, "127.0.0.1"),  # somebody on the machine itself
        (PROXIED | {"x-forwarded-for": "8.8.8.8"}, "8.8.8.8"),
        (PROXIED | {"x-forwarded-for": "10.0.0.1, 192.168.1.5,8.8.8.8"}, "8.8.8.8"),
        (PROXIED | {"x-forwarded-for": "2001:4860:4860::8888"}, "2001:4860:4860::8888"),
        (PROXIED | {"x-forwarded-for": "me"}, ""),
        (PROXIED | {"x-forwarded-for": "8.8.8.8, "}, ""),
        (PROXIED, ""),
    ],
)
def test_behind_a_proxy_the_address_is_what_the_proxy_wrote_last(
    headers: dict[str, str], address: str, settings: Any
) -> None:
    settings.BEHIND_PROXY = True
    assert caller("127.0.0.1", headers) == address


def test_without_a_proxy_nobody_says_where_he_is_from() -> None:
    assert caller("8.8.8.8", {"x-forwarded-for": "127.0.0.1"}) == "8.8.8.8"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("192.168.1.7", "192.168.1.7"),
        ("2001:4860:1:2::9", "2001:4860:1:2::"),
        ("", None),
    ],
)
def test_a_failed_login_counts_against_the_peer_whatever_it_says(
    peer: str, address: str | None
) -> None:
    request = RequestFactory().post("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="9.9.9.9")
    assert asking(request) == address


@pytest.mark.parametrize(
    ("told", "address"),
    [("9.9.9.9, 192.168.1.7", "192.168.1.7"), ("8.8.8.8", "8.8.8.8"), ("me", "127.0.0.1")],
)
def test_behind_a_proxy_it_counts_against_whom_the_proxy_names(
    told: str, address: str, settings: Any
) -> None:
    settings.BEHIND_PROXY = True
    assert asking(RequestFactory().post("/", HTTP_X_FORWARDED_FOR=told)) == address


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "192.168.1.7", "fe80::1", "::ffff:10.0.0.1"])
def test_this_machine_and_its_network_are_local(peer: str) -> None:
    assert is_local(peer, {})


@pytest.mark.parametrize("peer", ["8.8.8.8", "::ffff:8.8.8.8", "2001:4860:4860::8888", ""])
def test_who_comes_from_elsewhere_is_not_local(peer: str) -> None:
    assert not is_local(peer, {})


@pytest.mark.parametrize("header", ["x-forwarded-for", "x-forwarded-proto", "forwarded"])
def test_who_comes_through_a_proxy_that_nobody_told_of_is_not_local(header: str) -> None:
    assert not is_local("127.0.0.1", {header: "127.0.0.1"})


@pytest.mark.parametrize(
    ("headers", "local"),
    [
        ({}, True),
        (PROXIED | {"x-forwarded-for": "192.168.1.7"}, True),
        (PROXIED | {"x-forwarded-for": "127.0.0.1, 8.8.8.8"}, False),
        (PROXIED, False),
    ],
)
def test_behind_a_proxy_local_is_who_the_proxy_says_is(
    headers: dict[str, str], local: bool, settings: Any
) -> None:
    settings.BEHIND_PROXY = True
    assert is_local("127.0.0.1", headers) == local


def test_the_headers_of_a_socket_are_read_by_name() -> None:
    scope = {"client": ["8.8.8.8", 1], "headers": [(b"x-forwarded-for", b"1.1.1.1,\xe9")]}
    assert of_socket(scope) == ("8.8.8.8", {"x-forwarded-for": "1.1.1.1,é"})
    assert of_socket({"headers": []}) == ("", {})


def test_a_public_address_has_so_many_and_no_more_until_one_leaves() -> None:
    tally = Tally()
    assert [tally.enter("8.8.8.8", 2) for _ in range(3)] == [True, True, False]
    assert tally.enter("9.9.9.9", 2)
    tally.leave("8.8.8.8")
    assert [tally.enter("8.8.8.8", 2) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.1.7", "fd00::1", "", "unix"])
def test_who_is_not_public_is_not_counted(address: str) -> None:
    tally = Tally()
    assert all(tally.enter(address, 1) for _ in range(5))
    assert len(tally) == 0


def test_one_customer_of_ipv6_counts_as_one_address() -> None:
    tally = Tally()
    assert tally.enter("2001:4860:1:2::1", 1)
    assert not tally.enter("2001:4860:1:2:ffff::9", 1)
    assert tally.enter("2001:4860:1:3::1", 1)


def test_no_address_is_remembered_after_its_last_connection() -> None:
    tally = Tally()
    for number in range(1000):
        address = f"8.8.{number // 250}.{number % 250}"
        assert tally.enter(address, 9)
        tally.leave(address)
        tally.leave(address)  # and nothing comes of saying so twice
    assert len(tally) == 0
    assert is_public("8.8.0.0")
