"""What ``--help`` says of each command, and of a line that lacks a word: English, and plain Dutch."""

from __future__ import annotations

from typing import Final

HELP_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "help_agent": (
        "The watch on your network. First: dijkwacht-agent join CODE, with the code that the lab gives you; then: dijkwacht-agent check. Exit codes: 0 all is well; 1 something is wrong (one line on stderr names it); 2 wrong usage.",
        "De wacht op uw netwerk. Eerst: dijkwacht-agent join CODE, met de code die u van het lab krijgt; daarna: dijkwacht-agent check. Wat een opdracht verder kan: dijkwacht-agent OPDRACHT --help (Engels). Uitkomst: 0 alles is goed; 1 er is iets mis (één regel op stderr zegt wat); 2 verkeerd getypt.",
    ),
    "help_run": ("meter and ship until stopped", "waken, tot hij gestopt wordt"),
    "help_join": ("join a site with a code", "aanmelden bij een locatie, met een code"),
    "help_pair": (
        "give another agent of the site its key, or take it",
        "een andere agent van de locatie de sleutel geven, of hem nemen",
    ),
    "help_check": (
        "find out what is wrong, in plain words",
        "zeggen of alles goed is, en wat er mis is",
    ),
    "help_show": (
        "print exactly what leaves the network",
        "precies laten zien wat het netwerk verlaat",
    ),
    "help_who": (
        "open pseudonyms: which device is meant",
        "schuilnamen openen: welk apparaat wordt bedoeld",
    ),
    "help_page": (
        "a page for the owner, behind a PIN",
        "een pagina voor de eigenaar, achter een pincode",
    ),
    "help_pin": ("set the PIN of the page", "de pincode van de pagina kiezen"),
    "help_key": (
        "make a copy of the site's key, or put it back",
        "een kopie maken van de sleutel van de locatie, of hem terugzetten",
    ),
    "choice_none": (
        "{where}: '{typed}' is none of {there} (see {command} --help)",
        "{where}: '{typed}' is geen van {there} (zie {command} --help)",
    ),
    "words_missing": (
        "something is missing: {what} (see {command} --help)",
        "er ontbreekt iets: {what} (zie {command} --help)",
    ),
}
