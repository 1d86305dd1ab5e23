"""Batches come in, and the orders that wait for agents go out."""

from dijkwacht_collector.intake.batches import Intake, Limits
from dijkwacht_collector.intake.connections import Connections, MostConnections
from dijkwacht_collector.intake.doorkeeper import Door, Offer
from dijkwacht_collector.intake.handshakes import Handshakes
from dijkwacht_collector.intake.high_water import HighWater
from dijkwacht_collector.intake.open_files import raise_limit, room_for_connections
from dijkwacht_collector.intake.orders import PendingOrders
from dijkwacht_collector.intake.refusing import refuse
from dijkwacht_collector.intake.routes import add_routes

__all__ = [
    "Connections",
    "Door",
    "Handshakes",
    "HighWater",
    "Intake",
    "Limits",
    "MostConnections",
    "Offer",
    "PendingOrders",
    "add_routes",
    "raise_limit",
    "refuse",
    "room_for_connections",
]
