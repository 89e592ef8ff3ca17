"""The application with short limits: what may take a minute elsewhere may take a second here."""

from collector_site.asgi import application as application
from powerlog.entry import deadlines, peer

deadlines.REQUEST_S = deadlines.MESSAGE_S = peer.FIRST_FRAME_S = 1.0
