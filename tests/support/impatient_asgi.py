"""The application with little patience: what takes a minute elsewhere takes a second here."""

from collector_site.asgi import application as application
from powerlog.core import request_schedule
from powerlog.devices import requests

requests.EVERY_S = 0.05
request_schedule.ASK_AGAIN_S, request_schedule.SPREAD_S = 0.5, 0.1
request_schedule.GIVE_UP_S = request_schedule.NAMES_AGAIN_S = 1.0
