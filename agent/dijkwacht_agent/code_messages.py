"""What an owner reads of a join code that is wrong: English, and plain Dutch."""

from __future__ import annotations

from typing import Final

from dijkwacht_records.joincode import WRONG_CODES

CODE_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "code_letter": (WRONG_CODES["code_letter"], "in een code komt geen '{letter}' voor"),
    "code_long": (WRONG_CODES["code_long"], "de code is te lang: is hij twee keer geplakt?"),
    "code_short": (WRONG_CODES["code_short"], "de code is te kort: ontbreekt er een stuk?"),
    "code_typo": (
        WRONG_CODES["code_typo"],
        "er zit een tikfout in de code, of er ontbreekt een stuk",
    ),
    "code_version": (
        WRONG_CODES["code_version"],
        "de code is van versie {version}; deze agent leest {reads}: werk de agent bij",
    ),
    "code_url": (
        WRONG_CODES["code_url"],
        "'{url}' is geen adres van een verzamelaar (http:// of https://)",
    ),
    "code_place": (
        WRONG_CODES["code_place"],
        "wat achter de @ staat, '{place}', is geen adres: het is een naam, meestal met een dubbele punt en een getal erachter",
    ),
    "code_url_parts": (
        WRONG_CODES["code_url_parts"],
        "'{url}': het adres van een verzamelaar is alleen protocol, naam, poort en pad",
    ),
    "code_refused": (
        "this join code is unknown, used, or older than 24 hours: ask for a new one",
        "deze code is onbekend, al gebruikt, of ouder dan 24 uur: vraag een nieuwe",
    ),
}
