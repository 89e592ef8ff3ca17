"""How many connections an address has, and how often it may come."""

from django.conf import settings

from powerlog.client_address import Tally
from powerlog.server.rate_limits import places

TOO_MANY = "too many from one address"
TOO_OFTEN = "too often from one address"


class Gate:
    """Whoever is let in has to leave again."""

    def __init__(self) -> None:
        self.tally = Tally()

    def enter(self, address: str) -> str:
        """Why it is not let in; "": it is."""
        came = places.arrive(address)
        if came and self.tally.enter(address, settings.MAX_CONNECTIONS_PER_ADDRESS):
            return ""
        places.depart(address)
        return TOO_MANY if came else TOO_OFTEN

    def leave(self, address: str) -> None:
        self.tally.leave(address)
        places.depart(address)
