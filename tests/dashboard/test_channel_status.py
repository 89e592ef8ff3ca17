"""How a channel is now."""

from dataclasses import replace
from datetime import timedelta

import pytest

from powerlog.dashboard.channel_status import state
from tests.support.pumps import NOON, PUMP, at, run


def test_in_contact_with_an_open_run_it_is_running() -> None:
    now = state(PUMP, run(660, None), NOON + timedelta(seconds=12))
    assert (now.kind, now.title, now.since_text) == ("running", "Running", "since 11:00")
    assert now.ago == "12 s ago"


def test_after_a_run_it_is_stopped_since_its_end() -> None:
    now = state(PUMP, run(600, 660), NOON)
    assert (now.kind, now.since_text, now.detail) == ("stopped", "since 11:00", "")


def test_a_contact_older_than_three_minutes_is_none_whatever_was_told() -> None:
    assert state(PUMP, run(660, None), NOON + timedelta(minutes=3)).kind == "running"
    now = state(PUMP, run(660, None), NOON + timedelta(minutes=3, seconds=1))
    assert (now.kind, now.since_text) == ("silent", "since 12:00")
    assert now.detail == "It was running then."
    assert state(PUMP, run(600, 660), NOON + timedelta(hours=1)).detail == ""


def test_a_device_that_has_left_is_not_in_contact() -> None:
    assert state(replace(PUMP, connected=False), run(600, 660), NOON).kind == "silent"


def test_a_run_that_ended_with_the_contact_does_not_say_since_when_it_is_stopped() -> None:
    now = state(PUMP, run(600, 660, end="lost contact"), NOON)
    assert (now.kind, now.since_text) == ("stopped", "")
    assert "Last seen running at 11:00" in now.detail


def test_before_its_first_run_it_is_new() -> None:
    now = state(PUMP, None, NOON)
    assert (now.title, now.since_text, now.heard_ts) == (
        "Has not run yet",
        "",
        int(NOON.timestamp()),
    )


def test_of_whom_nobody_ever_heard_that_is_said() -> None:
    now = state(replace(PUMP, heard_at=None), run(600, 660), at(700))
    assert (now.kind, now.ago, now.since_text, now.heard_ts) == ("silent", "never heard", "", 0)


def test_a_channel_of_which_no_power_was_ever_reported_has_no_meter_and_no_trouble() -> None:
    relay = replace(PUMP, reports_power=False)
    now = state(relay, None, NOON)
    assert (now.kind, now.title, now.since_text, now.detail) == ("unmetered", "No meter", "", "")
    later = state(relay, None, NOON + timedelta(hours=3))
    assert (later.kind, later.ago) == ("unmetered", "3 h ago")
    assert state(relay, run(600, 660), NOON).kind == "stopped"


@pytest.mark.parametrize(
    ("channel", "hint"),
    [
        ("em1:0", "the clamp may sit the wrong way round"),
        ("pm1:0", "connected the wrong way round"),
    ],
)
def test_a_power_that_is_always_negative_is_a_hint(channel: str, hint: str) -> None:
    grid = replace(PUMP, channel=channel, negative_w=-1250.4, negative_at=at(703))
    now = state(grid, None, NOON)
    assert (now.kind, now.title) == ("new", "Has not run yet")
    detail = now.detail.replace("\u00a0", " ")
    assert detail.startswith("Power is always negative (\u22121,250 W at 11:43): ")
    assert hint in detail
    assert "what is fed in" in detail


def test_a_channel_that_has_run_has_drawn_power_whatever_it_feeds_in_now() -> None:
    panel = replace(PUMP, channel="em1:0", negative_w=-1250.4, negative_at=at(703))
    for last in (run(600, 660), run(600, None), run(600, 660, end="lost contact")):
        assert "negative" not in state(panel, last, NOON).detail
