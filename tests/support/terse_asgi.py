"""The application with a short breath: of an address there are few lines, in a minute of 3 s."""

from collector_site.asgi import application as application
from powerlog import log_budget

log_budget.LINES, log_budget.MINUTE_S = 20, 3.0
