"""What it comes to if two devices are joined, and why they may not be: sentences for people."""

from datetime import date
from typing import Any

import pytest

from powerlog.database.store import store
from powerlog.joining.plan import SHARED_AT_MOST, Refused, plan
from powerlog.models import Channel, Device, Silence
from powerlog.models import Run as RunRow
from tests.database.test_day_totals import HOUR
from tests.support.two_devices import (
    DAY,
    NEW,
    NOON,
    OLD,
    device,
    everything,
    minute,
    minutes,
    moment,
    planned,
    run,
    span,
    two,
)
from tests.support.two_devices import berlin_at_noon as berlin_at_noon

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "writer"]),
    pytest.mark.usefixtures("berlin_at_noon"),
]
States = Device.Admission


def refusal(old_id: str = OLD, new_id: str = NEW) -> str:
    with pytest.raises(Refused) as refused:
        plan(old_id, new_id)
    return str(refused.value)


def test_the_plan_says_how_much_it_is_and_of_which_days() -> None:
    two()
    store([*minutes(OLD, 0, 3), *minutes(OLD, DAY, 2), run(OLD, DAY, DAY + 120)])
    store([minute(OLD, HOUR, channel="switch:0")])
    Channel.objects.create(device_id=NEW, channel="switch:2")
    Silence.objects.create(device_id=OLD, since=moment(3 * HOUR), until=moment(4 * HOUR))
    found = planned()
    assert (found.minutes, found.runs, found.days, found.silences) == (6, 1, 3, 1)
    assert (found.first, found.last) == (date(2025, 6, 16), date(2025, 6, 17))
    known = [(part.channel, part.minutes, part.runs, part.known) for part in found.parts]
    assert known == [("switch:0", 1, 0, False), ("switch:2", 5, 1, True)]
    assert found.heard == (span(0, 2 * DAY), span(2 * DAY + HOUR, 10.5 * DAY))


def test_a_plan_changes_nothing() -> None:
    two()
    store([*minutes(OLD, 0, 3), run(OLD, 0, None)])
    before = [everything(OLD), list(Device.objects.order_by("pk").values())]
    planned()
    assert [everything(OLD), list(Device.objects.order_by("pk").values())] == before


# Refusals


def test_a_device_is_not_joined_with_itself() -> None:
    two()
    assert refusal(NEW, NEW) == "The old and the new device are the same one."


def test_the_new_device_has_to_be_known() -> None:
    device(OLD, 0, DAY)
    assert refusal() == f"There is no device {NEW}."


def test_an_old_device_of_which_there_is_nothing_is_none() -> None:
    device(NEW, 0, DAY)
    assert refusal() == f"There is no device {OLD}, and no history of one."


@pytest.mark.parametrize("state", [States.BLOCKED, States.WAITING])
def test_a_device_that_may_not_speak_takes_nothing_over(state: str) -> None:
    two()
    Device.objects.filter(device_id=NEW).update(admission=state)
    assert f"{NEW} is not accepted" in refusal()


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"connected": True}, True),
        ({"admission": States.WAITING}, True),
        ({}, False),
        ({"connected": True, "last_seen_at": moment(10 * DAY)}, False),
    ],
)
def test_a_device_that_is_here_keeps_its_history(changes: dict[str, Any], refused: bool) -> None:
    two()
    Device.objects.filter(device_id=OLD).update(**({"last_seen_at": NOON} | changes))
    if refused:
        assert f"{OLD} is connected now" in refusal()
    else:
        planned()


def test_a_few_minutes_may_be_there_twice_and_no_more() -> None:
    two()
    store([*minutes(OLD, 0, 30), *minutes(NEW, 0, SHARED_AT_MOST, apower_w=100.0)])
    planned()
    store([minute(NEW, SHARED_AT_MOST * 60, apower_w=100.0)])
    (sentence,) = plan(OLD, NEW).objections
    assert sentence.startswith("Both devices have rows for the same minutes of switch:2, more than")


def test_minutes_of_another_channel_are_not_the_same() -> None:
    two()
    store([*minutes(OLD, 0, 30), *minutes(NEW, 0, 30, channel="switch:1")])
    assert planned().shared == 0


def test_runs_at_the_same_time_are_two_devices_also_without_their_rows() -> None:
    two()
    store([run(OLD, 0, 3600), run(OLD, 7200, 9000), run(NEW, 1800, 8400)])
    (sentence,) = plan(OLD, NEW).objections
    assert sentence.startswith("Both devices ran at the same time on switch:2, for 50 minutes.")
    RunRow.objects.filter(device_id=NEW).update(started_at=moment(3000), ended_at=moment(3600))
    planned()


def test_two_open_runs_are_refused_where_they_overlap() -> None:
    two()
    store([run(OLD, 0, None, heard_at=moment(DAY).timestamp()), run(NEW, HOUR, None)])
    (sentence,) = plan(OLD, NEW).objections
    assert "for 1380 minutes" in sentence
    RunRow.objects.filter(device_id=NEW).update(started_at=moment(DAY))
    planned()
