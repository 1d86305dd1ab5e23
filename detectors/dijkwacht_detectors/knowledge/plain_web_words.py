"""What an owner is told of the web in the clear, in English and Dutch."""

from __future__ import annotations

from collections.abc import Mapping

from dijkwacht_detectors.knowledge.plain_http import SHORT

WHAT_TO_DO = (
    "Old programs and a supplier's own page do this too. Ask whoever uses {src} what it was. If nobody knows, "
    "disconnect {src} from the network, and have it scanned for viruses before it is used again."
)
WAT_TE_DOEN = (
    "Oude programma's en de eigen pagina van een leverancier doen dit ook. Vraag wie {src} gebruikt wat het "
    "was. Weet niemand het, koppel {src} dan los van het netwerk en laat het op virussen nakijken voordat "
    "het weer gebruikt wordt."
)


def amount_of(kilobytes: float) -> tuple[str, str]:
    """Rounded, in English and Dutch."""
    if kilobytes < 1000.0:
        return (f"{kilobytes:.0f} kB",) * 2
    english = f"{kilobytes / 1000.0:.1f} MB"
    return english, english.replace(".", ",")


def oddities_of(facts: Mapping[str, float]) -> tuple[str, str]:
    """What is odd about it, in sentences that end in a space, in English and Dutch."""
    english, dutch = [], []
    if facts["asked_itself"] > 0.0:
        english.append("Shortly before, {src} asked which address it has on the internet. ")
        dutch.append("Kort daarvoor vroeg {src} welk adres het op internet heeft. ")
    if facts["unnamed"] > 0.0:
        english.append("This address was not looked up by a name, as programs nearly always do. ")
        dutch.append("Het adres is niet bij naam opgezocht, wat programma's bijna altijd doen. ")
    if facts["odd_port"] > 0.0:
        english.append("It used a port where such traffic does not belong. ")
        dutch.append("Het ging over een poort waar zulk verkeer niet hoort. ")
    if facts["fetched_kb"] > 0.0 and facts["asked_bytes"] < SHORT:
        english.append("It was asked for in fewer words than a browser uses, so by a program. ")
        dutch.append(
            "Het is met minder woorden gevraagd dan een browser doet, dus door een programma. "
        )
    return "".join(english), "".join(dutch)


def words_of(facts: Mapping[str, float]) -> tuple[str, str, str, str]:
    """Of short messages: title, titel, and how many there were, in sentences that end in a space.

    What was fetched from there before weighs more than they do, and is told with them.
    """
    calls = max(1, round(facts["calls"]))
    often, vaak = (
        ("a short message", "een kort bericht")
        if calls == 1
        else ("short messages", "korte berichten")
    )
    many = "It did so once. " if calls == 1 else f"It did so {calls} times. "
    veel = f"Dat gebeurde {'één' if calls == 1 else calls} keer. "
    where, waar = "{dst} (port {port}) without encryption", "{dst} (poort {port})"
    if facts["fetched_before"] > 0.0:
        return (
            f"{{src}} fetched something from {where}, and exchanged {often} with it, as malware does.",
            (
                f"{{src}} haalde onversleuteld iets op bij {waar} en wisselde er {vaak} mee uit, zoals "
                "kwaadaardige programma's doen."
            ),
            "",
            "",
        )
    return (
        f"{{src}} exchanged {often} with {where}, as malware does.",
        f"{{src}} wisselde onversleuteld {vaak} uit met {waar}, zoals kwaadaardige programma's doen.",
        many,
        veel,
    )
