from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PowerlogConfig(AppConfig):
    name = "powerlog"
    verbose_name = _("Power log")
