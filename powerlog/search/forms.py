"""The search forms for rows, runs and day totals, above the lists and for the export.

Every field may stay empty. Dates and times are those of TIME_ZONE and include their ends, as
people mean them. A time that comes twice in autumn means the first of the two as a start and the
last as an end; a time that does not exist in spring means the moment to which the clock jumps.
queryset() is everything that a valid form matches, newest first, and nothing if it is not valid: a
typing error must not look like an answer.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import F, Model, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from powerlog.localtime import local_moment
from powerlog.models import DayTotal, PowerLog, Run
from powerlog.search.channel_match import Scope, scope_of

Moment = datetime | date

# The first Gen2 devices are of 2020; and the calendar of Python ends in 9999.
CALENDAR = (MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2199, 12, 31)))
TEN_YEARS_MIN = 10 * 366 * 24 * 60


class DayInput(forms.DateInput):
    def __init__(self) -> None:
        super().__init__({"type": "date"}, "%Y-%m-%d")


class MomentField(forms.MultiValueField):
    """A local date, and a time of day if one is given: (date, time or None)."""

    def __init__(self, label: str | Promise) -> None:
        super().__init__(
            (forms.DateField(validators=CALENDAR), forms.TimeField(required=False)),
            label=label,
            required=False,
            require_all_fields=False,
            error_messages={"incomplete": _("Give the date as well.")},
            widget=forms.SplitDateTimeWidget(
                date_attrs={
                    "type": "date",
                    "aria-label": format_lazy(_("{label}, date"), label=label),
                },
                time_attrs={
                    "type": "time",
                    "aria-label": format_lazy(_("{label}, time"), label=label),
                },
            ),
        )

    def compress(self, values: list[Any]) -> tuple[date, time | None] | None:
        return (values[0], values[1]) if values else None


def _watts(label: str | Promise) -> forms.FloatField:
    return forms.FloatField(label=label, required=False, widget=forms.NumberInput({"step": "any"}))


def _minutes(label: str | Promise) -> forms.FloatField:
    return forms.FloatField(
        label=label,
        required=False,
        min_value=0,
        max_value=TEN_YEARS_MIN,
        widget=forms.NumberInput({"step": "any"}),
    )


class Search(forms.Form):
    """The common part of the three forms. moment: the model's field by which lists are ordered."""

    model: type[Model]
    moment: str
    power: str
    ranges: tuple[tuple[str, str], ...] = (("since", "until"), ("min_w", "max_w"))

    device = forms.CharField(
        label=_("Device"),
        required=False,
        max_length=100,
        widget=forms.TextInput({"list": "known-devices", "placeholder": _("name or id")}),
    )
    channel = forms.CharField(
        label=_("Channel"),
        required=False,
        max_length=100,
        widget=forms.TextInput({"list": "known-channels", "placeholder": _("name or switch:2")}),
    )
    since: forms.Field = MomentField(_("From"))
    until: forms.Field = MomentField(_("To"))
    min_w = _watts(_("Power from (W)"))
    max_w = _watts(_("to (W)"))

    def __init__(self, data: Any = None) -> None:
        super().__init__(data or {}, label_suffix="")

    def clean(self) -> None:
        for low, high in self.ranges:
            lowest, highest = self._bounds(low, high)
            if lowest is not None and highest is not None and lowest > highest:
                self.add_error(high, _("This ends before it begins."))

    def _bounds(self, low: str, high: str) -> tuple[Any, Any]:
        if "since" in (low, high):
            until = self.cleaned_data.get("until")
            return self.span[0], until and _last(*until)
        return self.cleaned_data.get(low), self.cleaned_data.get(high)

    @property
    def is_empty(self) -> bool:
        """Return whether the search has no condition: everything matches."""
        return self.is_valid() and not any(
            value not in (None, "") for value in self.cleaned_data.values()
        )

    @property
    def span(self) -> tuple[Moment | None, Moment | None]:
        """Return the span: from the first moment on, and before the second."""
        since, until = (self.cleaned_data.get(name) for name in ("since", "until"))
        return since and _start(*since), until and _end(*until)

    @cached_property
    def scope(self) -> Scope:
        """Return the channels that the search means."""
        return scope_of(self.model, self.cleaned_data["device"], self.cleaned_data["channel"])

    @cached_property
    def rest(self) -> Q:
        """Return the conditions that no index finds; empty if there are none."""
        condition = Q()
        for part in self._rest():
            condition &= part
        return condition

    @property
    def selective(self) -> bool:
        """Return whether an index finds what `rest` asks for after all, and it is never much."""
        return False

    def _rest(self) -> Iterator[Q]:
        lowest, highest = self.cleaned_data["min_w"], self.cleaned_data["max_w"]
        if lowest is not None:
            yield Q(**{f"{self.power}__gte": lowest})
        if highest is not None:
            yield Q(**{f"{self.power}__lte": highest})

    @property
    def in_span(self) -> QuerySet:
        """Return all between from and to, without the other conditions; in no order."""
        rows = self.model._default_manager.order_by()
        start, end = self.span
        if start is not None:
            rows = rows.filter(**{f"{self.moment}__gte": start})
        return rows if end is None else rows.filter(**{f"{self.moment}__lt": end})

    def queryset(self) -> QuerySet:
        if not self.is_valid():
            return self.model._default_manager.none()
        rows = self.in_span.filter(self.scope.where, self.rest)
        return rows.order_by(f"-{self.moment}", "-pk")

    @classmethod
    def picks(cls) -> dict[str, dict[str, str]]:
        """Return the most common spans, and the fields to fill in for each."""
        today = timezone.localdate()
        stretches = {
            _("Today"): (today, today),
            _("Yesterday"): (today - timedelta(days=1),) * 2,
            _("Last 7 days"): (today - timedelta(days=6), today),
            _("Last 30 days"): (today - timedelta(days=29), today),
        }
        return {label: cls.between(*stretch) for label, stretch in stretches.items()}

    @classmethod
    def between(cls, since: Moment, until: Moment) -> dict[str, str]:
        """Return the query for the span from `since` to `until`: dates, or local datetimes."""
        filled = {}
        for name, moment in (("since", since), ("until", until)):
            filled[f"{name}_0"] = f"{moment:%Y-%m-%d}"
            filled[f"{name}_1"] = f"{moment:%H:%M}" if isinstance(moment, datetime) else ""
        return filled


def _start(day: date, at: time | None) -> datetime:
    return local_moment(day, at or time.min)


def _last(day: date, at: time | None) -> datetime:
    """Return the last moment of the day, or of the minute."""
    at = at.replace(second=59, microsecond=999_999) if at else time.max
    return local_moment(day, at, last=True)


def _end(day: date, at: time | None) -> datetime:
    """Return the moment just after the last one. A clock's jump, a whole second, is an end itself:
    the minute asked for does not exist."""
    last = _last(day, at)
    return last + timedelta(microseconds=-last.microsecond % 1_000_000)


class LogSearch(Search):
    model, moment, power = PowerLog, "timestamp", "apower_w"

    source = forms.ChoiceField(
        label=_("Source"), required=False, choices=[("", _("any")), *PowerLog.Source.choices]
    )

    def _rest(self) -> Iterator[Q]:
        yield from super()._rest()
        if source := self.cleaned_data["source"]:
            yield Q(source=source)


class RunSearch(Search):
    """From and to are of its start; its power is the highest; an open run lasts until now."""

    model, moment, power = Run, "started_at", "peak_w"
    ranges = (*Search.ranges, ("min_minutes", "max_minutes"))
    OPEN = "open"

    min_minutes = _minutes(_("Lasting from (min)"))
    max_minutes = _minutes(_("to (min)"))
    end = forms.ChoiceField(
        label=_("How it ended"),
        required=False,
        choices=[
            ("", _("any")),
            (OPEN, _("still running")),
            *(choice for choice in Run.End.choices if choice[0]),
        ],
    )

    @property
    def selective(self) -> bool:
        return self.cleaned_data["end"] == self.OPEN  # one for each channel, at most

    def _rest(self) -> Iterator[Q]:
        yield from super()._rest()
        now, end = timezone.now(), self.cleaned_data["end"]
        if end == self.OPEN:
            yield Q(ended_at=None)
        elif end:
            yield Q(end=end)
        for name, sign in (("min_minutes", "gte"), ("max_minutes", "lte")):
            if (value := self.cleaned_data[name]) is not None:
                opposite = {"gte": "lte", "lte": "gte"}[sign]
                length = timedelta(minutes=value)
                yield Q(**{f"ended_at__{sign}": F("started_at") + length}) | Q(
                    **{"ended_at": None, f"started_at__{opposite}": now - length}
                )


class DaySearch(Search):
    model, moment, power = DayTotal, "day", "peak_w"

    since = forms.DateField(label=_("From"), required=False, validators=CALENDAR, widget=DayInput)
    until = forms.DateField(label=_("To"), required=False, validators=CALENDAR, widget=DayInput)

    @property
    def span(self) -> tuple[Moment | None, Moment | None]:
        since, until = (self.cleaned_data.get(name) for name in ("since", "until"))
        return since, until and until + timedelta(days=1)

    def _bounds(self, low: str, high: str) -> tuple[Any, Any]:
        return self.cleaned_data.get(low), self.cleaned_data.get(high)

    @classmethod
    def between(cls, since: Moment, until: Moment) -> dict[str, str]:
        return {"since": f"{since:%Y-%m-%d}", "until": f"{until:%Y-%m-%d}"}
