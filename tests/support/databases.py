"""A database that is set up, as `manage.py serve` leaves it, without a process that does it."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import ConnectionHandler, connections

from collector_site.settings import databases

ADMIN, PASSWORD = "admin", "of the first staff user"
ALIAS = "being set up"


def set_up(url: str) -> None:
    """Make the tables and the first staff user in this empty database, and let go of it."""
    connections.databases[ALIAS] = ConnectionHandler(databases(url)).databases["writer"]
    try:
        call_command("migrate", database=ALIAS, verbosity=0, interactive=False)
        # A server has the hashers of production, and not the quick one of the tests.
        password = PBKDF2PasswordHasher().encode(PASSWORD, salt="of the tests, and long enough")
        User(username=ADMIN, password=password, is_staff=True, is_superuser=True).save(using=ALIAS)
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], connections.databases[ALIAS]
