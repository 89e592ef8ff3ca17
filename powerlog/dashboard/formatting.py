"""Format numbers with their units for people, in the reader's locale.

An unknown value is a dash. A line never breaks between a number and its unit.
"""

from datetime import date, datetime
from functools import cache

from django.conf import settings
from django.utils import formats, timezone
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from powerlog.core.run_state import STARTS_A_MINUTE

DASH = "\u2013"
NBSP = "\u00a0"
MINUS = "\u2212"
UNITS = (gettext_noop("d"), gettext_noop("h"), gettext_noop("min"), gettext_noop("s"))


def number(value: float, digits: int = 0) -> str:
    """Format a number. Django's own formatting costs ten times as much: too slow for 300 runs."""
    point, group = _separators(get_language())
    whole, dot, rest = f"{value:,.{digits}f}".partition(".")
    whole = whole.replace("-", MINUS).replace(",", group)
    return whole + point + rest if dot else whole


@cache
def _separators(language: str | None) -> tuple[str, str]:
    """Return the separators before the decimals, and between thousands."""
    point = formats.get_format("DECIMAL_SEPARATOR", language)
    return str(point), str(formats.get_format("THOUSAND_SEPARATOR", language))


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
    """Format a duration with two units: 45 s, 12 min 30 s, 4 h 12 min, 3 d 4 h."""
    if seconds is None:
        return DASH
    left = round(seconds)
    if left >= 3600:
        left = round(seconds / 60) * 60
    days, hours = divmod(left // 3600, 24)
    counts = [days, hours, left % 3600 // 60, left % 60]
    first = next((at for at, count in enumerate(counts) if count), len(counts) - 1)
    units = _units(get_language())
    said = [
        f"{counts[at]}{NBSP}{units[at]}"
        for at in range(first, min(first + 2, len(counts)))
        if counts[at] or at == len(counts) - 1 == first
    ]
    return NBSP.join(said)


@cache
def _units(language: str | None) -> list[str]:
    """Return UNITS in this language, which is the active one."""
    return [_(unit) for unit in UNITS]


def merged(starts: int) -> str:
    """Return how many starts a run stands for (rule 12); "" if it is one."""
    return _("%(count)s starts, merged") % {"count": number(starts)} if starts > 1 else ""


def why_merged() -> str:
    """Return the note below a table that has a merged run."""
    sentences = _(
        "If a channel starts more than %(count)s times in a minute, all further starts of that "
        "minute are merged into the last run. Counts of runs include every start; the duration "
        "of that run includes the pauses."
    )
    return sentences % {"count": STARTS_A_MINUTE}


def clock(moment: datetime, seconds: bool = False) -> str:
    """Return the time of day in TIME_ZONE, on a 24-hour clock in each language."""
    return f"{timezone.localtime(moment):{'%H:%M:%S' if seconds else '%H:%M'}}"


def day(which: date) -> str:
    """Return a short date with its weekday."""
    month_and_day = formats.get_format("MONTH_DAY_FORMAT")
    return formats.date_format(which, f"D {month_and_day}").replace(" ", NBSP)


def since(moment: datetime, now: datetime) -> str:
    """Return the time of day, with the date if it was not today."""
    if timezone.localdate(moment) == timezone.localdate(now):
        return clock(moment)
    return f"{day(timezone.localdate(moment))}, {clock(moment)}"


def ago(seconds: float) -> str:
    """Return how long ago; the script on the page uses the same words."""
    seconds = max(0, int(seconds))
    if seconds < 120:
        return _("%(count)s s ago") % {"count": seconds}
    if seconds < 7200:
        return _("%(count)s min ago") % {"count": seconds // 60}
    if seconds < 172_800:
        return _("%(count)s h ago") % {"count": seconds // 3600}
    return _("%(count)s days ago") % {"count": seconds // 86_400}
