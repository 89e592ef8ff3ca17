"""The energy that the runs of a channel may have, as exactly as it is knowable.

Pure.
"""

from bisect import bisect_left

from benchmarks.accuracy.energy_uncertainty import Uncertainty
from benchmarks.accuracy.readings import Reading
from benchmarks.accuracy.results import NEAR_S
from powerlog.core.channel_state import Rules
from powerlog.core.run_state import RunState
from powerlog.simulation.channel import Channel
from powerlog.simulation.curves import MINUTE_S


class Bounds:
    """The least and the most energy of a run. starts: when the runs of the channel truly start."""

    def __init__(
        self,
        channel: Channel,
        gaps: list[tuple[Reading, Reading]],
        starts: list[float],
        uncertainty: Uncertainty | None,
        rules: Rules,
    ) -> None:
        self._channel, self._gaps, self._starts, self._rules = channel, gaps, starts, rules
        self._uncertainty = uncertainty

    def of(self, run: RunState, until: float) -> tuple[float, float]:
        """Return both, in Wh. until: the end of the run, or of the life."""
        curve, counter = self._channel.curve, self._channel.counter
        # A device reports what it measures up to a second after it has switched on.
        turned = near(self._starts, run.started_at)
        since = run.started_at if turned is None else turned
        used_wh = curve.drawn_wh(until) - curve.drawn_wh(since)
        # A counter that steps back by less than it rose since it last spoke is believed.
        least_wh, most_wh = used_wh - counter.stepped_back_wh(since, until), used_wh
        for before, after in self._gaps:
            unclear = self._unclear_wh(run, until, before, after)
            least_wh, most_wh = least_wh - unclear[0], most_wh + unclear[1]
        if self._uncertainty is not None:
            little_wh, much_wh = self._uncertainty.of(since, until)
            least_wh, most_wh = least_wh - little_wh, most_wh + much_wh
        return least_wh, most_wh

    def _unclear_wh(
        self, run: RunState, until: float, before: Reading, after: Reading
    ) -> tuple[float, float]:
        """Return by how much a run may be too low and too high, as a gap leaves it open, in Wh."""
        used_wh = self._channel.curve.drawn_wh
        last_minute = before.minute * MINUTE_S
        known_until = before.at if before.active(self._rules) else last_minute
        if known_until <= run.started_at < after.at:
            # The record has full minutes; the use in the rest of the last one is unknown.
            rest = max(run.started_at, after.minute * MINUTE_S)
            return used_wh(after.at) - used_wh(rest), run.peak_w * (after.at - rest) / 3600
        lost = run.end == "lost contact" and until >= last_minute
        if run.started_at > before.at or (until <= before.at and not lost):
            return 0.0, 0.0
        if self._channel.counter.forgotten_wh(last_minute, after.at):
            return 0.0, run.peak_w * (after.at - last_minute) / 3600
        # A database knows the minute of the last reading of a channel, not its moment; and a
        # counter shows what was used in a gap, but not by which run.
        end = before.at if until <= before.at else after.at
        return 0.0, max(0.0, used_wh(end) - used_wh(until))


def near(moments: list[float], at: float) -> float | None:
    """Return the first of these moments, in order, that is near this one."""
    index = bisect_left(moments, at - NEAR_S)
    return moments[index] if index < len(moments) and moments[index] <= at + NEAR_S else None
