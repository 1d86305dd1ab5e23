"""The console's words for the closed sets of the contract: severities, classes, states, advice.

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

ADVICE: Final = {
    "scan": N_(
        "Somebody is trying doors. If nobody who looks after your network is doing this on purpose, "
        "find the machine named here and take it off the network until it has been checked."
    ),
    "bruteforce": N_(
        "Somebody is guessing passwords. Check whether a log-in succeeded, change that password, "
        "and turn on a second step for logging in."
    ),
    "c2": N_(
        "A machine calls the same place again and again, as one under remote control would. "
        "If you do not know the program that does this, take the machine off the network."
    ),
    "dns": N_(
        "Data seems to travel hidden in questions for names. Take the machine off the network "
        "and have it checked for unknown programs."
    ),
    "dos": N_(
        "Something is being flooded with traffic. If work suffers, call your internet provider; "
        "if the flood starts inside, unplug the machine named here."
    ),
    "exfil": N_(
        "Far more data than usual is leaving. Ask who uses this machine whether they sent it: "
        "a backup or a large upload is a good reason. If nobody knows, take it off the network."
    ),
    "iot": N_(
        "A device behaves as if somebody else is using it. Unplug it, update it, and give it a "
        "new password before it comes back."
    ),
    "arp": N_(
        "A machine claims the address of another, so that it could read along. Find it by the "
        "hardware address below and unplug it."
    ),
    "dhcp": N_(
        "A second machine is handing out addresses. It may be a router somebody plugged in by "
        "mistake: find it and unplug it."
    ),
    "lateral": N_(
        "One machine reaches for many others inside. Take it off the network and have it checked."
    ),
    "host": N_(
        "A machine works in a way it never did. Look whether it is only busy, and whether the "
        "programs on it are known."
    ),
    "new-device": N_("A device is here for the first time. Ask around whose it is."),
    "policy": N_("Something happens that your own rules do not allow."),
    "other": N_("This is rare here. Ask whoever uses the machine what it was doing."),
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
