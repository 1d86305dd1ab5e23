"""The address that a piece of hardware held before it claimed another's: whose machine it is."""

from __future__ import annotations

from typing import Final

HELD_ADDRESS: Final = "held_address"
"""A fact of detectors whose subject is hardware: an IPv4 address as a number, 0 if none is known. It is no number
for people: the engine names the machine by it and shows it to nobody."""
