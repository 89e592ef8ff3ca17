"""Token buckets, and for how long what connections share is remembered."""

from hypothesis import given
from hypothesis import strategies as st

from powerlog.server.token_bucket import Bucket, Remembered

steps = st.lists(st.tuples(st.floats(0, 5), st.integers(0, 50)), max_size=30)


@given(steps)
def test_no_more_is_taken_than_was_there_at_first_and_has_come_since(
    steps: list[tuple[float, int]],
) -> None:
    bucket, now, taken = Bucket(3.0, 20.0, 0.0), 0.0, 0
    for passed, wanted in steps:
        now += passed
        granted = bucket.take(wanted, now)
        assert 0 <= granted <= wanted
        taken += granted
        assert taken <= 20 + 3 * now + 1e-6


@given(steps)
def test_a_reservation_waits_until_all_before_it_is_paid(steps: list[tuple[float, int]]) -> None:
    bucket, now, reserved = Bucket(3.0, 20.0, 0.0), 0.0, 0
    for passed, amount in steps:
        now += passed
        wait_s = bucket.reserve(amount, now)
        reserved += amount
        assert wait_s >= 0
        if wait_s:
            assert 20 + 3 * (now + wait_s) >= reserved - 1e-6


def test_a_clock_that_is_set_back_takes_nothing_away() -> None:
    bucket = Bucket(3.0, 20.0, 100.0)
    assert bucket.take(5, 50.0) == 5
    assert bucket.take(99, 50.0) == 15


def test_what_another_one_has_drawn_is_a_debt_of_as_much_as_fits_in() -> None:
    bucket, other = Bucket(1.0, 10.0, 0.0), Bucket(1.0, 10.0, 0.0)
    other.take(7, 0.0)
    bucket.charge(other)
    assert bucket.take(99, 0.0) == 3
    for _ in range(9):
        bucket.charge(other)
    assert bucket.take(99, 10.0) == 0
    assert bucket.take(99, 15.0) == 5


def test_what_is_given_back_overflows_nothing() -> None:
    bucket = Bucket(1.0, 10.0, 0.0)
    bucket.take(2, 0.0)
    bucket.give(99)
    assert bucket.take(99, 0.0) == 10


def remembered(most: int = 100) -> Remembered[list[str]]:
    return Remembered(lambda key, now: [key], forget_s=60.0, most=most)


def test_all_that_use_a_key_share_its_value_and_it_stays_a_while_after_them() -> None:
    kept = remembered()
    value = kept.enter("a", 0.0)
    assert kept.enter("a", 1000.0) is value
    kept.leave("a", 1000.0)
    kept.leave("b", 5000.0)  # that it was never there does no harm
    assert kept.enter("a", 5000.0) is value
    kept.leave("a", 5000.0)
    kept.leave("a", 5000.0)
    assert kept.enter("a", 5059.0) is value
    kept.leave("a", 5059.0)
    assert kept.enter("a", 5119.0) is not value


def test_whoever_invents_keys_fills_no_memory_and_drives_out_nobody_who_is_here() -> None:
    kept = remembered(most=100)
    value = kept.enter("here", 0.0)
    for number in range(10_000):
        kept.enter(str(number), 1.0)
        kept.leave(str(number), 1.0)
        assert len(kept) <= 102
    assert kept.enter("here", 2.0) is value
    kept.enter("another", 100.0)
    assert len(kept) == 2
