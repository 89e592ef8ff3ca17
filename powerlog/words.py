"""Numbers with their units, as people say them, in the reader's locale.

What is not known is a dash. Numbers and units never part at the end of a line.
"""

from datetime import datetime

from django.conf import settings
from django.utils import formats, timezone
from django.utils.translation import gettext as _

DASH = "\u2013"
NBSP = "\u00a0"
MINUS = "\u2212"


def number(value: float, digits: int = 0) -> str:
    """Django's own formatting costs ten times as much, which a table of 300 runs would feel."""
    whole, point, rest = f"{value:,.{digits}f}".partition(".")
    whole = whole.replace("-", MINUS).replace(",", str(formats.get_format("THOUSAND_SEPARATOR")))
    return whole + str(formats.get_format("DECIMAL_SEPARATOR")) + rest if point else whole


def unit(value: float | None, name: str, digits: int = 0) -> str:
    return DASH if value is None else number(value, digits) + NBSP + name


def power(watts: float | None) -> str:
    return unit(watts, "W", 0 if watts is None or abs(watts) >= 99.95 else 1)


def energy(wh: float | None) -> str:
    if wh is None:
        return DASH
    if abs(wh) < 999.5:
        return unit(wh, "Wh", 0 if abs(wh) >= 99.95 or not wh else 1)
    return unit(wh / 1000, "kWh", 2 if abs(wh) < 99_995 else 0)


def volume(cubic_metres: float | None) -> str:
    if cubic_metres is None:
        return DASH
    return unit(cubic_metres, "m³", 2 if abs(cubic_metres) < 9.995 else 1)


def money(amount: float | None) -> str:
    return unit(amount, settings.CURRENCY, 2)


def percent(share: float | None) -> str:
    if share is None:
        return DASH
    return unit(share * 100, "%", 1 if 0 < share < 0.0995 else 0)


def duration(seconds: float | None) -> str:
    """To two places: 45 s, 12 min 30 s, 4 h 12 min, 3 d 4 h."""
    if seconds is None:
        return DASH
    left = round(seconds)
    if left >= 3600:
        left = round(seconds / 60) * 60
    days, hours = divmod(left // 3600, 24)
    places = [
        (days, _("d")),
        (hours, _("h")),
        (left % 3600 // 60, _("min")),
        (left % 60, _("s")),
    ]
    while len(places) > 1 and not places[0][0]:
        places.pop(0)
    said = [f"{count}{NBSP}{name}" for count, name in places[:2] if count]
    return NBSP.join(said) or f"0{NBSP}" + _("s")


def clock(moment: datetime, seconds: bool = False) -> str:
    """The time of day in TIME_ZONE; 24 hours, everywhere."""
    return f"{timezone.localtime(moment):{'%H:%M:%S' if seconds else '%H:%M'}}"


def day(moment: datetime) -> str:
    """A short date with its weekday, for what is not of today."""
    return (
        formats.date_format(timezone.localtime(moment), "D")
        + NBSP
        + formats.date_format(timezone.localtime(moment), "MONTH_DAY_FORMAT").replace(" ", NBSP)
    )


def since(moment: datetime, now: datetime) -> str:
    """The time of day, with the date where that was not today."""
    if timezone.localdate(moment) == timezone.localdate(now):
        return clock(moment)
    return f"{day(moment)}, {clock(moment)}"


def ago(seconds: float) -> str:
    """How long ago; the script on the page says it in the same words."""
    seconds = max(0, int(seconds))
    if seconds < 120:
        return _("%(count)s s ago") % {"count": seconds}
    if seconds < 7200:
        return _("%(count)s min ago") % {"count": seconds // 60}
    if seconds < 172_800:
        return _("%(count)s h ago") % {"count": seconds // 3600}
    return _("%(count)s days ago") % {"count": seconds // 86_400}
