"""Which lookups the address of a list may hold: those of its own filters, and no others.

Django takes any lookup on the model's own fields. `?reported_name__regex=(a+)+$` then halts an
SQLite collector for a minute, `?token_hash__startswith=` gives a hash away letter by letter, and
`?last_seen_at__year=0` is an error of the server.
"""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

ENDINGS = ("__exact", "__isnull", "__id__exact")  # what Django's own filters append to their field


class ListFiltersOnly(admin.ModelAdmin):
    """A list that answers every other lookup with 400."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in set(self._lookups(request))

    def _lookups(self, request: HttpRequest | None) -> Iterator[str]:
        for each in self.get_list_filter(request):
            if isinstance(each, type) and issubclass(each, SimpleListFilter):
                yield str(each.parameter_name)
            else:
                name: Any = each[0] if isinstance(each, tuple) else each
                yield from (name + ending for ending in ENDINGS)


admin.site.unregister([User, Group])


@admin.register(User)
class Users(ListFiltersOnly, UserAdmin):
    """Django's own list of users."""


@admin.register(Group)
class Groups(ListFiltersOnly, GroupAdmin):
    """Django's own list of groups."""
