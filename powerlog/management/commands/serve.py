"""`manage.py serve`: set up what is missing, say where everything is, and run the collector."""

import logging
import secrets
import socket
import sys
import time
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.urls import reverse

import collector_site.event_loop  # noqa: F401 (before Daphne is imported)
from powerlog.database import rebuild
from powerlog.database.sql import WRITER
from powerlog.monitoring.worker_process import prepare
from powerlog.server.daphne_server import CollectorServer
from powerlog.server.supervisor import run_all
from powerlog.steady_thread import SteadyThread

logger = logging.getLogger(__name__)

# Devices of a whole fleet come back within the same second; the default of 50 turns them away.
BACKLOG = 1024
RETRY_S = 2.0


class Command(BaseCommand):
    help = "Set up the database, create the first staff user, and run the collector."
    requires_migrations_checks = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.told: set[str] = set()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="0.0.0.0", help="address to listen on (0.0.0.0)")
        parser.add_argument("--port", default=5000, type=int, help="port to listen on (5000)")
        parser.add_argument(
            "--processes", default=1, type=int, help="collectors that share the port (1)"
        )
        parser.add_argument("--worker", type=Path, help=SUPPRESS)  # see server/supervisor.py

    def handle(
        self, *args: Any, host: str, port: int, processes: int, worker: Path | None, **options: Any
    ) -> None:
        if worker:
            prepare(worker, processes)
            run(host, port, shared=True)
            return
        if processes < 1:
            raise CommandError(f"--processes is {processes}, but must be 1 or more.")
        listening(host, port).close()  # before anything is set up
        if not self.try_to_set_up():
            SteadyThread("set-up", self.try_again).start()
        self.say_where(lan_address() if host in ("0.0.0.0", "::") else host, port)
        if processes > 1 and connections[WRITER].vendor == "sqlite":
            self.stdout.write("SQLite is written by one process at a time; PostgreSQL by several.")
        self.stdout.flush()
        if processes > 1:
            # The same command line again, with whatever options of Django's it has.
            run_all([sys.executable, *sys.argv], processes)
        else:
            run(host, port)

    def try_again(self) -> bool:
        """Set the database up if it is there by now; the server runs meanwhile. False: it is set
        up, or never will be."""
        try:
            if self.try_to_set_up():
                return False
        except (CommandError, DatabaseError) as exc:
            # Too late to refuse the start; and what is wrong here no waiting will cure.
            logger.error("the database cannot be set up: %s", one_line(exc))
            return False
        time.sleep(RETRY_S)
        return True

    def try_to_set_up(self) -> bool:
        """False while the database is away, which is logged once for each reason.

        Raises DatabaseError for a wrong setting: what no connection can be made with, ever.
        """
        try:
            connections[WRITER].ensure_connection()
        except OperationalError as exc:
            if str(exc).startswith("connection is bad: invalid "):  # libpq, of a wrong option
                raise
            return self.tell_once(exc)
        try:
            self.set_up()
        except (DatabaseError, InterfaceError) as exc:
            # Gone in the middle; or another server, started at the same moment, was quicker with
            # a table or with the first user, and next time finds it there.
            return self.tell_once(exc)
        finally:
            connections.close_all()
        return True

    def tell_once(self, exc: Exception) -> bool:
        if (reason := one_line(exc)) not in self.told:
            self.told.add(reason)
            logger.error(
                "the database cannot be set up yet, it is tried every %.0f s: %s", RETRY_S, reason
            )
        return False

    def set_up(self) -> None:
        # Through the writer's connection, which fails at once where the pool would wait.
        call_command("migrate", database=WRITER, verbosity=0, interactive=False)
        if rebuild.is_due():
            self.stdout.write("Counting the days of the rows that are there, once:")
            self.stdout.flush()
            call_command("rebuild_totals", stdout=self.stdout, stderr=self.stderr)
        is_first = not get_user_model().objects.filter(is_superuser=True).exists()
        generated = create_first_staff_user(settings.ADMIN_PASSWORD) if is_first else ""
        self.stdout.write(f"The database is set up: {settings.DATABASES[WRITER]['NAME']}")
        if generated:
            self.show(generated)
        elif settings.ADMIN_PASSWORD and not is_first:
            self.stdout.write("ADMIN_PASSWORD has no effect, there is a staff user: remove it.")
        self.stdout.flush()

    def show(self, password: str) -> None:
        self.stdout.write("The first staff user, shown this once (change it in the admin):")
        self.stdout.write(f"  admin / {password}")
        if not self.stdout.isatty():
            self.stdout.write(
                "The password stays wherever this output is kept, such as the journal: "
                "log in and change it."
            )

    def say_where(self, host: str, port: int) -> None:
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.stdout.write(
            "Type into the Shelly, under Settings > Connectivity > Outbound WebSocket:\n"
            f"  ws://{authority}/ws{'/ and then WS_TOKEN' if settings.WS_TOKEN else ''}\n"
            f"Dashboard  http://{authority}{reverse('dashboard')}\n"
            f"Admin      http://{authority}{reverse('admin:index')}\n"
            "Ctrl-C stops the collector."
        )


def listening(host: str, port: int, shared: bool = False) -> socket.socket:
    """Return a socket that listens on this address; raise CommandError if that cannot be.

    A shared port (SO_REUSEPORT) has one socket for each process. The kernel deals connections out
    by their addresses, so that each process has its share of them for good: of 1000 that came one
    after the other, four processes had 227 to 264. From one inherited socket the process that
    wakes first takes them: 164 to 438. The price: connections that wait for a process that dies
    are reset, like all that it has; a Shelly dials again a second later.
    """
    if not 0 < port < 65_536:
        raise CommandError(f"--port is {port}, but must be 1 to 65535.")
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as exc:
        made.close()
        raise CommandError(f"Cannot listen on {host} port {port}: {exc.strerror}.") from None
    made.setblocking(False)  # as the reactor wants it
    return made


def create_first_staff_user(password: str) -> str:
    """Create the superuser `admin` with this password, or with a generated one, which is returned.

    Raises CommandError for a password that the validators refuse, and does not repeat it.
    """
    users = get_user_model().objects
    if users.filter(username="admin").exists():
        raise CommandError(
            "There is no superuser, and the name admin belongs to somebody else: "
            "create one with `manage.py createsuperuser`."
        )
    if password:
        refuse_unless_good(password)
    generated = "" if password else secrets.token_urlsafe(12)
    users.create_superuser("admin", password=password or generated)
    return generated


def refuse_unless_good(password: str) -> None:
    if password != password.strip() or not password.isprintable():
        raise CommandError(
            "ADMIN_PASSWORD begins or ends with a space, or has a character that cannot be typed."
        )
    try:
        validate_password(password, get_user_model()(username="admin"))
    except ValidationError as exc:
        raise CommandError(f"ADMIN_PASSWORD is refused. {' '.join(exc.messages)}") from None


def one_line(exc: Exception) -> str:
    return " ".join(str(exc).split())


def lan_address() -> str:
    """Return the address of this machine in its own network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET: only the choice of the route counts
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def run(host: str, port: int, shared: bool = False) -> None:
    """Run the server until SIGINT or SIGTERM. At its end the row writer writes what it holds."""
    from collector_site.asgi import application

    CollectorServer(application, listener=listening(host, port, shared)).run()
