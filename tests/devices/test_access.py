"""Who may speak: tokens, decisions of staff, and what is kept of them."""

import stat
from pathlib import Path
from typing import Any

import pytest

from powerlog.devices.access import (
    BLOCKED,
    NOT_ITS_TOKEN,
    OTHERS_TOKEN,
    WAITS,
    WITHDRAWN,
    Admission,
    Policy,
    digest,
    keep,
    kept,
    new_token,
    read,
)
from powerlog.models import Device
from tests.support.frames import PUMP

SHARED = "the-token-of-all-devices"
TOKEN, OTHERS, GUESS = "its-own-token", "anothers-token", "a-guess"
OTHER = "shellyplus1pm-0a1b2c3d4e60"


def admission(**known: Any) -> Admission:
    made = Admission()
    made.replace(Policy(**known))
    return made


@pytest.fixture
def bound() -> Admission:
    """Two devices have tokens of their own."""
    return admission(holders={digest(TOKEN): PUMP, digest(OTHERS): OTHER})


def test_without_any_token_none_is_asked_for_and_none_is_wrong() -> None:
    assert admission().opens("")
    assert admission().opens(digest("typed-in-long-ago"))


@pytest.mark.parametrize("token", ["", GUESS, SHARED[:-1], SHARED + "x", SHARED.upper()])
def test_with_a_shared_token_nobody_gets_in_without_it(token: str, settings: Any) -> None:
    settings.WS_TOKEN = SHARED
    assert not admission().opens(digest(token))
    assert admission().opens(digest(SHARED))


def test_a_token_of_its_own_is_enough_beside_a_shared_one(settings: Any, bound: Admission) -> None:
    settings.WS_TOKEN = SHARED
    assert bound.opens(digest(TOKEN))
    assert bound.opens(digest(SHARED))
    assert not bound.opens(digest(GUESS))
    assert not bound.opens("")


def test_where_devices_have_tokens_a_wrong_one_is_refused_and_none_is_not(bound: Admission) -> None:
    assert not bound.opens(digest(GUESS))
    assert bound.opens("")


@pytest.mark.parametrize(
    ("device_id", "token", "why"),
    [
        (PUMP, TOKEN, ""),
        (PUMP, "", NOT_ITS_TOKEN),
        (PUMP, SHARED, NOT_ITS_TOKEN),
        (PUMP, OTHERS, OTHERS_TOKEN),
        (OTHER, TOKEN, OTHERS_TOKEN),
        ("shelly-without-token", TOKEN, OTHERS_TOKEN),
        ("shelly-without-token", SHARED, ""),
        ("shelly-without-token", "", ""),
    ],
)
def test_a_token_and_its_device_belong_together(
    bound: Admission, device_id: str, token: str, why: str
) -> None:
    held = bound.policy.holders.get(digest(token))
    assert bound.objection(device_id, digest(token), held) == why


def test_a_token_that_was_withdrawn_or_replaced_does_not_go_on(bound: Admission) -> None:
    bound.replace(Policy(holders={digest(GUESS): PUMP}))
    assert not bound.opens(digest(TOKEN))
    assert bound.objection(PUMP, digest(TOKEN), PUMP) == WITHDRAWN
    bound.replace(Policy())
    assert bound.objection(PUMP, digest(TOKEN), PUMP) == WITHDRAWN


def test_with_approval_only_who_was_accepted_or_holds_a_token_may_speak(settings: Any) -> None:
    settings.ADMISSION = "approve"
    gate = admission(accepted=frozenset({PUMP}), holders={digest(TOKEN): OTHER})
    assert gate.objection(PUMP, "", None) == ""
    assert gate.objection(OTHER, digest(TOKEN), OTHER) == ""
    assert gate.objection("a-stranger", "", None) == WAITS


@pytest.mark.parametrize("mode", ["open", "approve"])
def test_who_is_blocked_may_not_whatever_it_presents(settings: Any, mode: str) -> None:
    settings.ADMISSION = mode
    gate = admission(blocked=frozenset({PUMP}), holders={digest(TOKEN): PUMP})
    assert gate.objection(PUMP, digest(TOKEN), PUMP) == BLOCKED


def test_a_policy_that_is_the_same_is_no_new_one(bound: Admission) -> None:
    before = bound.policy
    assert not bound.replace(Policy(holders=dict(before.holders)))
    assert bound.policy is before
    assert bound.replace(Policy())


@pytest.mark.parametrize("token", ["\ud800", "é" * 100_000, "\0"])
def test_any_text_has_a_digest(token: str) -> None:
    assert len(digest(token)) == 64


def test_tokens_are_of_256_bits_and_fit_into_a_url() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(
        len(token) == 43 and token.replace("-", "").replace("_", "").isalnum() for token in tokens
    )


def test_the_doors_stay_as_they_were_over_a_start_without_a_database(tmp_path: Path) -> None:
    policy = Policy(frozenset({"bad"}), frozenset({PUMP}), {digest(TOKEN): OTHER})
    keep(policy, tmp_path / "spool")
    file = tmp_path / "spool/admission.json"
    assert kept(tmp_path / "spool") == policy
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert TOKEN not in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == ["admission.json"]


def test_a_file_that_is_damaged_or_cannot_be_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "admission.json").write_text('{"blocked": 5}')
    assert kept(tmp_path) == Policy()
    (tmp_path / "full").touch()
    keep(Policy(), tmp_path / "full")
    assert kept(tmp_path / "full") == Policy()


def test_the_doors_of_one_database_are_not_those_of_another(tmp_path: Path) -> None:
    production, test = Policy(frozenset({"bad"})), Policy(frozenset({"worse"}))
    keep(production, tmp_path, 11)
    assert kept(tmp_path, 22) == Policy()
    keep(test, tmp_path, 22)
    assert (kept(tmp_path, 11), kept(tmp_path, 22)) == (production, test)
    keep(Policy(), tmp_path, 11)
    assert (kept(tmp_path, 11), kept(tmp_path, 22)) == (Policy(), test)
    assert {path.name for path in tmp_path.iterdir()} == {
        "admission.json",
        "admission-00000016.json",
    }


def test_a_file_from_before_there_were_fingerprints_is_adopted(tmp_path: Path) -> None:
    (tmp_path / "admission.json").write_text('{"blocked":["bad"],"accepted":[],"holders":{}}')
    assert kept(tmp_path, 11) == Policy(frozenset({"bad"}))
    keep(Policy(frozenset({"bad"})), tmp_path, 11)
    assert kept(tmp_path, 22) == Policy()


@pytest.mark.django_db(transaction=True, databases=["default", "writer"])
def test_the_database_says_what_staff_have_decided(settings: Any) -> None:
    states = Device.Admission
    Device.objects.create(device_id=PUMP, token_hash=digest(TOKEN))
    Device.objects.create(device_id="bad", admission=states.BLOCKED)
    Device.objects.create(device_id="new", admission=states.WAITING)
    holders = {digest(TOKEN): PUMP}
    assert read() == Policy(frozenset({"bad"}), frozenset(), holders)
    settings.ADMISSION = "approve"
    assert read() == Policy(frozenset({"bad"}), frozenset({PUMP}), holders)
