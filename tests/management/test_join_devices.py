"""`manage.py join_devices`: with progress, broken off and run again, and never without a reason."""

import io
import re
from itertools import count
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from powerlog.database.store import store
from powerlog.joining import history, steps
from powerlog.management.commands import join_devices
from powerlog.models import Device
from tests.support.two_devices import (
    DAY,
    NEW,
    NOTHING,
    OLD,
    device,
    everything,
    minute,
    minutes,
    run,
    two,
)
from tests.support.two_devices import berlin_at_noon as berlin_at_noon
from tests.support.two_devices import user as user

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "writer"]),
    pytest.mark.usefixtures("berlin_at_noon"),
]


@pytest.fixture
def pair(user: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """An old device with six minutes and two runs, two to a transaction."""
    monkeypatch.setattr(steps, "PAUSE_S", 0)
    monkeypatch.setattr(history, "AT_ONCE", 2)
    two()
    store([*minutes(OLD, 0, 6), run(OLD, 0, 100), run(OLD, 200, 360)])
    return user


def say(*arguments: str) -> tuple[str, str]:
    """What it prints, and what it says meanwhile."""
    out, err = io.StringIO(), io.StringIO()
    call_command("join_devices", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_it_says_what_it_moves_and_what_it_has_moved(pair: int) -> None:
    store([minute(NEW, 60)])
    out, err = say(OLD, NEW)
    assert out == "5 minutes and 2 runs moved. 1 minute that both had left out.\n"
    assert err == (
        f"Moving 6 minutes, 2 runs, 1 day total, from 2025-06-16 to 2025-06-16 from {OLD} to "
        f"{NEW}.\n"
    )
    assert everything(OLD) == NOTHING
    assert LogEntry.objects.get().user_id == pair


def test_it_shows_how_far_it_is(pair: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_devices.time, "monotonic", count(0, 3).__next__)
    _, err = say(OLD, NEW)
    assert err.splitlines()[1:] == [
        "2 of 2 runs, 0 of 6 minutes so far",
        "2 of 2 runs, 2 of 6 minutes so far",
        "2 of 2 runs, 4 of 6 minutes so far",
        "2 of 2 runs, 6 of 6 minutes so far",
        "2 of 2 runs, 6 of 6 minutes so far",
    ]


def test_interrupted_it_goes_on_from_there(pair: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = steps.join

    def interrupted(*arguments: Any) -> Any:
        for moved in whole(*arguments):
            yield moved
            if moved.minutes == 4:
                raise KeyboardInterrupt

    monkeypatch.setattr(join_devices, "join", interrupted)
    with pytest.raises(CommandError) as exc:
        say(OLD, NEW)
    assert str(exc.value) == (
        "Interrupted, 4 minutes and 2 runs moved. The same command goes on from there."
    )
    assert exc.value.returncode == 130
    assert len(everything(OLD)["rows"]) == 2
    monkeypatch.setattr(join_devices, "join", whole)
    assert say(OLD, NEW)[0] == "2 minutes and 0 runs moved.\n"
    assert everything(OLD) == NOTHING
    assert len(everything(NEW)["rows"]) == 6
    with pytest.raises(CommandError, match="and no history of one"):
        say(OLD, NEW)


def test_a_dry_run_moves_nothing(pair: int) -> None:
    before = everything(OLD)
    out, err = say(OLD, NEW, "--dry-run")
    assert re.match("6 minutes, 2 runs, 1 day total, .* would move", out)
    assert (err, everything(OLD)) == ("", before)


def test_a_refusal_is_its_sentence(pair: int) -> None:
    with pytest.raises(CommandError, match="There is no device nobody"):
        say(OLD, "nobody")
    store([*minutes(OLD, 0, 20), *minutes(NEW, 0, 20, apower_w=99.0)])
    with pytest.raises(CommandError, match="Both devices have rows for the same minutes"):
        say(OLD, NEW)
    assert len(everything(OLD)["rows"]) == 20


def test_it_stands_in_the_history_in_the_name_that_is_given(pair: int) -> None:
    User.objects.create_superuser("second")
    with pytest.raises(CommandError, match="--by USER"):
        say(OLD, NEW)
    with pytest.raises(CommandError, match="There is no active user 'third'"):
        say(OLD, NEW, "--by", "third")
    assert len(everything(OLD)["rows"]) == 6
    say(OLD, NEW, "--by=second")
    assert LogEntry.objects.get().user.get_username() == "second"


def test_an_id_that_looks_like_an_option_is_none(user: int) -> None:
    device("--by", 0, DAY), device(NEW, DAY, 2 * DAY)
    say("--by=boss", "--", "--by", NEW)
    assert Device.objects.get().device_id == NEW
