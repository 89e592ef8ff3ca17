"""Devices come and go: who has to know of it, in the order in which they have to."""

import logging
from typing import Any

from powerlog.devices.connections import traffic
from powerlog.devices.pending import waiting_room
from powerlog.devices.registry import registry
from powerlog.log_budget import brake

logger = logging.getLogger(__name__)


def arrive(connection: Any) -> Any:
    """It speaks from here on. Returns its older connection, if any: a half-open one, now gone."""
    peer = connection.peer
    brake.came(peer.address)
    brake(peer.address, logger, logging.INFO, "%s connected", peer)
    waiting_room.leave(peer)
    if older := traffic.came(peer.device_id, connection):
        older.gone()
    registry.met(peer.device_id, peer, connection.sampler)
    return older


def depart(connection: Any) -> None:
    """It has ended. One that never spoke, or might not, was nobody's."""
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
