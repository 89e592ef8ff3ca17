"""The application with little patience: what takes a minute elsewhere takes a second here."""

from collector_site.asgi import application as application
from powerlog import asking, questions

asking.EVERY_S = 0.05
questions.ASK_AGAIN_S, questions.SPREAD_S = 0.5, 0.1
questions.GIVE_UP_S = questions.NAMES_AGAIN_S = 1.0
