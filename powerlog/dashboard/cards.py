"""The figures of a day as a page shows them, with what is usual on such a day."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from powerlog.dashboard import formatting
from powerlog.reports.day import MeterDay
from powerlog.reports.figures import ENOUGH_DAYS, Figures, usual

ABOUT = 0.01  # a smaller difference is none
MANY_TIMES = 3
Way = Literal["", "up", "down", "same"]
# The label, the figure, and its format.
Kind = tuple[str, Callable[[Figures], float | None], Callable[[float | None], str]]


@dataclass(frozen=True)
class Card:
    """A figure. change is how much it is above (up) or below (down) what is usual."""

    label: str
    value: str
    usually: str = ""
    change: str = ""
    way: Way = ""


def cards(day: MeterDay) -> tuple[list[Card], list[Card]]:
    """Return the cards of the totals, and those of the day's pattern."""
    price, flow = day.meter.price_kwh, day.meter.flow_m3h
    sums: list[Kind] = [
        (_("Run time"), lambda each: each.run_s, formatting.duration),
        (_("Runs"), lambda each: each.runs, _count),
        (_("Energy"), lambda each: each.energy_wh, formatting.energy),
    ]
    if price is not None:
        sums.append((_("Cost"), lambda each: each.energy_wh / 1000 * price, formatting.money))
    if flow:
        sums.append((_("Water pumped"), lambda each: each.run_s / 3600 * flow, formatting.volume))
    character: list[Kind] = [
        (_("Mean power"), lambda each: each.mean_w, formatting.power),
        (_("Peak power"), lambda each: each.peak_w, formatting.power),
        (_("Share of the time"), lambda each: each.duty, formatting.percent),
        (_("Longest run"), lambda each: each.longest_run_s, formatting.duration),
        (_("Longest pause"), lambda each: each.longest_pause_s, formatting.duration),
        (_("Most starts per hour"), lambda each: each.busiest_hour, _count),
    ]
    return [_card(kind, day) for kind in sums], [_card(kind, day) for kind in character]


def summary(day: MeterDay) -> list[str]:
    """Return a channel's cells in the table of a device."""
    figures, price = day.figures, day.meter.price_kwh
    return [
        formatting.duration(figures.run_s),
        formatting.number(figures.runs),
        formatting.energy(figures.energy_wh),
        formatting.money(None if price is None else figures.energy_wh / 1000 * price),
        formatting.power(figures.peak_w),
    ]


def _count(value: float | None) -> str:
    """Return a count as text: a median may lie between two counts."""
    return (
        formatting.DASH if value is None else formatting.number(value, 0 if value % 1 == 0 else 1)
    )


def _card(kind: Kind, day: MeterDay) -> Card:
    label, of, say = kind
    value, usually = of(day.figures), usual(day.usually, of)
    if value is None or usually is None:
        return Card(label, say(value))
    difference = value - usually
    if say(value) == say(usually) or (usually and abs(difference / usually) < ABOUT):
        return Card(label, say(value), say(usually), _("as usual"), "same")
    if not usually:
        return Card(label, say(value), say(usually), f"+{say(value)}", "up")
    way: Way = "up" if difference > 0 else "down"
    return Card(label, say(value), say(usually), _change(value / usually), way)


def _change(ratio: float) -> str:
    """Return the change in per cent, or as a factor if that is too large to picture."""
    if ratio >= MANY_TIMES:
        return _("%(count)s times") % {"count": formatting.number(ratio, 0 if ratio >= 9.95 else 1)}
    sign = "+" if ratio > 1 else formatting.MINUS
    return sign + formatting.unit(abs(ratio - 1) * 100, "%")


def comparison(day: MeterDay) -> str:
    """Return a sentence on what the figures are compared with; "" if there is too little."""
    count = len(day.usually)
    if count < ENOUGH_DAYS:
        return ""
    if day.passed.end < day.span.end:
        sentence = ngettext(
            "Usual is the median, by this time of day, of %(count)s such weekday.",
            "Usual is the median, by this time of day, of the last %(count)s such weekdays.",
            count,
        )
    else:
        sentence = ngettext(
            "Usual is the median of %(count)s such weekday.",
            "Usual is the median of the last %(count)s such weekdays.",
            count,
        )
    return sentence % {"count": count}
