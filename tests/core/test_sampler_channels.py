"""Who invents channels fills no memory."""

from powerlog.core.channel_state import Rules
from powerlog.core.frame import Frame, Reading
from powerlog.core.sampler import MAX_CHANNELS, Sampler
from tests.support.frames import PUMP, T0


def invented(first: int, count: int) -> Frame:
    readings = (
        Reading(f"switch:{number}", apower_w=100.0) for number in range(first, first + count)
    )
    return Frame(PUMP, T0, readings=tuple(readings))


def test_a_device_has_sixty_four_channels_at_most() -> None:
    sampler = Sampler(Rules(channels=frozenset({"*"})))
    frame = invented(0, 100)
    assert len(sampler.strangers(frame)) == MAX_CHANNELS == 64
    assert sampler.strangers(invented(100, 100)) == []
    rows = [due.channel for due in sampler.feed(invented(0, 200), T0) if hasattr(due, "ts")]
    assert rows == [f"switch:{number}" for number in range(MAX_CHANNELS)]
    assert len(sampler.leave()) == MAX_CHANNELS


def test_fed_without_having_been_asked_for_strangers_it_has_no_more_either() -> None:
    sampler = Sampler(Rules(channels=frozenset({"*"})))
    sampler.feed(invented(0, 100), T0)
    assert len(sampler.leave()) == MAX_CHANNELS
