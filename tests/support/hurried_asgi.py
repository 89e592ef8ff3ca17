"""The application with short limits: what may take a minute elsewhere may take a second here."""

from collector_site.asgi import application as application
from powerlog.devices import session
from powerlog.server import deadlines

deadlines.REQUEST_S = deadlines.MESSAGE_S = session.FIRST_FRAME_S = 1.0
