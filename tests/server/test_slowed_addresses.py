"""How long addresses are read more slowly than they send."""

from types import SimpleNamespace

import pytest

from powerlog.server import slowed_addresses as module
from powerlog.server.slowed_addresses import Slowed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_sockets_of_one_address_are_one_for_as_long_as_any_of_them_waits(
    clock: SimpleNamespace,
) -> None:
    slowed = Slowed()
    clock.now += 50
    assert (len(slowed), slowed.seconds) == (0, 0)
    slowed.begins("one")
    clock.now += 2
    slowed.begins("one")
    clock.now += 3
    slowed.ends("one")
    assert (len(slowed), slowed.seconds) == (1, 5)
    clock.now += 1
    slowed.ends("one")
    clock.now += 50
    assert (len(slowed), slowed.seconds) == (0, 6)


def test_each_address_has_its_own_seconds(clock: SimpleNamespace) -> None:
    slowed = Slowed()
    slowed.begins("one")
    clock.now += 1
    slowed.begins("other")
    clock.now += 10
    assert (len(slowed), slowed.seconds) == (2, 21)
    slowed.ends("one")
    clock.now += 100
    assert (len(slowed), slowed.seconds) == (1, 121)


def test_who_is_gone_is_not_remembered() -> None:
    slowed = Slowed()
    slowed.begins("one")
    slowed.ends("one")
    assert not slowed._sockets
