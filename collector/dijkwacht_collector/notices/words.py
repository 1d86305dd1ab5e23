"""What people read of the collector by mail or webhook, in English and Dutch."""

from __future__ import annotations

from typing import Final

from dijkwacht_records.notices import Notice

SILENT: Final = (
    (
        "{agent} of {site} has been silent for {minutes} minutes: nobody watches its part of the network.",
        "{agent} van {site} is al {minutes} minuten stil: niemand let op zijn deel van het netwerk.",
    ),
    ("{agent} of {site} is heard again", "{agent} van {site} laat weer van zich horen"),
)
COPIED: Final = (
    (
        "Two machines use the identity of {agent} of {site}: was its disk copied? Remove that agent, and let each machine join again.",
        "Twee apparaten gebruiken de identiteit van {agent} van {site}: is zijn schijf gekopieerd? Verwijder die agent en laat elk apparaat zich opnieuw aanmelden.",
    ),
    (
        "one machine uses the identity of {agent} of {site}",
        "één apparaat gebruikt de identiteit van {agent} van {site}",
    ),
)
FAULT: Final[dict[str, tuple[str, str]]] = {
    "disk full": (
        "The collector's disk is full: it takes in nothing new and judges nothing. Make room; agents keep what they have until then.",
        "De schijf van de verzamelaar is vol: er komt niets nieuws binnen en niets wordt beoordeeld. Maak ruimte; agents bewaren tot dan wat ze hebben.",
    ),
    "too many open files": (
        "The collector has too many files open: it takes in nothing new until that is over.",
        "De verzamelaar heeft te veel bestanden open: tot dat voorbij is, komt er niets nieuws binnen.",
    ),
    "failed": (
        "The collector's disk has failed: it takes in nothing new and stops. Agents keep what they have until it runs again.",
        "De schijf van de verzamelaar is stuk: er komt niets nieuws binnen en hij stopt. Agents bewaren wat ze hebben tot hij weer draait.",
    ),
    "not judged": (
        "The collector has stopped judging: what comes in is kept, but nobody is called for it. Its log says why; start it again.",
        "De verzamelaar beoordeelt niets meer: wat binnenkomt wordt bewaard, maar er wordt niemand voor gewaarschuwd. Zijn logboek zegt waarom; start hem opnieuw.",
    ),
}
"""By what `EngineWorkers.fault` says."""
WELL: Final = (
    "the collector takes in and judges what agents send",
    "de verzamelaar neemt weer aan en beoordeelt wat agents sturen",
)
_TRY: Final = (
    "This is a try, asked for on the collector's machine: messages arrive.",
    "Dit is een proefbericht, gevraagd op de computer van de verzamelaar: berichten komen aan.",
)
TRY: Final = Notice(_TRY, _TRY)


def notice(words: tuple[tuple[str, str], tuple[str, str]], **values: str | int) -> Notice:
    """The notice that ``words`` are for, filled in."""
    (begun, begun_nl), (over, over_nl) = words
    return Notice(
        (begun.format(**values), begun_nl.format(**values)),
        (over.format(**values), over_nl.format(**values)),
    )


def fault(name: str) -> Notice:
    """The notice of a fault of the collector."""
    return Notice(FAULT[name], WELL)
