"""Who is at the other end: what is believed of a caller's address, and how they are counted."""

from typing import Any

import pytest
from django.test import RequestFactory

from powerlog.client_address import Tally, asking, caller, is_local, is_public, of_socket

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
        (PROXIED | {"x-forwarded-for": "203.0.113.7:4711"}, "203.0.113.7"),
        (PROXIED | {"x-forwarded-for": "10.0.0.1:80,[2001:db8::1]:4711"}, "2001:db8::1"),
        (PROXIED | {"x-forwarded-for": "[2001:db8::1]"}, "2001:db8::1"),
        (PROXIED | {"x-forwarded-for": "[2001:db8::1]4711"}, ""),
        (PROXIED | {"x-forwarded-for": "8.8.8.8:"}, ""),
        (PROXIED | {"x-forwarded-for": "8.8.8.8:٤"}, ""),
    ],
)
def test_behind_a_proxy_the_address_is_what_the_proxy_wrote_last(
    headers: dict[str, str], address: str, settings: Any
) -> None:
    settings.BEHIND_PROXY = True
    assert caller("127.0.0.1", headers) == address


@pytest.mark.parametrize(
    ("chain", "address"),
    [
        ("8.8.8.8, 172.18.0.2", "8.8.8.8"),
        ("1.1.1.1, 8.8.8.8:4711, 172.18.0.3, 172.18.0.2", "8.8.8.8"),
        ("8.8.8.8, 100.64.0.1, 172.18.0.2", "100.64.0.1"),
        ("8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("192.168.1.7, 172.18.0.2", "172.18.0.2"),
        ("8.8.8.8, me, 172.18.0.2", "172.18.0.2"),
        ("8.8.8.8, ", ""),
    ],
)
def test_of_a_chain_of_our_own_proxies_the_first_counts_that_is_none(
    chain: str, address: str, settings: Any
) -> None:
    settings.BEHIND_PROXY = True
    assert caller("127.0.0.1", {"x-forwarded-for": chain}) == address


def test_without_a_proxy_nobody_says_where_he_is_from() -> None:
    assert caller("8.8.8.8", {"x-forwarded-for": "127.0.0.1"}) == "8.8.8.8"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("192.168.1.7", "192.168.1.7"),
        ("2001:4860:1:2::9", "2001:4860:1:2::"),
        ("fd00:1:2:3:a:b:c:d", "fd00:1:2:3::"),
        ("fe80::a:b:c:d", "fe80::"),
        ("fe80::a:b:c:d%eth0", "fe80::"),
        ("::ffff:192.168.1.7", "192.168.1.7"),
        ("::1", "::1"),
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
    [
        ("9.9.9.9, 192.168.1.7", "192.168.1.7"),
        ("8.8.8.8", "8.8.8.8"),
        ("10.0.0.1, 8.8.8.8:4711", "8.8.8.8"),
        ("me", "127.0.0.1"),
    ],
)
def test_behind_a_proxy_it_counts_against_whom_the_proxy_names(
    told: str, address: str, settings: Any
) -> None:
    settings.BEHIND_PROXY = True
    assert asking(RequestFactory().post("/", HTTP_X_FORWARDED_FOR=told)) == address


HOME = ["127.0.0.1", "10.9.8.7", "172.31.0.1", "192.168.1.7", "169.254.1.1", "::1", "fd00::1"]
HOME += ["fe80::1", "fe80::1%eth0", "::ffff:10.0.0.1", "::ffff:7f00:1"]
ELSEWHERE = [
    "8.8.8.8",
    "172.32.0.1",
    "2001:4860:4860::8888",
    "100.64.0.1",  # behind a carrier's NAT
    "100.127.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
    "224.0.0.1",
    "2001:0:5ef5:79fd::1",  # Teredo
    "2002:c0a8:107::1",  # 6to4 of 192.168.1.7
    "64:ff9b::c0a8:107",  # NAT64 of the same
    "::192.168.1.7",
    "fec0::1",
    "2001:db8::1",
    "203.0.113.7",
    "::ffff:8.8.8.8",
    "::ffff:100.64.0.1",
    "::ffff:f000:1",
]


@pytest.mark.parametrize("peer", HOME)
def test_this_machine_and_its_network_are_local(peer: str) -> None:
    assert is_local(peer, {})
    assert not is_public(peer)


@pytest.mark.parametrize("peer", [*ELSEWHERE, "", "unix"])
def test_who_comes_from_elsewhere_is_not_local(peer: str) -> None:
    assert not is_local(peer, {})


@pytest.mark.parametrize("address", ELSEWHERE)
def test_who_is_not_local_has_a_limit(address: str) -> None:
    tally = Tally()
    assert is_public(address)
    assert [tally.enter(address, 1) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("header", ["x-forwarded-for", "x-forwarded-proto", "forwarded"])
def test_who_comes_through_a_proxy_that_nobody_told_of_is_not_local(header: str) -> None:
    assert not is_local("127.0.0.1", {header: "127.0.0.1"})


@pytest.mark.parametrize(
    ("headers", "local"),
    [
        ({}, True),
        (PROXIED | {"x-forwarded-for": "192.168.1.7"}, True),
        (PROXIED | {"x-forwarded-for": "127.0.0.1, 8.8.8.8"}, False),
        (PROXIED | {"x-forwarded-for": "8.8.8.8, 172.18.0.2"}, False),
        (PROXIED | {"x-forwarded-for": "8.8.8.8:4711, 172.18.0.2"}, False),
        (PROXIED | {"x-forwarded-for": "100.64.0.1, 10.0.0.1, 172.18.0.2"}, False),
        (PROXIED | {"x-forwarded-for": "me, 172.18.0.2"}, False),
        (PROXIED | {"x-forwarded-for": ", 172.18.0.2"}, False),
        (PROXIED | {"x-forwarded-for": "192.168.1.7:80, [fd00::1]:81, 172.18.0.2"}, True),
        (PROXIED, False),
    ],
)
def test_behind_a_proxy_local_is_who_the_proxy_says_is(
    headers: dict[str, str], local: bool, settings: Any
) -> None:
    settings.BEHIND_PROXY = True
    assert is_local("127.0.0.1", headers) == local


def test_a_proxy_that_is_elsewhere_has_no_neighbours_here(settings: Any) -> None:
    settings.BEHIND_PROXY = True
    told = PROXIED | {"x-forwarded-for": "192.168.1.7"}
    assert not is_local("8.8.8.8", told)
    assert is_local("", told)  # on a Unix socket


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
