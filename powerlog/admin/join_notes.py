"""Sentences for the confirmation page: what else happens when two devices are joined."""

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from powerlog.admin.lists import local
from powerlog.joining.plan import Plan, stays


def notes(planned: Plan) -> Iterator[str]:
    yield from _of_time(planned)
    ids = {"old": planned.old_id, "new": planned.new_id}
    if planned.silences:
        yield ngettext(
            "%(count)s time without contact moves as well.",
            "%(count)s times without contact move as well.",
            planned.silences,
        ) % {"count": planned.silences}
    if planned.shared:
        yield ngettext(
            "%(count)s minute is there twice: the row of the new device stays.",
            "%(count)s minutes are there twice: the rows of the new device stay.",
            planned.shared,
        ) % {"count": planned.shared}
    for part in planned.parts:
        about = ids | {"channel": part.channel}
        if part.running:
            yield (
                _("The open run of %(channel)s ends as lost contact, at its last contact.") % about
            )
        if not part.known:
            yield _("%(new)s has no channel %(channel)s so far. It gets one.") % about
    yield from _of_lines(planned, ids)


def _of_time(planned: Plan) -> Iterator[str]:
    if planned.heard is None:
        return
    old, new = planned.heard
    if both := old.clip(new):
        yield _(
            "They overlap: both were in contact between %(since)s and %(until)s. Check that you "
            "mean these two."
        ) % {"since": local(both.start), "until": local(both.end)}
    elif old.end <= new.start:
        yield _(
            "They do not overlap: the old device was last seen on %(since)s, the new one first on "
            "%(until)s. The time between them is shown as no data."
        ) % {"since": local(old.end), "until": local(new.start)}
    else:
        yield _(
            "The new device was last seen on %(since)s, before the old one came, on %(until)s. "
            "Check that you mean it this way round."
        ) % {"since": local(new.end), "until": local(old.start)}


def _of_lines(planned: Plan, ids: dict[str, str]) -> Iterator[str]:
    old, new = planned.old, planned.new
    if old is None:
        return
    if old.name and not new.name:
        yield _("%(new)s takes over the name “%(name)s”.") % (ids | {"name": old.name})
    if stays(old):
        yield (
            _("%(old)s is blocked. It stays in the list, without a history, and stays blocked.")
            % ids
        )
    else:
        yield (
            _(
                "%(old)s leaves the list, and a token of its own becomes invalid. %(new)s keeps "
                "its own token. If %(old)s connects again, it begins as a new device."
            )
            % ids
        )
    yield (
        _(
            "Minutes of %(old)s that still wait in a spool appear later, under the old id. The "
            "command join_devices then moves them as well."
        )
        % ids
    )
