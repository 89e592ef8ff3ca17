#!/usr/bin/env python3
"""Django's command line. What an operator can get wrong ends in one line, not in a traceback."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, connections


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "collector_site.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as exc:
        sys.exit(f"error: {exc}")
    except DatabaseError as exc:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"error: the database of DATABASE_URL: {reason(exc)}")


def reason(exc: DatabaseError) -> str:
    """Why the database does not answer: a pool says only that it waited, a connection says why."""
    try:
        connections["writer"].ensure_connection()
    except DatabaseError as direct:
        exc = direct
    return " ".join(str(exc).split())


if __name__ == "__main__":
    main()
