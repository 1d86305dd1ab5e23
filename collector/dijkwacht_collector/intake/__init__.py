"""Batches come in, and the orders that wait for agents go out."""

from dijkwacht_collector.intake.batches import Intake, Limits, refuse
from dijkwacht_collector.intake.high_water import HighWater
from dijkwacht_collector.intake.orders import PendingOrders

__all__ = ["HighWater", "Intake", "Limits", "PendingOrders", "refuse"]
