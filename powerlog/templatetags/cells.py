"""The cells of a table's row, in one go: by Django's loops a table of a day would cost ten
milliseconds, a third of what the whole page may take."""

from collections.abc import Iterable

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
BETWEEN = "\x1f"


@register.simple_tag
def cells(texts: Iterable[str]) -> SafeString:
    inside = escape(BETWEEN.join(texts)).replace(BETWEEN, "</td><td>")
    return mark_safe(f"<td>{inside}</td>")
