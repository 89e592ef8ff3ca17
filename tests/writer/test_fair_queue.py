"""What waits in memory is shared out by origins: turns, and who gives up."""

from hypothesis import given
from hypothesis import strategies as st

from powerlog.core.sampler import Sample
from powerlog.writer.fair_queue import FairQueue, give_up
from tests.support.doubles import sample


def devices(lots: list) -> list[str]:
    return [each.device_id for _, due in lots for each in due]


def of(device_id: str, *minutes: int) -> list[Sample]:
    return [sample(minute, device_id=device_id) for minute in minutes]


def test_who_holds_most_gives_up_first() -> None:
    assert give_up({"flood": 100, "a": 3, "b": 2}, 10) == {"flood": 10}
    assert give_up({"flood": 100, "second": 90, "a": 3}, 30) == {"flood": 20, "second": 10}
    assert give_up({"a": 5, "b": 5, "c": 5}, 4) == {"a": 1, "b": 1, "c": 2}
    assert give_up({"a": 2, "b": 1}, 99) == {"a": 2, "b": 1}
    assert give_up({}, 5) == {}


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50), max_size=9), st.integers(1, 500))
def test_nobody_gives_up_while_somebody_else_keeps_more(held: dict[str, int], count: int) -> None:
    cut = give_up(held, count)
    assert sum(cut.values()) == min(count, sum(held.values()))
    kept = {name: held[name] - cut.get(name, 0) for name in held}
    assert min(kept.values(), default=0) >= 0
    for name in cut:
        assert kept[name] + 1 >= max(kept.values())


def test_what_is_little_comes_out_as_it_came() -> None:
    queue = FairQueue()
    queue.add("b", of("two", 0, 1))
    queue.add("a", of("one", 0))
    assert len(queue) == 3
    assert queue.take(3) == [("b", of("two", 0, 1)), ("a", of("one", 0))]
    assert (len(queue), queue.take(3)) == (0, [])


def test_each_origin_has_its_share_of_a_batch_however_much_another_one_has() -> None:
    queue = FairQueue()
    for number in range(500):
        queue.add("flood", of(f"invented-{number}", 0, 1))
    for number in range(5):
        queue.add(f"home-{number}", of(f"pump-{number}", 0))
    first = devices(queue.take(20))
    assert {f"pump-{number}" for number in range(5)} < set(first)
    assert len(first) == 20
    assert len(queue) == 1005 - 20


def test_within_an_origin_each_device_has_its_share() -> None:
    queue = FairQueue()
    queue.add("site", of("flood", *range(1000)))
    queue.add("site", of("pump", 0, 1))
    assert devices(queue.take(10)).count("pump") == 2


def test_an_origin_that_had_its_turn_has_the_next_one_after_all_others() -> None:
    queue = FairQueue()
    for number in range(9):
        queue.add(f"home-{number}", of(f"pump-{number}", *range(9)))
    seen = [set(devices(queue.take(3))) for _ in range(3)]
    assert set.union(*seen) == {f"pump-{number}" for number in range(9)}


def test_the_oldest_of_who_holds_most_are_given_up() -> None:
    queue = FairQueue()
    queue.add("flood", of("invented", *range(100)))
    queue.add("home", of("pump", 0, 1))
    assert queue.drop(60) == {"flood": 60}
    left = [each for _, due in queue.take_all() for each in due]
    assert sorted(left, key=lambda row: row.device_id) == [
        *of("invented", *range(60, 100)),
        *of("pump", 0, 1),
    ]


def test_within_an_origin_the_device_that_holds_most_gives_up() -> None:
    queue = FairQueue()
    queue.add("site", of("pump", 0, 1))
    queue.add("site", of("flood", *range(10)))
    assert queue.drop(8) == {"site": 8}
    assert devices(queue.take_all()).count("pump") == 2


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 2), st.integers(0, 4), st.integers(1, 4)),
            st.tuples(st.just("take"), st.integers(1, 9), st.booleans(), st.none()),
            st.tuples(st.just("drop"), st.integers(1, 5), st.none(), st.none()),
        ),
        max_size=60,
    )
)
def test_of_each_device_all_comes_out_in_order_whatever_happens(steps: list) -> None:
    """Also of one that comes from several origins."""
    queue, came, out, dropped = FairQueue(), 0, list[Sample](), 0
    for what, first, second, third in steps:
        if what == "add":
            queue.add(f"origin-{first}", of(f"device-{second}", *range(came, came + third)))
            came += third
        elif what == "drop":
            dropped += sum(queue.drop(first).values())
        else:
            lots = queue.take(first)
            assert sum(len(due) for _, due in lots) <= first
            if second:
                queue.put_back(lots)
            else:
                out += [each for _, due in lots for each in due]
        assert len(queue) == came - len(out) - dropped
    out += [each for _, due in queue.take_all() for each in due]
    assert len(out) == came - dropped
    for device in range(5):
        minutes = [row.ts for row in out if row.device_id == f"device-{device}"]
        assert minutes == sorted(set(minutes))
