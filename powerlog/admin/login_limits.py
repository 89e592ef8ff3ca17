"""Around the login of the admin: under which name it works, and one try at a time for each place.

django-axes counts a failure after its password was hashed. Tries that come together would all find
the count of before, and all be hashed. So the next try of a place begins when the last one is
counted: of one place no more than AXES_FAILURE_LIMIT are hashed, and one more for each further
process.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import sync_only_middleware

from powerlog.client_address import asking
from powerlog.own_hosts import asked_by_own_name, host, name_and_port

WAIT_S = 10.0  # a slow machine hashes for seconds; long before outage.in_time() gives the page up


class Turn:
    """The turn of one place: the request with the lock tries, and the others present wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.present = 0


class Turns:
    """One try at a time for each place; a place without a try is not kept."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._places: dict[str | None, Turn] = {}

    @contextmanager
    def wait(self, place: str | None, most: int) -> Iterator[bool]:
        """Wait for the turn of this place. Yield False if too many wait, or for too long."""
        turn = self._enter(place, most)
        if turn is None:
            yield False
            return
        try:
            mine = turn.lock.acquire(timeout=WAIT_S)
            try:
                yield mine
            finally:
                if mine:
                    turn.lock.release()
        finally:
            self._leave(place, turn)

    def _enter(self, place: str | None, most: int) -> Turn | None:
        with self._guard:
            turn = self._places.setdefault(place, Turn())
            if turn.present >= most:
                return None
            turn.present += 1
            return turn

    def _leave(self, place: str | None, turn: Turn) -> None:
        with self._guard:
            turn.present -= 1
            if not turn.present:
                del self._places[place]

    def __len__(self) -> int:
        return len(self._places)


turns = Turns()


@sync_only_middleware
def guarded(get_response: Any) -> Any:
    """Middleware, before all that asks the database: who waits here holds no connection to it.

    Each request has a thread of its own, so that other pages go on. A client that leaves does not
    end the turn: the thread still hashes.
    """
    login = reverse("admin:login")

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path != login:
            return get_response(request)
        if not asked_by_own_name(request):
            return strange_name(request)
        if request.method != "POST":
            return get_response(request)
        # A request after so many failures would be locked out anyway.
        with turns.wait(asking(request), settings.AXES_FAILURE_LIMIT) as mine:
            return get_response(request) if mine else busy(request)

    return middleware


def strange_name(request: HttpRequest) -> HttpResponse:
    """Instead of the form. A page of the internet could use it up for its reader's address."""
    site = name_and_port(f"http://{host(request)}")
    known = {"name": site[0] if site else "", "any_name": "*" in settings.ALLOWED_HOSTS}
    response = render(request, "strange_name.html", known, status=400)
    add_never_cache_headers(response)
    return response


def busy(request: HttpRequest) -> HttpResponse:
    response = render(request, "login_busy.html", status=429)
    response["Retry-After"] = "5"
    return response


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """For django-axes, whose own answer to a script may be read by every site."""
    known = {"failure_limit": settings.AXES_FAILURE_LIMIT}
    return render(request, "locked_out.html", known, status=429)
