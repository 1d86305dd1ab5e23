"""The console's words for the closed sets of the contract: severities, classes, states.

Message ids are English; `gettext` catalogues give the rest. ``N_`` only marks a text for them.
"""

from __future__ import annotations

from typing import Final, Literal

AgentState = Literal["up", "late", "silent"]

LATE_AFTER_S: Final = 60
SILENT_AFTER_S: Final = 300


def N_(text: str) -> str:  # noqa: N802  # gettext's own name for it, known to every extractor
    """Mark ``text`` for translation and leave it as it is."""
    return text


SEVERITY: Final = {
    2: N_("Low"),
    3: N_("Medium"),
    4: N_("High"),
    5: N_("Critical"),
}

SEVERITY_STYLE: Final = {2: "low", 3: "medium", 4: "high", 5: "critical"}

KIND: Final = {
    "scan": N_("Scan"),
    "bruteforce": N_("Password guessing"),
    "c2": N_("Remote control"),
    "dns": N_("Misuse of DNS"),
    "dos": N_("Flood"),
    "exfil": N_("Data leaving"),
    "iot": N_("Device taken over"),
    "arp": N_("False identity"),
    "dhcp": N_("False address server"),
    "lateral": N_("Spreading inside"),
    "host": N_("Machine in trouble"),
    "new-device": N_("New device"),
    "policy": N_("Against the rules"),
    "other": N_("Unusual"),
}

AGENT_STATE: Final[dict[AgentState, str]] = {
    "up": N_("Up"),
    "late": N_("Late"),
    "silent": N_("Silent"),
}

STATUS: Final = {
    "new": N_("Open"),
    "closed": N_("Over"),
    "normal": N_("Answered: this is normal"),
}
