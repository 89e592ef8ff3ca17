"""Find a page of a search at any size of table, without a count and with bounded work.

Pages continue from a cursor, the time and id of a row. For few channels, each gives its newest rows
through the unique key; otherwise the index on time gives them. What no index finds (a power, a
source, a duration) is searched in a span that holds no more than a budget of rows. If that does not
fill the page, `stopped` is how far it got, and a cursor goes on from there.
"""

import heapq
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from operator import ge, le
from typing import Any, Self

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, F, Model, Q, QuerySet
from django.db.models.expressions import RawSQL

from powerlog.core.frame import ChannelKey
from powerlog.search.forms import Moment, Search

PAGE = 100
# Rows that are looked at for one page, some 20 ms of PostgreSQL each. By time they lie side by
# side; those of a single channel are scattered over the table, a page of the disk for each.
BUDGET = 50_000
CHANNELS_BUDGET = 10_000
FEW_CHANNELS = 5  # to ask what can be on the page is another query: for fewer it is no gain
LAST_ID = 10**18


@dataclass(frozen=True)
class Cursor:
    """A place between two rows, beside the row with this time and id."""

    moment: Moment
    pk: int

    def __str__(self) -> str:
        moment = self.moment
        if isinstance(moment, datetime):
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return f"{moment.isoformat()}_{self.pk}"

    @classmethod
    def read(cls, text: str, model: type[Model], moment: str) -> Self | None:
        """Read a cursor; return None if the text is not one, for the newest page."""
        when, _, pk = text.partition("_")
        if not re.fullmatch("[0-9]{1,19}", pk, re.ASCII):
            return None
        timed = isinstance(model._meta.get_field(moment), DateTimeField)
        try:
            at = datetime.fromisoformat(when) if timed else date.fromisoformat(when)
        except ValueError:
            return None
        if not 2000 <= at.year < 2200:
            return None
        return cls(
            at.replace(tzinfo=UTC) if isinstance(at, datetime) else at, min(int(pk), LAST_ID)
        )


@dataclass(frozen=True)
class Page:
    """rows: newest first. newer, older: where the neighbouring pages begin, if there are any.

    stopped: the budget ended here; whether there is more beyond is not known. whole: these rows
    are all that match.
    """

    rows: list[Any]
    newer: Cursor | None = None
    older: Cursor | None = None
    stopped: Moment | None = None
    whole: bool = False


def find(search: Search, before: Cursor | None = None, after: Cursor | None = None) -> Page:
    """Return the page of a valid search before or after a cursor; without one, the newest."""
    walk = Walk(search, after or before, back=after is None)
    found, edge = walk.found()
    full = len(found) > PAGE
    if not (walk.back or full or edge):
        return find(search)  # nothing is newer: the newest page, and a full one
    rows = found[:PAGE]
    onward = walk.cursor(rows[-1]) if full else walk.beyond(edge)
    behind = (walk.cursor(rows[0]) if rows else walk.start) if walk.start else None
    return Page(
        rows=rows if walk.back else rows[::-1],
        newer=behind if walk.back else onward,
        older=onward if walk.back else behind,
        stopped=None if full else edge,
        whole=walk.start is None and onward is None,
    )


def about(search: Search) -> int | None:
    """Return roughly how many rows match, if that is known without reading them."""
    if connection.vendor != "postgresql":
        return _span_of_ids(search) if search.is_empty else None
    if search.scope.named:
        return None
    if not search.is_empty:
        plan = search.queryset().order_by().explain(format="json")
        return json.loads(plan)[0]["Plan"]["Plan Rows"] if plan else None
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(search.model._meta.db_table)
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])  # -1: never analysed


def _span_of_ids(search: Search) -> int | None:
    ids = search.model._default_manager.order_by("pk").values_list("pk", flat=True)
    first, last = ids.first(), ids.last()
    return None if first is None else last - first + 1


@dataclass(frozen=True)
class Walk:
    """One way through the rows of a search: from `start`, back in time or forth."""

    search: Search
    start: Cursor | None
    back: bool

    def found(self) -> tuple[list[Any], Moment | None]:
        """Return up to one row more than a page, and where the budget ended, if it did."""
        search, pairs = self.search, self.search.scope.pairs
        if search.selective:
            return self._selected(), None
        if pairs is not None and not (search.rest and len(pairs) > CHANNELS_BUDGET // PAGE):
            return self._of_channels(pairs)
        rows, edge = self._rows, None
        if search.rest or search.scope.where:
            edge = self._ordered(rows).values_list(search.moment, flat=True)[BUDGET:].first()
            rows = self._until(rows, edge).filter(search.scope.where, search.rest)
        return list(self._ordered(rows.filter(self._beside), "pk")[: PAGE + 1]), edge

    def cursor(self, row: Model) -> Cursor:
        return Cursor(getattr(row, self.search.moment), row.pk)

    def beyond(self, edge: Moment | None) -> Cursor | None:
        """Return a cursor beyond the edge, whose rows have all been shown."""
        return Cursor(edge, 0 if self.back else LAST_ID) if edge else None

    @property
    def _rows(self) -> QuerySet:
        """From the time of the start on. What its id leaves out of them is in _beside, for that
        is in no index with the time: where there is no need for it, a look at the index is enough.
        """
        rows = self.search.in_span
        if self.start is None:
            return rows
        sign = "lt" if self.back else "gt"
        if 0 < self.start.pk < LAST_ID:  # or else all rows of its time have been seen
            sign += "e"
        return rows.filter(self._condition(sign, self.start.moment))

    @property
    def _beside(self) -> Q:
        if self.start is None:
            return Q()
        sign = "lt" if self.back else "gt"
        further = self._condition(sign, self.start.moment)
        return further | Q(**{f"pk__{sign}": self.start.pk})

    def _condition(self, sign: str, moment: Moment) -> Q:
        return Q(**{f"{self.search.moment}__{sign}": moment})

    def _until(self, rows: QuerySet, edge: Moment | None) -> QuerySet:
        if edge is None:
            return rows
        return rows.filter(self._condition("gte" if self.back else "lte", edge))

    def _ordered(self, rows: QuerySet, *further: str) -> QuerySet:
        sign = "-" if self.back else ""
        return rows.order_by(*(f"{sign}{name}" for name in (self.search.moment, *further)))

    def _selected(self) -> list[Any]:
        """Return rows by an order that no index has: PostgreSQL must not walk all for a few."""
        as_it_is = ExpressionWrapper(
            F(self.search.moment) + timedelta(0), output_field=DateTimeField()
        )
        rows = self._rows.filter(self._beside, self.search.scope.where, self.search.rest)
        order = (as_it_is.desc(), "-pk") if self.back else (as_it_is.asc(), "pk")
        return list(rows.order_by(*order)[: PAGE + 1])

    def _of_channels(self, pairs: list[ChannelKey]) -> tuple[list[Any], Moment | None]:
        rows, edge = self._rows, None
        if self.search.rest:
            edges = self._nth(rows, pairs, CHANNELS_BUDGET // max(1, len(pairs)))
            edge = next(iter(self._first(edges.values())), None)
            rows = self._until(rows, edge).filter(self.search.rest)
        rows = rows.filter(self._beside)
        if len(pairs) > FEW_CHANNELS and not self.search.rest:
            rows, pairs = self._of_newest(rows, pairs)
        near = self._ordered(rows).values_list(self.search.moment, "pk")
        keys = (key for _, key in _of_each(near, pairs, slice(PAGE + 1)))
        found = self.search.model._default_manager.filter(
            pk__in=[pk for _, pk in self._first(keys)]
        )
        return list(self._ordered(found, "pk")), edge

    def _of_newest(
        self, rows: QuerySet, pairs: list[ChannelKey]
    ) -> tuple[QuerySet, list[ChannelKey]]:
        """Return only what can be on the page: the newest few of all channels would fill it."""
        moments = self._ordered(rows).values_list(self.search.moment)
        heads: dict[ChannelKey, list[Any]] = {}
        for pair, (moment,) in _of_each(moments, pairs, slice(PAGE // len(pairs) + 1)):
            heads.setdefault(pair, []).append(moment)
        first = self._first(chain.from_iterable(heads.values()))
        if len(first) > PAGE:
            rows, nearer = self._until(rows, first[PAGE]), (ge if self.back else le)
            heads = {pair: head for pair, head in heads.items() if nearer(head[0], first[PAGE])}
        return rows, list(heads)

    def _nth(self, rows: QuerySet, pairs: list[ChannelKey], n: int) -> dict[ChannelKey, Any]:
        moments = self._ordered(rows).values_list(self.search.moment)
        return {pair: moment for pair, (moment,) in _of_each(moments, pairs, slice(n, n + 1))}

    def _first(self, values: Iterable[Any]) -> list[Any]:
        return (heapq.nlargest if self.back else heapq.nsmallest)(PAGE + 1, values)


def _of_each(
    rows: QuerySet, pairs: list[ChannelKey], part: slice
) -> Iterator[tuple[ChannelKey, tuple[Any, ...]]]:
    """Return the same slice of each channel's rows; in one query if the database can."""
    if not pairs or connection.vendor != "postgresql":
        for device_id, channel in pairs:
            for values in rows.filter(device_id=device_id, channel=channel)[part]:
                yield (device_id, channel), values
        return
    columns = {name: RawSQL(f"pair.{name}", ()) for name in ("device_id", "channel")}
    sql, values = rows.filter(**columns)[part].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pair.*, part.* FROM unnest(%s::text[], %s::text[]) AS pair (device_id, channel)"
            f" CROSS JOIN LATERAL ({sql}) AS part",
            [*map(list, zip(*pairs, strict=True)), *values],
        )
        for device_id, channel, *values in cursor:
            yield (device_id, channel), tuple(values)
