"""Connected devices are asked again, on their sockets: the clock is the tests'."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from powerlog.consumers import ShellyConsumer
from powerlog.core.channel_state import Own
from powerlog.core.device_info import About
from powerlog.core.protocol import BOOTSTRAP, REQUESTS
from powerlog.core.request_schedule import ASK_AGAIN_S, LONGEST_WAIT_S, NAMES_AGAIN_S
from powerlog.core.sampler import Sample
from powerlog.devices import session
from powerlog.devices.access import Admission, Policy
from powerlog.devices.connections import traffic
from powerlog.devices.registry import registry
from powerlog.devices.requests import AT_LEAST, SHARE, asker
from tests.support.dialling import Dial, send
from tests.support.frames import NO_HANDLER, PUMP, T0, answer, delta, full, meter, text

pytestmark = pytest.mark.usefixtures("rows", "no_device_is_left_behind")
STATUS, (INFO, CONFIG) = BOOTSTRAP[1], REQUESTS.values()


class Clock:
    """The collector's. Also goes the rounds that are due until then."""

    now = T0 + 30.0

    def go_to(self, at_s: float) -> None:
        while self.now < T0 + at_s:
            self.now += 1
            asker.go(self.now)


@pytest.fixture
def clock(rows: list[Sample], monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(ShellyConsumer, "clock", lambda _: made.now)
    monkeypatch.setattr("powerlog.consumers.random", lambda: 0.0)
    return made


@pytest.fixture
def admission(monkeypatch: pytest.MonkeyPatch) -> Iterator[Admission]:
    made = Admission()
    monkeypatch.setattr(session, "admission", made)
    yield made
    asker.waiting.clear()


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[About | None]:
    told: list[About | None] = []
    monkeypatch.setattr(registry, "learn", lambda device_id, about: told.append(about))
    return told


async def introduced(socket: WebsocketCommunicator, **components: Any) -> None:
    """It has answered everything that is asked at the connect."""
    await send(socket, NO_HANDLER, answer(**components))
    assert await socket.receive_from() == INFO
    await send(socket, text(id=3, src=PUMP, result={"name": "Shed"}))
    assert await socket.receive_from() == CONFIG
    await send(socket, text(id=4, src=PUMP, result={}))


def changed(*events: str) -> str:
    occurred = [{"component": "switch:2", "id": 2, "event": event, "ts": T0} for event in events]
    params = {"ts": T0, "events": occurred}
    return text(src=PUMP, dst="ws", method="NotifyEvent", params=params)


async def test_a_device_that_notifies_nothing_at_a_steady_load_has_a_row_each_minute(
    dial: Dial, rows: list[Sample], clock: Clock
) -> None:
    socket = await dial()
    await introduced(socket, switch_2=meter(250.0, 1000.0))
    for count in range(1, 11):
        clock.go_to(30 + count * ASK_AGAIN_S)
        assert await socket.receive_from() == STATUS
        await send(socket, answer(switch_2=meter(250.0, 1000.0 + count)))
    assert [row.ts - T0 for row in rows] == [60 * minute for minute in range(12)]


async def test_an_answer_is_a_full_status_each_time(
    dial: Dial, rows: list[Sample], clock: Clock
) -> None:
    socket = await dial()
    await introduced(socket, switch_1=meter(70.0), switch_2=meter(430.0))
    clock.go_to(100)
    assert await socket.receive_from() == STATUS
    await send(socket, answer(switch_1=meter(70.0)))
    rows.clear()
    clock.go_to(150)
    await send(socket, delta(None, switch_2={"current": 2.0}))
    assert rows == []  # its power is not known any more


async def test_a_device_that_speaks_is_not_asked(dial: Dial, clock: Clock) -> None:
    socket = await dial()
    await introduced(socket, switch_2=meter(430.0))
    for at_s in range(60, 3600, 60):
        clock.go_to(at_s)
        await send(socket, delta(T0 + at_s, switch_2={"aenergy": {"total": at_s}}))
    assert await socket.receive_nothing()


async def test_one_request_is_in_flight_whatever_asks(dial: Dial, clock: Clock) -> None:
    socket = await dial()
    await introduced(socket, switch_2=meter(430.0))
    clock.go_to(100)
    assert await socket.receive_from() == STATUS
    await send(socket, changed("config_changed"))
    clock.go_to(110)
    assert await socket.receive_nothing()
    await send(socket, answer(switch_2=meter(430.0)))
    assert await socket.receive_from() == INFO
    clock.go_to(125)
    assert await socket.receive_nothing()


async def test_an_answer_that_never_comes_holds_nothing_up(dial: Dial, clock: Clock) -> None:
    socket = await dial()
    await send(socket, full(None, switch_2=meter(430.0)))
    clock.go_to(400)
    asked = [await socket.receive_from() for _ in range(7)]
    assert asked == [INFO, CONFIG] + [STATUS] * 5
    assert await socket.receive_nothing()


async def test_names_that_may_have_changed_are_asked_for_again(
    dial: Dial, clock: Clock, learned: list[About | None]
) -> None:
    socket = await dial()
    await introduced(socket)
    learned.clear()
    await send(socket, changed("single_push"), changed("single_push", "config_changed"))
    assert await socket.receive_from() == INFO
    await send(socket, text(id=3, src=PUMP, result={"name": "Well"}))
    assert await socket.receive_from() == CONFIG
    await send(socket, text(id=4, src=PUMP, result={"switch:2": {"name": "Big pump"}}))
    assert [each.name for each in learned if each and each.model is not None] == ["Well"]
    assert learned[-1] == About(channels={"switch:2": "Big pump"})
    await send(socket, *[changed("config_changed")] * 100)
    clock.go_to(30 + NAMES_AGAIN_S - 1)
    assert await socket.receive_nothing()
    clock.go_to(30 + NAMES_AGAIN_S)
    assert await socket.receive_from() == INFO


async def test_an_answer_in_the_name_of_another_device_is_none(
    dial: Dial, clock: Clock, learned: list[About | None]
) -> None:
    socket = await dial()
    await send(socket, delta(None, switch_2=meter(430.0)), answer("another"))
    assert await socket.receive_nothing()
    await send(socket, answer())
    assert await socket.receive_from() == INFO
    await send(socket, text(id=3, src="another", result={"name": "Not mine"}))
    assert learned == [None]


async def test_what_staff_have_switched_off_is_not_asked_for(
    dial: Dial, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await dial()
    await introduced(socket, switch_2=meter(430.0))
    monkeypatch.setattr(registry, "own", {(PUMP, "switch:2"): Own(logged=False)})
    clock.go_to(300)
    assert await socket.receive_nothing()


async def test_a_device_that_waits_is_not_asked_and_is_once_it_is_accepted(
    dial: Dial, rows: list[Sample], clock: Clock, admission: Admission, settings: Any
) -> None:
    settings.ADMISSION = "approve"
    socket = await dial()
    await introduced(socket, switch_2=meter(430.0))
    await send(socket, changed("config_changed"))
    clock.go_to(600)
    assert await socket.receive_nothing()
    admission.replace(Policy(accepted=frozenset({PUMP})))
    clock.go_to(601)
    assert await socket.receive_from() == STATUS
    assert await socket.receive_nothing()
    assert rows == []
    clock.go_to(601 + ASK_AGAIN_S)  # that answer was lost
    assert [await socket.receive_from() for _ in range(3)] == [INFO, CONFIG, STATUS]
    await send(socket, answer(switch_2=meter(430.0)))
    assert len(rows) == 1
    assert list(traffic.devices) == [PUMP]
    clock.go_to(700)
    assert not asker._accepted


async def test_a_device_that_is_let_in_by_a_word_of_its_own_is_asked_for_all(
    dial: Dial, clock: Clock, admission: Admission, settings: Any
) -> None:
    settings.ADMISSION = "approve"
    socket = await dial()
    await introduced(socket, switch_2=meter(430.0))
    admission.replace(Policy(accepted=frozenset({PUMP})))
    await send(socket, delta(None, switch_2={"apower": 440.0}))
    clock.go_to(31)
    assert await socket.receive_from() == STATUS
    await send(socket, answer(switch_2=meter(440.0)))
    assert await socket.receive_from() == INFO


async def test_a_device_that_waits_and_hangs_up_is_forgotten(
    dial: Dial, clock: Clock, admission: Admission, settings: Any
) -> None:
    settings.ADMISSION = "approve"
    asker.waiting.clear()  # another test may have left without a round
    socket = await dial()
    await send(socket, delta(None, switch_2=meter(430.0)))
    assert len(asker.waiting) == 1
    await socket.disconnect()
    clock.go_to(31)
    assert not asker.waiting


async def test_a_device_that_is_refused_is_not_asked(
    dial: Dial, clock: Clock, admission: Admission
) -> None:
    admission.replace(Policy(blocked=frozenset({PUMP})))
    socket = await dial()
    await send(socket, answer(switch_2=meter(430.0)))
    assert await socket.receive_output() == {"type": "websocket.close", "code": 4003}
    clock.go_to(300)
    assert await socket.receive_nothing()


class Silent:
    """A connection of which an answer is due always; live until it has been asked."""

    class questions:
        look_at = T0

        @staticmethod
        def look(now: float) -> str:
            return STATUS

    class peer:
        refused, device_id = 0, "silent"

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def send(self, text_data: str) -> None:
        self.asked.append(text_data)


async def test_a_round_asks_a_share_of_a_fleet_whose_moment_has_come_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = {str(number): Silent() for number in range(1000)}
    with monkeypatch.context() as patched:
        patched.setattr(traffic, "devices", fleet)
        asker.go(T0 - LONGEST_WAIT_S)
        asker.go(T0 - 1)
        assert not asker._sending
        asker.go(T0)
    await asyncio.gather(*asker._sending)
    assert sum(len(each.asked) for each in fleet.values()) == AT_LEAST + 1000 // SHARE


def test_a_round_that_fails_is_not_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    later: list[Any] = []
    with monkeypatch.context() as patched:
        patched.setattr(traffic, "devices", {"broken": object()})
        with pytest.raises(AttributeError):
            asker.start(lambda *call: later.append(call))
    assert later == [(1.0, asker.start, later[0][2])]
