"""Joining two devices while the collector goes on, broken off, and once more."""

import threading
from datetime import date

import pytest
from django.db import connections

from powerlog.core.sampler import Due
from powerlog.database.store import store
from powerlog.joining import history
from powerlog.joining.plan import Refused
from powerlog.joining.steps import join
from powerlog.models import Device
from tests.database.test_day_totals import HOUR
from tests.support.two_devices import (
    DAY,
    NEW,
    NOTHING,
    OLD,
    ONE,
    days,
    device,
    everything,
    joined,
    live,
    minute,
    minutes,
    moment,
    planned,
    run,
    totals_by_rows_and_runs,
    two,
)
from tests.support.two_devices import berlin_at_noon as berlin_at_noon
from tests.support.two_devices import user as user

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "writer"]),
    pytest.mark.usefixtures("berlin_at_noon"),
]


def broken_off(user: int, after: int) -> bool:
    """Join them, and go away after so many transactions. Whether all was over by then."""
    for number, moved in enumerate(join(planned(), user, lambda seconds: None), 1):
        if moved.over or number == after:
            return moved.over
    raise AssertionError


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_it_may_be_broken_off_anywhere_and_be_repeated(
    user: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AT_ONCE", 2)
    device(OLD, 0, 3 * HOUR), device(NEW, 4 * HOUR, 10 * HOUR)
    due: list[Due] = []
    for at in range(0, 6 * 1800, 1800):
        due += [*minutes(ONE, at, 4), run(ONE, at, at + 200, counter_wh=200.0 + at)]
    live(due, moment(5400).timestamp())
    times = 0
    while not broken_off(user, steps):
        times += 1
        for device_id in (OLD, NEW):
            assert days(device_id) == totals_by_rows_and_runs(device_id), times
    assert times > 1
    assert everything(NEW) | {"silences": []} == everything(ONE)


def test_what_comes_to_the_old_device_meanwhile_goes_over_as_well(
    user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AT_ONCE", 2)
    two()
    store(minutes(OLD, 0, 5))
    late = iter([[minute(OLD, 30 * 60), run(OLD, 30 * 60, None)], [minute(OLD, 0, channel="a")]])
    moved = [*join(planned(), user, lambda seconds: store(next(late, [])) and None)][-1]
    assert (moved.minutes, moved.runs) == (7, 1)
    assert everything(OLD) == NOTHING
    assert totals_by_rows_and_runs(NEW) == days(NEW)


def test_what_waited_in_a_spool_is_joined_afterwards(user: int) -> None:
    two()
    rows, whole = minutes(OLD, 0, 20), run(OLD, 0, 1200, counter_wh=150.0)
    store([*rows[:15], run(OLD, 0, None)])
    joined(user)
    store([*rows, whole])  # some of it for the second time
    assert not Device.objects.filter(device_id=OLD).exists()
    moved = joined(user)
    assert (moved.minutes, moved.left_out) == (5, 15)
    assert days(NEW) == [("switch:2", date(2025, 6, 16), 20, 0, 1, 1200.0, 100.0, 430.0)]
    assert everything(OLD) == NOTHING


def test_a_device_that_comes_back_meanwhile_stops_it(
    user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AT_ONCE", 2)
    old, _ = two()
    store(minutes(OLD, 0, 6))
    steps = join(planned(), user, lambda seconds: None)
    assert next(steps).minutes == 2
    Device.objects.filter(pk=old.pk).update(connected=True, last_seen_at=moment(10.5 * DAY))
    with pytest.raises(Refused, match="connected now"):
        list(steps)
    assert [days(each)[0][2] for each in (OLD, NEW)] == [4, 2]


def test_the_writer_goes_on_meanwhile(user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "AT_ONCE", 5)
    two()
    at = 2 * DAY
    store(
        [
            *minutes(OLD, at, 60),
            *(run(OLD, at + 300 * each, at + 300 * each + 99) for each in range(12)),
        ]
    )
    store([minute(NEW, at + 3600)])

    def write() -> None:
        for each in range(60):
            start = at + 3600 + 60 * each
            # Now and then a minute that the old device had as well.
            store([minute(NEW, start), *minutes(NEW, at + 6 * each, each % 7 == 0)])
            store([run(NEW, start, start + 9)])
        connections["writer"].close()

    writing = threading.Thread(target=write)
    steps = join(planned(), user, lambda seconds: None)
    writing.start()
    moved = [*steps][-1]
    writing.join()
    assert moved.over
    assert moved.minutes + moved.left_out == 60
    assert everything(OLD) == NOTHING
    assert totals_by_rows_and_runs(NEW) == days(NEW)
    assert len(everything(NEW)["runs"]) == 72
