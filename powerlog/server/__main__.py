"""Daphne's command line with the collector's limits: `python -m powerlog.server`.

Its arguments are Daphne's, such as `-b 0.0.0.0 -p 5000 collector_site.asgi:application`.
"""

from daphne.cli import CommandLineInterface

import collector_site.event_loop  # noqa: F401 (before Daphne is imported)
from powerlog.server.daphne_server import CollectorServer


class CommandLine(CommandLineInterface):
    server_class = CollectorServer


if __name__ == "__main__":
    CommandLine.entrypoint()
