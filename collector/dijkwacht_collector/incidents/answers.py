"""What a person's answer makes of an incident."""

from __future__ import annotations

from typing import Final

from dijkwacht_collector.incidents.incident import Incident, Status
from dijkwacht_collector.journal import Answer

ANSWERED: Final[dict[Answer, Status]] = {
    "normal": "normal",
    "attack": "confirmed",
    "undone": "closed",
}
"""The status that an answer gives."""


def changes(answer: Answer, incident: Incident) -> bool:
    """Whether ``answer`` says anything new; only what was answered can be taken back."""
    if answer == "undone":
        return incident.status in {"normal", "confirmed"}
    return incident.status != ANSWERED[answer]
