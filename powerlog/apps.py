from django.apps import AppConfig


class PowerlogConfig(AppConfig):
    name = "powerlog"
    verbose_name = "Power log"
