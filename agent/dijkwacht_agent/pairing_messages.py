"""What an owner reads when a second agent gets the site's key: English, and plain Dutch."""

from __future__ import annotations

from typing import Final

PAIRING_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "joined_others": (
        "This site has another agent ({others}). So that one device has one name in both, give this one the site's key: on the first agent's machine type dijkwacht-agent pair, and here what it prints.",
        "Deze locatie heeft al een agent ({others}). Geef deze agent de sleutel van de locatie, zodat een apparaat bij beide dezelfde schuilnaam heeft: typ op de computer van de eerste agent dijkwacht-agent pair, en hier wat die laat zien.",
    ),
    "pair_offered": (
        "Within an hour, type on the other agent's machine:",
        "Typ binnen een uur op de computer van de andere agent:",
    ),
    "pair_offered_why": (
        "Read these words to nobody else: they open the key that hides your addresses. A new `pair` makes them worthless.",
        "Lees deze woorden aan niemand anders voor: ze openen de sleutel die uw adressen verbergt. Nog een keer `pair` maakt ze waardeloos.",
    ),
    "pair_done": (
        "This agent now has the key of site {site}. Restart it: until then it uses the former key, kept in {path}.",
        "Deze agent heeft nu de sleutel van locatie {site}. Start hem opnieuw: tot dan gebruikt hij de oude sleutel, bewaard in {path}.",
    ),
    "pair_word": (
        "'{word}' is none of the words; type them as they were shown",
        "'{word}' is geen van de woorden; typ ze zoals ze getoond werden",
    ),
    "pair_word_near": (
        "'{word}' is none of the words; is it '{near}'?",
        "'{word}' is geen van de woorden; is het '{near}'?",
    ),
    "pair_count": (
        "there are {wanted} words, not {found}",
        "het zijn {wanted} woorden, geen {found}",
    ),
    "pair_wrong_words": (
        "these words do not open the key; tries left: {left}",
        "deze woorden openen de sleutel niet; nog {left} keer te proberen",
    ),
    "pair_none": (
        "no key waits for site {site}; on the first agent of this same site type: dijkwacht-agent pair",
        "voor locatie {site} ligt er geen sleutel klaar; typ bij de eerste agent van deze locatie: dijkwacht-agent pair",
    ),
    "pair_expired": (
        "the key for site {site} waited longer than an hour; on the first agent type again: dijkwacht-agent pair",
        "de sleutel voor locatie {site} lag er langer dan een uur; typ bij de eerste agent opnieuw: dijkwacht-agent pair",
    ),
    "pair_taken": (
        "the key for site {site} was taken already; for another agent type again on the first one: dijkwacht-agent pair",
        "de sleutel voor locatie {site} is al opgehaald; typ voor nog een agent opnieuw bij de eerste: dijkwacht-agent pair",
    ),
    "pair_tried_out": (
        "the key for site {site} was tried too often; on the first agent type again: dijkwacht-agent pair",
        "de sleutel voor locatie {site} is te vaak geprobeerd; typ bij de eerste agent opnieuw: dijkwacht-agent pair",
    ),
    "pair_same_key": (
        "this agent has the key of site {site} already",
        "deze agent heeft de sleutel van locatie {site} al",
    ),
    "pair_other_site": (
        "the key that waits is another site's, not that of {site}",
        "de sleutel die klaarligt is van een andere locatie, niet van {site}",
    ),
    "pair_refused": (
        "the collector does not carry a key (perhaps it must be updated first): {why}",
        "de verzamelaar geeft geen sleutel door (misschien moet hij eerst worden bijgewerkt): {why}",
    ),
    "pair_unreadable": (
        "what waits at the collector is no key; on the first agent type again: dijkwacht-agent pair",
        "wat bij de verzamelaar klaarligt is geen sleutel; typ bij de eerste agent opnieuw: dijkwacht-agent pair",
    ),
}
