"""Rule 11: how much energy a known power can have drawn."""

import pytest

from benchmarks.accuracy.playback import play
from benchmarks.accuracy.scenarios import Life
from powerlog.core.energy_bounds import most_wh

MEASURED = 0.05  # a device tells a power that has moved by so much


@pytest.mark.parametrize(
    ("peak_w", "seconds", "used_wh"),
    [
        (430.0, 120.0, 14.33),
        (430.0, 3600.0, 430.0 * (1 + MEASURED)),
        (430.0, 0.0, 430.0 / 60),  # a run of one reading has the rise of a minute
        (4.4, 60.0, 2 * 0.213),  # two quanta of a small load
    ],
)
def test_what_a_load_uses_is_plausible(peak_w: float, seconds: float, used_wh: float) -> None:
    assert used_wh <= most_wh(peak_w * seconds, peak_w)


@pytest.mark.parametrize("used_wh", [81_271.0, 81.271, 2 * 14.4])
def test_a_jump_of_the_counter_is_not(used_wh: float) -> None:
    assert used_wh > most_wh(430.0 * 121.0, 430.0)


@pytest.mark.parametrize("seed", range(12))
def test_every_run_of_a_made_up_life_is_plausible(seed: int) -> None:
    life = Life(seed)
    played = play(life)
    for channel, runs in played.runs.items():
        rows = played.rows[channel].values()
        highest_w = max((row.apower_w for row in rows), default=0.0)
        for run in runs.values():
            seconds = (run.ended_at or life.end) - run.started_at
            peak_w = max(run.peak_w, highest_w)
            assert 0.0 <= run.energy_wh <= most_wh(peak_w * seconds, peak_w)
