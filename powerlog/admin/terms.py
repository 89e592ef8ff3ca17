"""What the admin calls tables and columns whose names models.py leaves to Django.

Said there, each would be a migration that changes nothing in the database.
"""

from django.utils.translation import gettext_lazy as _

from powerlog.models import Channel, DayTotal, Device, PowerLog, Run

TABLES = {
    PowerLog: (_("power log"), _("power logs")),
    Run: (_("run"), _("runs")),
    DayTotal: (_("day total"), _("day totals")),
    Device: (_("device"), _("devices")),
    Channel: (_("channel"), _("channels")),
}
COLUMNS = {
    "address": _("address"),
    "admission": _("admission"),
    "channel": _("channel"),
    "connected": _("connected"),
    "day": _("day"),
    "device": _("device"),
    "firmware": _("firmware"),
    "logged": _("logged"),
    "midnights": _("midnights"),
    "model": _("model"),
    "says": _("says"),
    "source": _("source"),
}

for table, (one, many) in TABLES.items():
    table._meta.verbose_name, table._meta.verbose_name_plural = one, many
    for field in table._meta.fields:
        field.verbose_name = COLUMNS.get(field.name, field.verbose_name)
