"""The application with hardly any memory: what more than a hundred rows wait for is given up."""

from collector_site.asgi import application as application
from powerlog.writer.row_writer import row_writer

row_writer.backlog._max_waiting = 100
