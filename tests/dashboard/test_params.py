"""What a page is asked to show."""

from datetime import date
from typing import Any

import pytest
from django.http import Http404, QueryDict

from powerlog.dashboard.params import asked_day, choice, device, window
from tests.support.pumps import TODAY, run, span, total
from tests.support.pumps import device as registered
from tests.test_models import row


def query(**values: str) -> QueryDict:
    made = QueryDict(mutable=True)
    made.update(values)
    return made


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026-05-01", date(2026, 5, 1)), ("", None), ("yesterday", None), ("2026-02-30", None)],
)
def test_a_day_is_one_of_the_calendar(text: str, day: date | None) -> None:
    assert asked_day(query(day=text))[0] == day
    assert asked_day(query(day=text))[1].is_valid() == (day is not None or not text)


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "2019-12-31", "1.5.2026", "\0"])
def test_a_day_of_no_shelly_is_refused(text: str) -> None:
    assert asked_day(query(day=text))[1].errors


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ({}, TODAY),
        ({"from": "390", "to": "435"}, span(390, 435)),
        ({"from": "-5", "to": "435"}, TODAY),
        ({"from": "1400", "to": "1500"}, span(1400, 1440)),
        ({"from": "435", "to": "390"}, TODAY),
        ({"from": "390", "to": "391"}, TODAY),
        ({"from": "390"}, TODAY),
        ({"from": "²", "to": "99999"}, TODAY),
    ],
)
def test_a_close_look_is_a_part_of_the_day(asked: dict[str, str], part: Any) -> None:
    assert window(query(**asked), TODAY, None) == part


def test_a_run_is_looked_at_with_a_little_around_it() -> None:
    assert window(query(), TODAY, run(400, 480)) == span(380, 501)
    assert window(query(), TODAY, run(400, 402)) == span(395, 408)
    assert window(query(), TODAY, run(-30, 10)) == span(0, 21)


@pytest.mark.django_db
def test_a_channel_is_found_by_its_device_and_key() -> None:
    registered()
    assert choice(query(meter="pump/switch:2")).meter.name == "Well"
    row(device_id="<b>/&?#").save()
    assert choice(query(meter="<b>/&?#/switch:2")).meter.device_id == "<b>/&?#"


@pytest.mark.django_db
@pytest.mark.parametrize("meter", ["nobody/switch:2", "pump", "/", "", "\0/\0", "pump/switch:9"])
def test_a_channel_that_nobody_knows_is_not_found(meter: str) -> None:
    registered()
    with pytest.raises(Http404):
        choice(query(meter=meter))


@pytest.mark.django_db
def test_a_run_brings_its_channel_and_its_day(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    late = run(18 * 60 + 40, 18 * 60 + 50)
    late.save()
    found = choice(query(run=str(late.pk)))
    assert (found.meter.device_id, found.day, found.run) == ("pump", date(2026, 5, 2), late)
    assert choice(query(run=str(late.pk), day="2026-05-03")).day == date(2026, 5, 3)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["0", "-1", "x", "9" * 19, "9" * 30, "²", "1.0"])
def test_a_run_that_is_not_there_is_not_found(text: str) -> None:
    with pytest.raises(Http404):
        choice(query(run=text))


@pytest.mark.django_db
def test_a_device_is_its_channels() -> None:
    registered(channel="switch:1")
    registered()
    total(device_id="old").save()
    assert [each.channel for each in device(query(device="pump"))] == ["switch:1", "switch:2"]
    assert [each.channel for each in device(query(device="old"))] == ["switch:2"]
    for nobody in ("nobody", "", "\0"):
        with pytest.raises(Http404):
            device(query(device=nobody))
