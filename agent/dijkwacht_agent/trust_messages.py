"""What an owner reads about who is who: certificates, the collector's and his agent's, and the clock."""

from __future__ import annotations

from typing import Final

TRUST_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "refused_no_certificate": (
        "it wants to see a certificate, and this agent has none: join again with a new code",
        "hij wil een certificaat zien, en deze agent heeft er geen: meld hem opnieuw aan met een nieuwe code",
    ),
    "refused_certificate_expired": (
        "this agent's certificate has expired",
        "het certificaat van deze agent is verlopen",
    ),
    "refused_certificate_revoked": (
        "this agent's access was revoked: join again with a new code",
        "de toegang van deze agent is ingetrokken: meld hem opnieuw aan met een nieuwe code",
    ),
    "refused_certificate_unknown": (
        "it does not know this agent's certificate (perhaps there is a copy of this agent, or an old backup was put back): join again with a new code",
        "hij kent het certificaat van deze agent niet (misschien is er een kopie van deze agent, of is een oude reservekopie teruggezet): meld hem opnieuw aan met een nieuwe code",
    ),
    "foreign_collector": (
        "who answers there is not the collector that this agent joined (somebody may stand in between); nothing was sent",
        "wie daar antwoordt is niet de verzamelaar waar deze agent bij hoort (misschien zit er iemand tussen); er is niets verstuurd",
    ),
    "wrong_clock": (
        "the clock of this machine is wrong, so nothing can be checked",
        "de klok van dit apparaat loopt verkeerd, daardoor is niets te controleren",
    ),
}
