"""The application with a clock that stands in front of every message: hours pass in seconds.

A message is "1750000020.5 {...}": the moment at which it was received, and what it says.
"""

from typing import Any

from channels.routing import ProtocolTypeRouter

from collector_site.asgi import http
from powerlog.consumers import ShellyConsumer


class TimedConsumer(ShellyConsumer):
    async def take(self, message: dict[str, Any]) -> None:
        moment, _, text = message["text"].partition(" ")
        await super().take({"text": text, "at": float(moment)})


application = ProtocolTypeRouter({"http": http, "websocket": TimedConsumer.as_asgi()})
