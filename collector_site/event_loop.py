"""Daphne on uvloop's event loop, which takes an eighth of the CPU off a frame that comes alone.

Daphne makes its loop when it is imported: what runs the server imports it from here. Under
Daphne's own command line it is there already, on the standard loop, and everything works the same.
"""

import asyncio

import uvloop

standard = asyncio.get_event_loop_policy()
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
from daphne.server import Server, reactor  # noqa: E402

asyncio.set_event_loop_policy(standard)

__all__ = ["Server", "reactor"]
