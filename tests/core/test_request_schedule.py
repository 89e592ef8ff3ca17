"""What is asked of a device, and when: the numbered rules of request_schedule.py, by the second."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerlog.core.frame import Frame, Reading
from powerlog.core.protocol import BOOTSTRAP, CONFIG, INFO, REQUESTS, STATUS
from powerlog.core.request_schedule import (
    ASK_AGAIN_S,
    GIVE_UP_S,
    LONGEST_WAIT_S,
    Questions,
)
from tests.support.frames import PUMP, T0

NUMBERS = {BOOTSTRAP[1]: STATUS} | {request: number for number, request in REQUESTS.items()}
PUMPING, LAMP = Reading("switch:2", apower_w=430.0), Reading("switch:0", apower_w=6.0)
RELAY = Reading("switch:1", output=True)


class Talk:
    """A connection, looked at each second. Times are seconds since it was made.

    asked has (second, number) of each request after BOOTSTRAP. The device answers at once what is
    in answers, and a question for its status with these readings.
    """

    def __init__(self, *status: Reading, answers: Sequence[int] = (STATUS, INFO, CONFIG)) -> None:
        self.questions, self.status, self.answers = Questions(T0), status, answers
        self.asked: list[tuple[int, int]] = []
        self.second = 0
        self.off: list[str] = []
        if STATUS in answers:
            self.answer(STATUS)

    def says(self, *readings: Reading, full: bool = False) -> None:
        known = self.questions.meters.keys() | self.questions._others
        new = [each.channel for each in readings if each.channel not in known]
        self.questions.heard(Frame(PUMP, None, full, readings), T0 + self.second, new)

    def answer(self, number: int) -> None:
        self.questions.answered(number)
        if number == STATUS and self.status:
            self.says(*self.status, full=True)
        self._ask(self.questions.next(T0 + self.second))

    def changes(self) -> None:
        """It says config_changed."""
        self.questions.config_changed(T0 + self.second)
        self._ask(self.questions.next(T0 + self.second))

    def _ask(self, request: str | None) -> None:
        if request:
            number = NUMBERS[request]
            self.asked.append((self.second, number))
            if number in self.answers:
                self.answer(number)

    def until(self, second: int) -> None:
        while self.second < second:
            self.second += 1
            if T0 + self.second >= self.questions.look_at:
                self._ask(self.questions.look(T0 + self.second, self.off))

    def of(self, number: int) -> list[int]:
        """The seconds in which this was asked."""
        return [second for second, asked in self.asked if asked == number]


def test_rule_1_who_it_is_and_its_names_are_asked_at_the_connect_and_never_again() -> None:
    talk = Talk(LAMP)
    talk.until(1000)
    assert talk.asked[:2] == [(0, INFO), (0, CONFIG)]
    assert {number for _, number in talk.asked[2:]} == {STATUS}


def test_rule_2_a_request_waits_for_the_answer_to_the_one_before() -> None:
    talk = Talk(LAMP, answers=())
    talk.until(10)
    assert talk.asked == []
    for number in (STATUS, INFO, CONFIG):
        talk.answer(number)
    assert talk.asked == [(10, INFO), (10, CONFIG)]


def test_rule_2_lost_answers_are_given_up() -> None:
    talk = Talk(LAMP, answers=())
    talk.until(300)
    assert talk.asked[:2] == [(20, INFO), (40, CONFIG)]
    assert talk.asked[2:] == [(second, STATUS) for second in (65, 130, 195, 260)]


def test_rule_2_one_lost_answer_does_not_end_it() -> None:
    talk = Talk(LAMP, answers=(INFO, CONFIG))
    talk.until(100)
    assert talk.of(STATUS) == [65]
    talk.answers = (STATUS,)
    talk.until(400)
    assert talk.of(STATUS) == [65, 130, 195, 260, 325, 390]


def test_rule_2_a_late_answer_is_taken_and_one_to_no_question_is_not() -> None:
    questions = Questions(T0)
    assert not questions.answered(INFO)
    assert not questions.answered(10**30)
    assert questions.look(T0 + GIVE_UP_S) == REQUESTS[INFO]
    assert questions.answered(STATUS)  # the first one, given up by now
    assert questions.next(T0 + GIVE_UP_S) is None  # still one in flight
    assert questions.answered(INFO)
    assert not questions.answered(INFO)
    assert questions.next(T0 + GIVE_UP_S) == REQUESTS[CONFIG]


def test_rule_3_a_device_that_only_ever_answers_is_asked_each_minute() -> None:
    talk = Talk(PUMPING)
    talk.until(3600)
    assert talk.of(STATUS) == list(range(65, 3601, 65))


def test_rule_3_a_device_that_falls_silent_is_asked_that_long_after_its_last_reading() -> None:
    talk = Talk(PUMPING)
    for minute in range(10):
        talk.until(60 * minute)
        talk.says(PUMPING)
    assert talk.of(STATUS) == []
    talk.until(700)
    assert talk.of(STATUS) == [540 + 65, 540 + 130]


@pytest.mark.parametrize(("spread", "asked_at"), [(0.0, 65), (0.5, 70), (1.0, 75)])
def test_rule_3_a_fleet_does_not_ask_in_one_second(spread: float, asked_at: float) -> None:
    talk = Talk(PUMPING)
    talk.questions = Questions(T0, spread)
    talk.answer(STATUS)
    talk.until(100)
    assert talk.of(STATUS) == [asked_at]


def test_rule_3_a_frame_that_reads_no_meter_does_not_count() -> None:
    talk = Talk(PUMPING)
    for second in range(0, 200, 20):
        talk.until(second)
        talk.says()  # a temperature, an event
    assert talk.of(STATUS) == [65, 130]


def test_rule_3_each_channel_is_watched_on_its_own() -> None:
    talk = Talk(PUMPING, LAMP)
    for second in range(0, 200, 10):
        talk.until(second)
        talk.says(LAMP)
    assert talk.of(STATUS) == [65, 130]


def test_rule_3_a_channel_that_is_not_logged_neither_counts_nor_is_waited_for() -> None:
    talk = Talk(PUMPING)
    frame = Frame(PUMP, readings=(Reading("switch:3", apower_w=70.0),))
    for second in range(0, 200, 10):
        talk.until(second)
        talk.questions.heard(frame, T0 + second)
    assert talk.of(STATUS) == [65, 130]
    talk.off = ["switch:2"]  # by staff
    talk.until(600)
    assert talk.of(STATUS) == [65, 130]


def test_rule_4_a_relay_without_a_meter_is_not_waited_for() -> None:
    talk = Talk(LAMP, RELAY)
    for second in range(0, 600, 30):
        talk.until(second)
        talk.says(LAMP)
    assert talk.of(STATUS) == []


@pytest.mark.parametrize("status", [(RELAY,), (), (Reading("light:0", voltage_v=12.3),)])
def test_rule_4_a_device_without_a_meter_is_not_asked_again(status: tuple[Reading, ...]) -> None:
    talk = Talk(*status)
    talk.until(3600)
    assert talk.of(STATUS) == []


def test_rule_4_a_device_that_gave_no_full_status_may_have_meters() -> None:
    talk = Talk(answers=(INFO, CONFIG))
    talk.until(200)
    assert talk.of(STATUS) == [65, 130, 195]
    talk.says(RELAY, full=True)
    talk.until(600)
    assert talk.of(STATUS) == [65, 130, 195]


@pytest.mark.parametrize(
    "sign", [Reading("switch:1", apower_w=0.0), Reading("switch:1", energy_total_wh=7.0)]
)
def test_rule_4_a_relay_that_shows_a_meter_after_all_is_waited_for(sign: Reading) -> None:
    talk = Talk(RELAY)
    talk.until(100)
    talk.status = (sign,)
    talk.says(sign)
    talk.until(300)
    assert talk.of(STATUS) == [165, 230, 295]


def test_rule_4_a_channel_that_a_full_status_leaves_out_is_not_waited_for_until_it_is_back() -> (
    None
):
    talk = Talk(PUMPING, LAMP)
    for second in range(0, 600, 30):
        talk.until(second)
        talk.says(LAMP, full=second == 30)
    assert talk.of(STATUS) == []
    talk.until(580)
    talk.says(PUMPING, LAMP)
    talk.until(660)
    assert talk.of(STATUS) == [580 + 65]


def test_rule_5_names_are_asked_for_again_when_they_may_have_changed() -> None:
    talk = Talk(RELAY)
    talk.until(5)
    talk.asked.clear()
    talk.changes()
    assert talk.asked == [(5, INFO), (5, CONFIG)]
    talk.until(3600)
    assert talk.asked == [(5, INFO), (5, CONFIG)]


def test_rule_5_a_flood_of_changes_is_one_question_a_minute_and_the_last_one_counts() -> None:
    talk = Talk(RELAY)
    talk.asked.clear()
    for second in range(100, 301):
        talk.until(second)
        for _ in range(50):
            talk.changes()
    talk.until(3600)
    assert talk.of(CONFIG) == [100, 160, 220, 280, 340]
    assert talk.of(INFO) == talk.of(CONFIG)


def test_rule_5_a_change_while_the_names_are_on_their_way_is_asked_for_again() -> None:
    talk = Talk(RELAY)
    talk.until(100)
    talk.asked.clear()
    talk.answers = ()
    talk.changes()
    talk.until(102)
    talk.answer(INFO)
    talk.changes()
    talk.answer(CONFIG)
    talk.answers = (INFO, CONFIG)
    talk.until(300)
    assert talk.asked == [(100, INFO), (102, CONFIG), (160, INFO), (160, CONFIG)]


def test_a_device_that_is_let_in_is_asked_everything_in_the_next_round() -> None:
    talk = Talk(RELAY)
    talk.until(500)
    talk.asked.clear()
    talk.questions.want_all()
    talk.until(1000)
    assert talk.asked == [(501, STATUS), (501, INFO), (501, CONFIG)]


@pytest.mark.parametrize("back_s", [100, 3600, 10**9])
def test_a_clock_that_was_set_back_does_not_end_the_asking(back_s: int) -> None:
    questions = Questions(T0)
    questions.answered(STATUS)
    questions.heard(Frame(PUMP, readings=(PUMPING,), full=True), T0, ["switch:2"])
    for number in (INFO, CONFIG):
        questions.next(T0)
        questions.answered(number)
    questions.look(T0 + GIVE_UP_S)
    now = T0 - back_s
    assert questions.look(now) is None
    assert questions.look_at == now + ASK_AGAIN_S
    assert questions.look(now + ASK_AGAIN_S) == BOOTSTRAP[1]


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 90)),
    st.tuples(st.just("answer"), st.integers(1, 5)),
    st.tuples(st.just("says"), st.sampled_from([(PUMPING,), (LAMP,), (RELAY,), (PUMPING, LAMP)])),
    st.tuples(st.just("full"), st.sampled_from([(PUMPING,), (RELAY,), (PUMPING, LAMP), ()])),
    st.tuples(st.just("changes"), st.none()),
    st.tuples(st.just("let in"), st.none()),
)


@given(st.lists(STEPS, max_size=60), st.floats(0, 1))
def test_whatever_comes_one_is_in_flight_and_no_meter_is_forgotten(
    steps: list[tuple[str, object]], spread: float
) -> None:
    talk = Talk(answers=())
    talk.questions = Questions(T0, spread)
    in_flight, flown_at = STATUS, 0
    seconds = [step for what, value in steps for step in [(what, value)] * repeats(what, value)]
    for what, value in [*seconds, *[("wait", 1)] * 200]:
        before = len(talk.asked)
        if what == "wait":
            talk.until(talk.second + 1)
        elif what == "answer":
            in_flight = 0 if value == in_flight else in_flight
            talk.answer(value)
        elif what == "changes":
            talk.changes()
        elif what == "let in":
            talk.questions.want_all()
        else:
            talk.says(*value, full=what == "full")
        for second, number in talk.asked[before:]:
            assert not in_flight or second - flown_at >= GIVE_UP_S
            in_flight, flown_at = number, second
        assert talk.questions.look_at <= T0 + talk.second + LONGEST_WAIT_S
    # Nothing has been said or answered in the last 200 seconds: what meters was asked for.
    if talk.questions.meters or not talk.questions._known:
        assert talk.second - talk.of(STATUS)[-1] <= LONGEST_WAIT_S + 2 * GIVE_UP_S + 1


def repeats(what: str, value: object) -> int:
    """A wait is so many steps of one second."""
    return value if what == "wait" and isinstance(value, int) else 1
