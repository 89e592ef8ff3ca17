"""The cells of a table's row, in one go: by Django's loops a table of a day would cost ten
milliseconds, a third of what the whole page may take."""

from collections.abc import Iterable

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def cells(texts: Iterable[str]) -> SafeString:
    return format_html_join("", "<td>{}</td>", ((text,) for text in texts))
