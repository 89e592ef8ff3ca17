"""The simulated Shelly answers requests as the real one does."""

import json

import pytest

from powerlog.core.protocol import BOOTSTRAP
from powerlog.simulation.pro4pm import SimulatedShelly
from tests.support.frames import T0

from .test_pro4pm import DEVICE, params


@pytest.fixture
def shelly() -> SimulatedShelly:
    return SimulatedShelly(DEVICE, seed=7, started_at=T0 - 100)


def test_get_status_is_answered_with_the_status_and_no_ts(shelly: SimulatedShelly) -> None:
    response = json.loads(shelly.answer(BOOTSTRAP[1], T0 + 5) or "")
    expected = params(shelly.full_status(T0 + 5))
    del expected["ts"]
    assert response == {"id": 2, "src": DEVICE, "dst": "collector", "result": expected}


@pytest.mark.parametrize(
    ("request_text", "method"),
    [
        (BOOTSTRAP[0], "NotifyStatus"),
        ('{"id":1,"src":"collector","method":"Switch.Vanish"}', "Switch.Vanish"),
    ],
)
def test_other_requests_have_no_handler(
    shelly: SimulatedShelly, request_text: str, method: str
) -> None:
    error = {"code": 404, "message": f"No handler for {method}"}
    response = json.loads(shelly.answer(request_text, T0) or "")
    assert response == {"id": 1, "src": DEVICE, "dst": "collector", "error": error}


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        "{",
        "[]",
        "17",
        b"\xff",
        "[" * 100_000,
        '{"id":2,"src":"collector"}',
        '{"src":"collector","method":"Shelly.GetStatus"}',
        '{"id":null,"src":"collector","method":"Shelly.GetStatus"}',
        '{"id":2,"src":"collector","method":7}',
    ],
)
def test_what_is_no_request_has_no_answer(shelly: SimulatedShelly, rubbish: str | bytes) -> None:
    assert shelly.answer(rubbish, T0) is None
