"""Habits that nothing is calibrated on: written later than the detectors, by somebody who does not know them."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from dijkwacht_lab.traffic.habits.unseen import (
    exchange,
    fields,
    legacy,
    pockets,
    practices,
    sound,
    vehicles,
)

FAMILIES: Final[tuple[ModuleType, ...]] = (
    exchange, fields, legacy, pockets, practices, sound, vehicles,
)  # fmt: skip
