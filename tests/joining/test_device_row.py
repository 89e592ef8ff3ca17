"""Joining two devices: their lines, the settings of staff, silences, tokens and blocks."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from powerlog.database.store import store
from powerlog.devices.access import read
from powerlog.joining import history
from powerlog.joining.device_row import common_silences
from powerlog.joining.steps import join
from powerlog.models import Channel, Device, Silence
from tests.database.test_day_totals import HOUR
from tests.support.two_devices import (
    DAY,
    NEW,
    OLD,
    Span,
    device,
    everything,
    joined,
    minute,
    minutes,
    moment,
    planned,
    run,
    span,
    two,
)
from tests.support.two_devices import berlin_at_noon as berlin_at_noon
from tests.support.two_devices import user as user

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "writer"]),
    pytest.mark.usefixtures("berlin_at_noon"),
]
States = Device.Admission


def channel(device_id: str, key: str = "switch:2", **values: Any) -> Channel:
    return Channel.objects.create(device_id=device_id, channel=key, **values)


def silence(device_id: str, since_s: float, until_s: float) -> None:
    Silence.objects.create(device_id=device_id, since=moment(since_s), until=moment(until_s))


# Lines


def test_the_old_line_goes_and_the_new_one_is_as_old_as_both(user: int) -> None:
    two(name="Garden shed", model="old model", address="10.0.0.1")
    Device.objects.filter(device_id=NEW).update(model="new model", reported_name="shelly")
    joined(user)
    new = Device.objects.get()
    assert (new.device_id, new.name, new.model) == (NEW, "Garden shed", "new model")
    assert (new.first_seen_at, new.last_seen_at) == (moment(0), moment(10.5 * DAY))
    assert (new.reported_name, new.address, new.connected) == ("shelly", "", True)


def test_the_name_of_the_new_device_stays(user: int) -> None:
    two(name="Garden shed")
    Device.objects.filter(device_id=NEW).update(name="Stable")
    joined(user)
    assert Device.objects.get().name == "Stable"


def test_settings_of_a_channel_go_over_where_the_new_one_has_none(user: int) -> None:
    two()
    channel(OLD, name="Well", power_threshold_w=9.0, flow_m3h=3.2, price_kwh=Decimal("0.31"))
    channel(NEW, power_threshold_w=7.5, nominal_power_w=430.0, reported_name="O2")
    Channel.objects.filter(device_id=OLD).update(logged=False, reported_name="O1")
    (part,) = planned().parts
    assert part.own == {"name": "Well", "flow_m3h": 3.2, "price_kwh": Decimal("0.31")}
    joined(user)
    new = Channel.objects.get()
    assert (new.device_id, new.name, new.flow_m3h) == (NEW, "Well", 3.2)
    assert (new.power_threshold_w, new.nominal_power_w) == (7.5, 430.0)
    assert (new.price_kwh, new.logged, new.reported_name) == (Decimal("0.31"), True, "O2")


def test_a_threshold_of_0_is_a_setting(user: int) -> None:
    two()
    channel(OLD, power_threshold_w=0.0)
    channel(NEW)
    joined(user)
    assert Channel.objects.get().power_threshold_w == 0.0


def test_a_channel_that_the_new_device_lacks_goes_over_as_it_is(user: int) -> None:
    two()
    channel(OLD, "pm1:0", name="Well", logged=False, reported_name="PM")
    channel(NEW)
    joined(user)
    known = Channel.objects.order_by("channel").values_list("device_id", "channel", "logged")
    assert list(known) == [(NEW, "pm1:0", False), (NEW, "switch:2", True)]


def test_it_stands_in_the_history_of_the_new_device(user: int) -> None:
    _, new = two()
    store([*minutes(OLD, 0, 3), run(OLD, 0, 180), minute(NEW, 60)])
    joined(user)
    entry = LogEntry.objects.get()
    assert (entry.user_id, entry.get_edited_object()) == (user, new)
    assert entry.get_change_message() == (
        f"Took over the history of {OLD}: minutes 3, runs 1, day totals 1, from 2025-06-16 to "
        "2025-06-16. Minutes that both had: 1 left out."
    )


def test_one_that_is_broken_off_stands_there_as_begun(user: int) -> None:
    two()
    store(minutes(OLD, 0, 3))
    next(join(planned(), user, lambda seconds: None))
    assert LogEntry.objects.get().get_change_message().startswith("Began to take over the history")


# Silences


def test_silences_go_over_and_the_time_between_the_two_is_one(user: int) -> None:
    two()
    silence(OLD, HOUR, 2 * HOUR)
    silence(NEW, 3 * DAY, 4 * DAY)
    joined(user)
    assert everything(NEW)["silences"] == [
        (moment(HOUR), moment(2 * HOUR)),
        (moment(2 * DAY), moment(2 * DAY + HOUR)),
        (moment(3 * DAY), moment(4 * DAY)),
    ]


def test_the_time_between_the_two_begins_and_ends_with_their_rows(
    user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AT_ONCE", 1)
    two()
    # Of a process that was killed, and of a line that staff had forgotten.
    store([*minutes(OLD, 2 * DAY, 11), minute(NEW, 2 * DAY + 1800)])
    for _ in range(3):  # broken off and repeated
        next(join(planned(), user, lambda seconds: None))
    joined(user)
    between = (moment(2 * DAY + 600), moment(2 * DAY + 1800))
    assert everything(NEW)["silences"] == [between]


def test_a_device_that_is_here_within_two_minutes_was_never_silent(user: int) -> None:
    device(OLD, 0, DAY), device(NEW, DAY + 119, 10 * DAY)
    joined(user)
    assert everything(NEW)["silences"] == []


@pytest.mark.parametrize(
    ("old", "theirs", "new", "ours", "common"),
    [
        ((0, 10), [], (20, 30), [], [(10, 20)]),
        ((20, 30), [], (0, 10), [], [(10, 20)]),
        ((0, 10), [(2, 4)], (20, 30), [(21, 22)], [(2, 4), (10, 20), (21, 22)]),
        ((0, 30), [(5, 25)], (10, 20), [], [(5, 10), (20, 25)]),  # the new id was a visit
        ((0, 30), [(5, 25)], (10, 40), [(11, 12)], [(5, 10), (11, 12)]),
        ((0, 30), [(5, 10)], (10, 40), [], [(5, 10)]),
        ((10, 20), [(2, 4)], (30, 40), [(1, 3)], [(1, 3), (2, 4), (20, 30)]),  # of other lines
    ],
)
def test_silent_is_when_neither_was_heard(
    old: tuple[int, int],
    theirs: list[tuple[int, int]],
    new: tuple[int, int],
    ours: list[tuple[int, int]],
    common: list[tuple[int, int]],
) -> None:
    def hours(spans: list[tuple[int, int]]) -> list[Span]:
        return [span(start * HOUR, end * HOUR) for start, end in spans]

    (before,), (after,) = hours([old]), hours([new])
    assert common_silences(before, hours(theirs), after, hours(ours)) == {*hours(common)}


# Doors


def test_a_blocked_device_stays_blocked(user: int) -> None:
    two(admission=States.BLOCKED, token_hash="a" * 64)
    store(minutes(OLD, 0, 3))
    channel(OLD)
    joined(user)
    old = Device.objects.get(device_id=OLD)
    assert (old.admission, old.token_hash) == (States.BLOCKED, "a" * 64)
    assert read().blocked == {OLD}
    assert not old.channels.exists()
    assert len(everything(NEW)["rows"]) == 3


def test_the_new_device_keeps_its_token_and_the_old_one_loses_its_own(user: int) -> None:
    two(token_hash="a" * 64)
    Device.objects.filter(device_id=NEW).update(token_hash="b" * 64)
    joined(user)
    assert list(Device.objects.values_list("device_id", "token_hash")) == [(NEW, "b" * 64)]
