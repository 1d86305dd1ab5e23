"""What an owner is told of tickets that somebody asked for to work out passwords from."""

from __future__ import annotations

from typing import Final

from dijkwacht_detectors.api import Explanation

TICKETS: Final = Explanation(
    "{src} asked {dst} for many log-in tickets from which passwords can be worked out.",
    "{src} vroeg {dst} om veel inlogbewijzen waaruit wachtwoorden zijn af te leiden.",
    "With such tickets someone can try passwords elsewhere, unseen. Find out who was using {src}. If nobody "
    "can say why, disconnect it, and give the accounts under which your servers' programs run new "
    "passwords of 25 characters or more.",
    "Met zulke bewijzen kan iemand elders, ongezien, wachtwoorden proberen. Zoek uit wie {src} gebruikte. "
    "Kan niemand het verklaren, koppel het dan los en geef de accounts waaronder programma's op uw servers "
    "draaien nieuwe wachtwoorden van 25 tekens of meer.",
    "T1558",
)
