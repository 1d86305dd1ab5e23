"""Texts about rows that wait and the disk that they wait on, in English and in plain Dutch."""

from __future__ import annotations

from typing import Final

ROW_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "running_unseen": (
        "The agent is running, but cannot write down how it is doing: see what is said of the disk.",
        "De agent draait, maar kan niet opschrijven hoe het met hem gaat: zie wat er over de schijf staat.",
    ),
    "rows_so_far": (
        "Rows since its first start: {made} made = {arrived} at the collector + {waiting} waiting + {rejected} refused by it + {shed} lost here.",
        "Regels sinds de eerste start: {made} gemaakt = {arrived} bij de verzamelaar + {waiting} wachtend + {rejected} door hem geweigerd + {shed} hier verloren.",
    ),
    "spool_fine": (
        "{waiting} wait on disk to be sent, of {limit} at most.",
        "{waiting} wacht op de schijf op verzending, van hoogstens {limit}.",
    ),
    "spool_filling": (
        "{waiting} wait on disk to be sent, of {limit} at most: when it is full the oldest is lost. Does the collector answer?",
        "{waiting} wacht op de schijf op verzending, van hoogstens {limit}: is het vol, dan gaat het oudste verloren. Antwoordt de verzamelaar?",
    ),
    "disk_fine": (
        "There is room on the disk ({free} free).",
        "Er is plaats op de schijf ({free} vrij).",
    ),
    "disk_full": (
        "The disk is nearly full ({free} free), too little for what may have to wait ({limit}).",
        "De schijf is bijna vol ({free} vrij), te weinig voor wat moet kunnen wachten ({limit}).",
    ),
    "disk_takes_nothing": (
        "Nothing can be kept on disk: {why}. What cannot be sent at once is lost. Make room on that disk: delete what is not needed, or give it more.",
        "Op de schijf kan niets worden bewaard: {why}. Wat niet meteen verstuurd kan worden, gaat verloren. Maak ruimte op die schijf: gooi weg wat niet nodig is, of maak hem groter.",
    ),
    "spool_in_use": (
        "{folder}: another agent is running here",
        "{folder}: hier draait al een agent",
    ),
    "ledger_anew": (
        "{folder}: the account of rows is gone or damaged; it begins anew with what waits",
        "{folder}: de telling van de regels is weg of beschadigd; hij begint opnieuw met wat er wacht",
    ),
    "spool_no_room": (
        "{why}: what cannot be sent at once is lost, oldest first; make room on that disk",
        "{why}: wat niet meteen verstuurd kan worden gaat verloren, het oudste eerst; maak ruimte op die schijf",
    ),
    "spool_unwritable": (
        "{why}: nothing can be kept there; what cannot be sent soon is lost",
        "{why}: daar kan niets worden bewaard; wat niet snel verstuurd kan worden gaat verloren",
    ),
}
