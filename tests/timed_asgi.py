"""The application with a clock that stands in front of every message: hours pass in seconds.

A message is "1750000020.5 {...}": the moment at which it was received, and what it says.
"""

from channels.routing import ProtocolTypeRouter

from collector_site.asgi import http
from powerlog.consumers import ShellyConsumer


class TimedConsumer(ShellyConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        moment, _, text = (text_data or "").partition(" ")
        self.clock = lambda: float(moment)
        await super().receive(text)


application = ProtocolTypeRouter({"http": http, "websocket": TimedConsumer.as_asgi()})
