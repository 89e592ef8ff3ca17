from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _

from powerlog.database.sqlite_files import keep_private


class PowerlogConfig(AppConfig):
    name = "powerlog"
    verbose_name = _("Power log")

    def ready(self) -> None:
        connection_created.connect(keep_private)
