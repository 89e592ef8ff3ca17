"""Report that a device arrives or departs, to each part that needs it, in the right order."""

import logging
from typing import Any

from powerlog.devices.connections import traffic
from powerlog.devices.pending import waiting_room
from powerlog.devices.registry import registry
from powerlog.log_budget import brake

logger = logging.getLogger(__name__)


def arrive(connection: Any) -> Any:
    """Report the first frame. Return the device's older, half-open connection, if any."""
    peer = connection.peer
    brake.came(peer.address)
    brake(peer.address, logger, logging.INFO, "%s connected", peer)
    waiting_room.leave(peer)
    if older := traffic.came(peer.device_id, connection):
        older.gone()
    registry.met(peer.device_id, peer, connection.sampler)
    return older


def depart(connection: Any) -> None:
    """Report the end of a connection. One without an accepted device only leaves pending."""
    peer = connection.peer
    peer.forget_deadline()
    waiting_room.leave(peer)
    if not connection.began:
        return
    traffic.went(peer.device_id, connection)
    registry.gone(peer.device_id)
    line = "%s gone, %d bad frames"
    brake(peer.address, logger, logging.INFO, line, peer, peer.bad_frames)
    brake.went(peer.address)
