"""What holds for every life of a device, by the numbers of the rules in sampler.py."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from powerlog.core.frame import Frame, Reading
from powerlog.core.sampler import Rules, Sample, Sampler
from tests.support.frames import PUMP, T0

RULES = Rules(channels=frozenset({"switch:1", "switch:2"}))

powers = st.none() | st.sampled_from([0.0, 4.9, 5.0, 5.1, 430.0, -20.0])
readings = st.builds(
    Reading,
    st.sampled_from(["switch:1", "switch:2", "switch:9"]),
    apower_w=powers,
    voltage_v=st.none() | st.just(229.0),
    energy_total_wh=st.none() | st.floats(0, 1e6),
    output=st.none() | st.booleans(),
)


@st.composite
def lives(draw: st.DrawFn, steady: bool = False) -> list[tuple[Frame, float]]:
    """Frames and their moments of receipt: in order, with device clocks right, off or unset.

    A steady life has deltas only, and the right time.
    """
    moments = sorted(draw(st.lists(st.integers(0, 3600), max_size=30)))
    return [
        (
            Frame(
                PUMP,
                draw(st.sampled_from([None, 5.01, now, now - 30.0, now + 100.0, now - 500.0]))
                if not steady
                else float(now),
                not steady and draw(st.booleans()),
                tuple(draw(st.lists(readings, max_size=3, unique_by=lambda r: r.channel))),
            ),
            float(now),
        )
        for now in (T0 + moment for moment in moments)
    ]


def rows_of(life: list[tuple[Frame, float]]) -> list[Sample]:
    sampler = Sampler(RULES)
    due = [each for frame, now in life for each in sampler.feed(frame, now)]
    return [each for each in due if isinstance(each, Sample)]


def by_channel(rows: list[Sample]) -> dict[str, list[int]]:
    return {
        channel: [row.ts for row in rows if row.channel == channel] for channel in RULES.channels
    }


@given(lives())
def test_rule_10_never_two_rows_of_a_minute_and_always_in_the_order_of_time(
    life: list[tuple[Frame, float]],
) -> None:
    for minutes in by_channel(rows_of(life)).values():
        assert minutes == sorted(set(minutes))


@given(lives())
def test_rule_3_every_row_is_a_full_minute_above_the_threshold(
    life: list[tuple[Frame, float]],
) -> None:
    for row in rows_of(life):
        assert row.apower_w > RULES.power_threshold_w
        assert row.ts % 60 == 0
        assert row.channel in RULES.channels


@given(lives())
def test_rule_10_every_frame_twice_changes_nothing(life: list[tuple[Frame, float]]) -> None:
    # Frames without ts are left out: their second copy is a reading of a later moment.
    dated = [(frame, now) for frame, now in life if frame.ts is not None]
    assert rows_of([each for pair in dated for each in (pair, pair)]) == rows_of(dated)


@given(lives(steady=True))
def test_rule_5_no_hole_inside_a_run_is_as_short_as_the_blind_gap(
    life: list[tuple[Frame, float]],
) -> None:
    """A row is missing between two others only where the channel was off or the gap too long."""
    offs = {
        (reading.channel, int(now // 60))
        for frame, now in life
        for reading in frame.readings
        if reading.output is False or (reading.apower_w is not None and reading.apower_w <= 5.0)
    }
    for channel, minutes in by_channel(rows_of(life)).items():
        for before, after in pairwise(minutes):
            off_between = any(before // 60 <= m <= after // 60 for c, m in offs if c == channel)
            assert after - before == 60 or off_between or after - before > 6 * 60


@given(lives(), st.randoms(use_true_random=False))
def test_feeding_channels_in_frames_of_their_own_changes_nothing(
    life: list[tuple[Frame, float]], random: Any
) -> None:
    pieces = [
        (Frame(frame.device_id, frame.ts, False, part), now)
        for frame, now in life
        if not frame.full
        # A frame without readings has a ts all the same, by which answers are dated (rule 2).
        for part in [(each,) for each in random.sample(frame.readings, len(frame.readings))] or [()]
    ]
    whole = [(frame, now) for frame, now in life if not frame.full]
    assert by_channel(rows_of(pieces)) == by_channel(rows_of(whole))
