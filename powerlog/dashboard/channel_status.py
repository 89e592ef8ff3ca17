"""The present state of a channel, since when, and when it was last in contact."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.utils.translation import gettext as _

from powerlog.dashboard import formatting
from powerlog.models import Run
from powerlog.reports.channels import Meter

Kind = Literal["running", "stopped", "silent", "new", "unmetered"]


@dataclass(frozen=True)
class State:
    """silent: no contact since `since`; new: it has never run; unmetered: it has no meter."""

    kind: Kind
    since: datetime | None
    heard_at: datetime | None
    now: datetime
    detail: str = ""

    @property
    def title(self) -> str:
        titles = {
            "running": _("Running"),
            "stopped": _("Stopped"),
            "silent": _("No contact"),
            "new": _("Has not run yet"),
            "unmetered": _("No meter"),
        }
        return titles[self.kind]

    @property
    def since_text(self) -> str:
        if self.since is None:
            return ""
        return _("since %(time)s") % {"time": formatting.since(self.since, self.now)}

    @property
    def ago(self) -> str:
        if self.heard_at is None:
            return _("never heard")
        return formatting.ago((self.now - self.heard_at).total_seconds())

    @property
    def heard_ts(self) -> int:
        return int(self.heard_at.timestamp()) if self.heard_at else 0


def state(meter: Meter, run: Run | None, now: datetime) -> State:
    """Return the state of a channel. run is its newest one."""
    is_open = run is not None and run.ended_at is None
    if run is None and not meter.reports_power:
        return State("unmetered", None, meter.heard_at, now)
    if not meter.in_contact(now):
        detail = _("It was running then.") if is_open else ""
        return State("silent", meter.heard_at, meter.heard_at, now, detail)
    if run is None:
        return State("new", None, meter.heard_at, now, _negative(meter, now))
    if is_open:
        return State("running", run.started_at, meter.heard_at, now)
    if run.end == Run.End.LOST_CONTACT:
        last = formatting.since(run.ended_at, now)
        detail = _("Last seen running at %(time)s, before the contact was lost.") % {"time": last}
        return State("stopped", None, meter.heard_at, now, detail)
    return State("stopped", run.ended_at, meter.heard_at, now)


def _negative(meter: Meter, now: datetime) -> str:
    """Return a hint if a channel that has never run has a power below zero."""
    if meter.negative_w is None or meter.negative_at is None:
        return ""
    found = {
        "power": formatting.power(meter.negative_w),
        "time": formatting.since(meter.negative_at, now),
    }
    if meter.channel.startswith("em"):
        return (
            _(
                "Power is always negative (%(power)s at %(time)s): the clamp may sit the wrong way "
                "round, or it measures what is fed in."
            )
            % found
        )
    return (
        _(
            "Power is always negative (%(power)s at %(time)s): it may be connected the wrong way "
            "round, or it measures what is fed in."
        )
        % found
    )
