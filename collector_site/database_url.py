"""DATABASE_URL, and the two connections that the collector makes of it."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from collector_site.setting_types import BASE_DIR


def databases(url: str) -> dict[str, dict[str, Any]]:
    """Django's DATABASES for a DATABASE_URL.

    `default` serves the web side. `writer` is the same database through a connection of its own,
    for the thread that writes rows: a page that holds every connection of the pool must not
    hold up a row. Raises ImproperlyConfigured, never repeating the URL: it has a password in it.
    """
    must = "DATABASE_URL must be postgresql://USER:PASSWORD@HOST:PORT/NAME or sqlite:///PATH"
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgresql", "postgres", "sqlite"):
        raise ImproperlyConfigured(f"{must}, but it begins with something else.")
    if scheme == "sqlite":
        return _sqlite(rest.removeprefix("/"), must)
    try:
        default = environ.Env.db_url_config(url)
    except ValueError:
        raise ImproperlyConfigured(
            f"{must}, but its host or port cannot be read. Special characters in the password "
            "are written in percent form: / is %2F, ? is %3F, @ is %40."
        ) from None
    if not default["NAME"]:
        raise ImproperlyConfigured(f"{must}, but the name of the database is missing.")
    options = default.setdefault("OPTIONS", {})
    if "CONN_MAX_AGE" in default or options.keys() & {"pool", "conn_max_age"}:
        raise ImproperlyConfigured(
            "DATABASE_URL sets pool or conn_max_age, but the collector pools connections itself."
        )
    # A host that has vanished is noticed after half a minute, not after a quarter of an hour.
    options |= {"connect_timeout": 5, "tcp_user_timeout": 30_000} | options
    writer = default | {"OPTIONS": options, "CONN_MAX_AGE": None, "TEST": {"MIRROR": "default"}}
    # By itself a pool waits ever longer between two attempts to reconnect, up to minutes; one that
    # gives up at once tries again for the next page.
    pool = {"min_size": 1, "max_size": 10, "timeout": 3, "reconnect_timeout": 3}
    # Checked before use: a pooled connection does not outlive a restart of PostgreSQL.
    default = default | {"OPTIONS": options | {"pool": pool}, "CONN_HEALTH_CHECKS": True}
    return {"default": default, "writer": writer}


def _sqlite(path: str, must: str) -> dict[str, dict[str, Any]]:
    if not path or ":memory:" in path or "?" in path:
        raise ImproperlyConfigured(f"{must}, but it names no file.")
    default = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(BASE_DIR / path),
        "OPTIONS": {
            # Readers and the writer do not stop each other; writers queue up instead of failing.
            "init_command": "PRAGMA journal_mode=WAL;",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },
    }
    return {"default": default, "writer": default | {"TEST": {"MIRROR": "default"}}}
