"""The read-only lists of rows, runs and day totals: a search above, pages by cursor below.

Django's own list would count the table and skip through it. This one shows the page of the search
(powerlog/search/keyset.py) with the names of devices and channels, and shows the number of rows
only if that costs nothing.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from powerlog.admin.lookups import ListFiltersOnly
from powerlog.dashboard import formatting
from powerlog.search.csv_download import download
from powerlog.search.csv_export import TABLES
from powerlog.search.forms import Moment, Search
from powerlog.search.keyset import Cursor, Page, about, find
from powerlog.search.names import names_of, suggestions


class SearchList(ChangeList):
    """A page of a search. Nothing else in the query string means anything to it."""

    model_admin: "LogAdmin"
    has_filters = False

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet:
        self.search = self.model_admin.search(request.GET)
        return self.root_queryset.none()

    def get_results(self, request: HttpRequest) -> None:
        self.page = Page([])
        if self.search.is_valid():
            self.page = find(self.search, self._cursor("before"), self._cursor("after"))
        self.result_list = _named(self.page.rows, self.search.moment)
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_admin_actions = self.can_show_all = self.multi_page = False

    @cached_property
    def columns(self) -> list[Callable[[Any], Any]]:
        return [getattr(self.model_admin, name) for name in self.model_admin.list_display]

    @property
    def head(self) -> list[str]:
        names = self.model_admin.list_display
        return [capfirst(label_for_field(name, self.model, self.model_admin)) for name in names]

    @property
    def body(self) -> SafeString:
        """Return the rows, each with a link to its page. Django's own tag takes 30 ms for them."""
        kept = f"?{self.preserved_filters}" if self.preserved_filters else ""
        first, *others = self.columns
        return format_html_join(
            "\n",
            '<tr><th><a href="{}/change/{}">{}</a></th>{}</tr>',
            ((row.pk, kept, first(row), _cells(row, others)) for row in self.result_list),
        )

    def _cursor(self, name: str) -> Cursor | None:
        return Cursor.read(self.params.get(name, ""), self.model, self.search.moment)

    def link(self, **changes: object) -> str:
        """Return the address of this search with changes; without a cursor, its newest page."""
        asked = {name: value for name, value in self.params.items() if name in self._fields}
        query = {
            name: value for name, value in (asked | changes).items() if value not in ("", None)
        }
        return f"?{urlencode(query)}"

    @cached_property
    def _fields(self) -> set[str]:
        names = {bound.html_name for bound in self.search}
        return names | {f"{name}_{part}" for name in names for part in (0, 1)}

    @property
    def picks(self) -> list[tuple[str, str, bool]]:
        """Return label and address of each pick, and whether it is shown now."""
        return [
            (label, self.link(**days), all(self.params.get(k, "") == v for k, v in days.items()))
            for label, days in self.search.picks().items()
        ]

    @property
    def note(self) -> str:
        return self.model_admin.note(self.result_list)

    @property
    def newest(self) -> str | None:
        return self.link() if self.page.newer else None

    @property
    def newer(self) -> str | None:
        return self.page.newer and self.link(after=self.page.newer)

    @property
    def older(self) -> str | None:
        return self.page.older and self.link(before=self.page.older)

    @cached_property
    def total(self) -> str:
        """Return how many match: exactly if all are on the page, else roughly, or nothing."""
        if self.page.whole and self.result_list:
            return self._counted(str(self.result_count), self.result_count)
        if not self.search.is_valid() or self.page.stopped or self.page.whole:
            return ""
        estimate = about(self.search)
        if estimate is None or estimate <= self.result_count:
            return ""
        return self._counted(_("about %(number)s") % {"number": roughly(estimate)}, estimate)

    def _counted(self, number: str, count: int) -> str:
        one, many = self.opts.verbose_name, self.opts.verbose_name_plural
        return f"{number} {one if count == 1 else many}"

    @property
    def stopped(self) -> str:
        """Return how far the budget went."""
        moment = self.page.stopped
        return moment and local(moment)

    @property
    def forth(self) -> bool:
        return "after" in self.params

    @property
    def unknown(self) -> bool:
        """Return whether no channel that the search means has ever been logged."""
        return self.search.scope.pairs == []

    @property
    def is_empty(self) -> bool:
        """Return whether the table is empty."""
        return self.search.is_empty and not self.result_list and self.page.whole

    @cached_property
    def suggestions(self) -> dict[str, list[str]]:
        return suggestions()


def _cells(row: Any, columns: list[Callable[[Any], Any]]) -> SafeString:
    values = (column(row) for column in columns)
    return format_html_join("", "<td>{}</td>", (("-" if v is None else v,) for v in values))


def _named(rows: list[Any], moment: str) -> list[Any]:
    """Return the rows, each with its `called`; those of one moment in the order of names."""
    called = names_of(rows)
    for row in rows:
        row.called = called[row.device_id, row.channel]
    rows.sort(key=lambda row: (row.called.device, row.called.channel))
    rows.sort(key=lambda row: getattr(row, moment), reverse=True)
    return rows


def roughly(number: int) -> str:
    """Return a rounded number as text: 12.6 million for 12613002, 12,000 for 12345."""
    if number >= 1_000_000:
        millions = f"{float(f'{number / 1e6:.3g}'):g}"
        digits = len(millions.partition(".")[2])
        return _("%(number)s million") % {"number": formatting.number(float(millions), digits)}
    return formatting.number(int(float(f"{number:.2g}")))


def number(value: float | None, decimals: int = 1) -> SafeString | None:
    """Format a number for an aligned column; None if it is not known."""
    if value is None:
        return None
    return format_html('<span class="number">{}</span>', formatting.number(value, decimals))


def local(moment: Moment) -> str:
    """Return a moment in words, such as 3 March 2026, 12:05."""
    if hasattr(moment, "hour"):
        return date_format(timezone.localtime(moment), str(_("j F Y, H:i")))
    return date_format(moment, str(_("j F Y")))


def list_of(model: type[Model], **query: object) -> str:
    """Return the address of another list, filtered."""
    address = reverse(f"admin:powerlog_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(query)}" if query else address


class LogAdmin(ListFiltersOnly):
    """The common part of the three lists: read-only, and never counted in full."""

    search: type[Search]
    empty_text: str
    actions = None
    sortable_by = ()
    show_full_result_count = False
    change_list_template = "admin/powerlog/search_list.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    def get_urls(self) -> list[Any]:
        name = f"powerlog_{self.opts.model_name}_export"
        address = path("export/", self.admin_site.admin_view(self.export), name=name)
        return [address, *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponse:
        """Return all that the list shows with this query as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        return download(request, next(t for t in TABLES.values() if t.search is self.search))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SearchList

    def note(self, rows: Sequence[Any]) -> str:
        """Return the note below these rows."""
        return ""

    @admin.display(description=_("device"))
    def device(self, row: Any) -> SafeString | str:
        if row.called.device_pk is None:
            return row.device_id
        page = reverse("admin:powerlog_device_change", args=[row.called.device_pk])
        return format_html('<a href="{}" title="{}">{}</a>', page, row.device_id, row.called.device)

    @admin.display(description=_("channel"))
    def channel_name(self, row: Any) -> SafeString:
        same = list_of(type(row), device=row.device_id, channel=row.channel)
        return format_html('<a href="{}" title="{}">{}</a>', same, row.channel, row.called.channel)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
