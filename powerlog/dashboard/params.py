"""Read a page's parameters: which channel, which day, which part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import Http404, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from powerlog.localtime import MINUTE, Span
from powerlog.models import Run
from powerlog.reports import channels
from powerlog.reports.channels import Meter

# The first Gen2 devices are of 2020; and the calendar of Python ends in 9999.
FIRST_DAY, LAST_DAY = date(2020, 1, 1), date(2199, 12, 31)
MOST_ID = 2**63 - 1
SHORTEST_WINDOW = 5


class DayForm(forms.Form):
    """The date picker."""

    day = forms.DateField(
        label=gettext_lazy("Day"),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(
            {"type": "date", "min": FIRST_DAY.isoformat(), "max": LAST_DAY.isoformat()}, "%Y-%m-%d"
        ),
        validators=[MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)],
    )


@dataclass(frozen=True)
class Choice:
    """day None: not given. run: the one to show closely. siblings: the channels of the same
    device, with this one if it is logged."""

    meter: Meter
    form: DayForm
    day: date | None
    run: Run | None = None
    siblings: Sequence[Meter] = ()


def choice(query: QueryDict) -> Choice:
    """Return the channel and day asked for. Raise Http404 for an unknown channel or run."""
    run = _run(query.get("run", ""))
    if run:
        device_id, channel = run.device_id, run.channel
    else:
        device_id, _, channel = query.get("meter", "").rpartition("/")
    siblings = channels.of_device(device_id)
    among = (each for each in siblings if each.channel == channel)
    meter = next(among, None) or channels.find(device_id, channel)
    if meter is None:
        raise Http404(unknown_channel(query.get("meter", "")))
    day, form = asked_day(query)
    if run and day is None:
        day = timezone.localdate(run.started_at)
    return Choice(meter, form, day, run, siblings)


def unknown_channel(name: str) -> str:
    return _("There is no channel “%(name)s”.") % {"name": name}


def device(query: QueryDict) -> list[Meter]:
    """Return the channels of a device. Raise Http404 if there are none."""
    found = channels.of_device(query.get("device", ""))
    if not found:
        raise Http404(_("There is no device “%(name)s”.") % {"name": query.get("device", "")})
    return found


def asked_day(query: QueryDict) -> tuple[date | None, DayForm]:
    form = DayForm({"day": query.get("day") or ""}, label_suffix="")
    form.is_valid()
    return form.cleaned_data.get("day"), form


def window(query: QueryDict, span: Span, run: Run | None) -> Span:
    """Return the part of the day to draw. Invalid input selects the whole day."""
    first, last = _minute(query.get("from", "")), _minute(query.get("to", ""))
    if run:
        end = run.ended_at or timezone.now()
        around = max(0.25 * (end - run.started_at), 5 * MINUTE)
        first = int(span.minute(run.started_at - around))
        last = int(span.minute(end + around)) + 1
    if first is None or last is None:
        return span
    first, last = max(0, first), min(span.minutes, last)
    if last - first < SHORTEST_WINDOW:
        return span
    return Span(span.start + first * MINUTE, span.start + last * MINUTE)


def _minute(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else None


def _run(text: str) -> Run | None:
    """Return the run asked for, or None. Raise Http404 if it does not exist."""
    if not text:
        return None
    is_id = text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MOST_ID
    run = Run.objects.filter(pk=int(text)).first() if is_id else None
    if run is None:
        raise Http404(_("There is no such run."))
    return run
