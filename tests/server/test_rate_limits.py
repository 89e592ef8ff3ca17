"""What a device and an address may send in all, however often they come again."""

from types import SimpleNamespace
from typing import Any

import pytest

from powerlog.server import rate_limits as module
from powerlog.server.rate_limits import (
    FORGET_S,
    OWN_BYTES,
    OWN_BYTES_PER_S,
    Account,
    Budget,
    Place,
    Places,
    bytes_per_s,
)
from powerlog.server.token_bucket import Remembered

HERE, ELSEWHERE = "198.51.100.7", "203.0.113.7"
KB = 1024


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """And nothing that any other test has left."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(module, "accounts", Remembered(Account, FORGET_S, 1000))
    monkeypatch.setattr(module, "places", Places(Place, FORGET_S, 1000))
    return clock


def dialled(device_id: str, address: str = HERE) -> Budget:
    budget = Budget()
    budget.comes_from(address)
    budget.speaks_for(device_id)
    return budget


def frames(budget: Budget, wanted: int = 10_000) -> int:
    drawn = 0
    while drawn < wanted and (more := budget.draw_frames()):
        drawn += more
    return drawn


def waits_s(budget: Budget, size: int) -> float:
    return budget.draw_bytes(size)[1]


def test_a_device_that_dials_again_has_no_new_burst(clock: SimpleNamespace) -> None:
    first = dialled("again")
    assert frames(first, 1900) == 1900
    first.close(0)
    assert frames(dialled("again")) == 100
    clock.now += 1
    assert frames(dialled("again")) == 200
    assert frames(dialled("another")) == 2000


def test_two_sockets_of_a_device_share_what_it_has() -> None:
    first, second = dialled("twice"), dialled("twice")
    assert frames(first) + frames(second) == 2000


def test_what_was_drawn_before_it_had_a_name_is_its_own(clock: SimpleNamespace) -> None:
    nameless = Budget()
    assert frames(nameless, 1900) == 1900
    nameless.speaks_for("late")
    assert frames(nameless) == 100
    for _ in range(5):
        again = Budget()
        assert frames(again, 1900) == 1900
        again.speaks_for("late")  # each time too late
    clock.now += 9
    assert frames(dialled("late")) == 0
    clock.now += 2
    assert frames(dialled("late")) > 0


def test_what_a_socket_did_not_use_its_next_one_has() -> None:
    for _ in range(30):
        budget = dialled("restless")
        drawn = budget.draw_frames()
        assert drawn == 100
        budget.close(drawn - 1)


def test_a_message_that_is_handled_when_its_socket_is_gone_keeps_no_budget() -> None:
    gone = Budget()
    gone.close(0)
    gone.speaks_for("gone")
    assert module.accounts._users["gone"] == 0


def test_a_device_has_its_bytes_and_waits_for_more() -> None:
    budget = dialled("long")
    half_its_burst = int(bytes_per_s() * 5)
    budget.place = None
    assert waits_s(budget, half_its_burst) == 0
    assert 0 < waits_s(budget, half_its_burst) < 1
    assert 4 < waits_s(budget, half_its_burst) < 7


def test_an_address_has_the_bytes_of_ten_devices_whatever_they_call_themselves() -> None:
    waited = [waits_s(dialled(f"invented-{number}"), 200 * KB) for number in range(110)]
    assert waited[:2] == [0, 0]
    assert waited == sorted(waited)
    assert waited[-1] == pytest.approx(10.9, abs=0.5)  # 22.9 MB at 2 MB a second
    assert waits_s(dialled("far-away", ELSEWHERE), 200 * KB) == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.1.7", "fd00::7", "2001:db8::7", ""])
def test_every_address_has_such_a_limit(address: str) -> None:
    assert waits_s(dialled("a", address), 2000 * KB) > 0
    assert waits_s(dialled("b", address), 200 * KB) > 0


def test_a_customer_of_ipv6_is_one_address() -> None:
    assert waits_s(dialled("a", "2001:db8::7"), 2000 * KB) > 0
    assert waits_s(dialled("b", "2001:db8::ffff"), 200 * KB) > 0
    assert waits_s(dialled("c", "2001:db8:0:1::7"), 200 * KB) == 0


def test_what_a_device_usually_says_waits_for_no_neighbour(clock: SimpleNamespace) -> None:
    good = [dialled(f"good-{number}") for number in range(500)]
    left = [0] * len(good)

    def speak(size: int) -> None:
        """As sockets do: a part is drawn when the last one is used up."""
        for number, device in enumerate(good):
            left[number] -= size
            if left[number] < 0:
                drawn, wait_s = device.draw_bytes(-left[number])
                left[number] += drawn
                assert wait_s == 0

    waits_s(dialled("flood"), 9000 * KB)
    speak(12 * KB)  # a status
    for _ in range(10):  # minutes of 26 long messages, of which four come at once
        waits_s(dialled("flood"), 9000 * KB)
        for passed_s in (0, 0, 0, 0, *[60 / 22] * 22):
            clock.now += passed_s
            speak(900)


def test_that_much_is_little(clock: SimpleNamespace) -> None:
    taken, quiet = 0, dialled("quiet")
    dialled("flood").draw_bytes(9000 * KB)
    for _ in range(600):
        clock.now += 1
        while waits_s(quiet, 1000) == 0:
            taken += 1000
        clock.now += 20  # what it has reserved is paid
        dialled("flood").draw_bytes(90_000 * KB)
    assert taken <= OWN_BYTES + 600 * 21 * OWN_BYTES_PER_S


def test_a_site_of_a_hundred_devices_is_in_again_within_seconds() -> None:
    """Each with a status, its answers, and all of it longer than usual."""
    latest = max(waits_s(dialled(f"site-{number}"), 50 * KB) for number in range(100))
    assert latest < 3
    assert all(module.places.arrive(HERE) for _ in range(400))


def test_an_hour_in_one_go_is_read_within_a_second() -> None:
    device = dialled("hour")
    assert frames(device, 1560) >= 1560
    assert waits_s(device, 1560 * 896) < 1


@pytest.mark.parametrize(
    ("address", "most", "in_a_second"), [(HERE, 2000, 20), ("192.168.1.7", 20_000, 100)]
)
def test_an_address_may_come_so_often(
    clock: SimpleNamespace, address: str, most: int, in_a_second: int
) -> None:
    def arrivals() -> int:
        count = 0
        while module.places.arrive(address):
            count += 1
        return count

    assert arrivals() == most
    clock.now += 1
    assert arrivals() == in_a_second
    assert module.places.arrive(ELSEWHERE)


def test_few_connections_are_not_few_arrivals(settings: Any) -> None:
    settings.MAX_CONNECTIONS_PER_ADDRESS = 1
    assert all(module.places.arrive(HERE) for _ in range(500))


def test_a_limit_of_few_frames_still_lets_a_status_in(settings: Any) -> None:
    settings.MAX_FRAMES_PER_S = 1
    assert waits_s(dialled("slow"), 60 * KB) == 0


def test_who_is_gone_is_forgotten_when_its_budget_is_full_again(clock: SimpleNamespace) -> None:
    for number in range(100):
        budget = dialled(f"gone-{number}", f"203.0.113.{number}")
        frames(budget)
        waits_s(budget, 2000 * KB)
        budget.close(0)
    here = dialled("here")
    clock.now += FORGET_S
    dialled("new")
    assert set(module.accounts._values) == {"here", "new"}
    assert module.accounts._values["here"] is here.account
    assert set(module.places._values) == {HERE}
