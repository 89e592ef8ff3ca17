"""Place the labels of a chart: round numbers upwards, round times of day along."""

import math
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from powerlog.dashboard import formatting
from powerlog.localtime import Span

STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180)
MOST_TIMES = 9
ROUND = (1, 2, 2.5, 5, 10, 20, 25)
MOST_STEPS = 5
Ticks = list[tuple[str, str]]  # the place, as a percentage of the chart, and the label


def percent(share: float) -> str:
    """Return a percentage as SVG needs it, in any locale."""
    return f"{100 * share:.3f}".rstrip("0").rstrip(".") + "%"


@dataclass(frozen=True)
class Scale:
    """From 0 to top, with a label at every step."""

    top: float
    step: float

    def labels(self, name: str) -> Ticks:
        """Return the labels; 0 % is the top."""
        digits = 0 if self.step % 1 == 0 else 1 if self.step * 10 % 1 == 0 else 2
        values = [self.step * part for part in range(round(self.top / self.step) + 1)]
        return [
            (percent(1 - each / self.top), formatting.unit(each, name, digits)) for each in values
        ]


def scale(peak: float, least: float) -> Scale:
    """Return a scale up to the next round number above the peak, in at most five steps."""
    peak = max(peak, least)
    decade = 10.0 ** (math.floor(math.log10(peak)) - 1)
    step = next(each * decade for each in ROUND if peak / (each * decade) <= MOST_STEPS)
    return Scale(step * math.ceil(peak / step), step)


def times(window: Span) -> Ticks:
    """Return round times of day, each at its distance from the start: clock changes move them."""
    step = next(
        (each for each in STEPS_MIN if window.minutes / each <= MOST_TIMES - 1), STEPS_MIN[-1]
    )
    local = timezone.localtime(window.start)
    stride = step
    if local.utcoffset() != timezone.localtime(window.end).utcoffset():
        # The clocks change meanwhile: by whole quarters of an hour, everywhere.
        stride = min(step, 15)
    first = -(local.hour * 60 + local.minute) % stride
    ticks = []
    for minute in range(first, window.minutes, stride):
        local = timezone.localtime(window.start + timedelta(minutes=minute))
        if (local.hour * 60 + local.minute) % step == 0:
            ticks.append((percent(minute / window.minutes), f"{local:%H:%M}"))
    return ticks
