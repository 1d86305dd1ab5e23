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
    "os_tls": (
        "no secure connection could be made (perhaps something else answers at that address, or it is very busy)",
        "er kwam geen beveiligde verbinding tot stand (misschien antwoordt op dat adres iets anders, of is het er erg druk)",
    ),
    "foreign_collector": (
        "who answers there is not the collector that this agent joined (somebody may stand in between); nothing was sent",
        "wie daar antwoordt is niet de verzamelaar waar deze agent bij hoort (misschien zit er iemand tussen); er is niets verstuurd",
    ),
    "authority_untimely": (
        "the collector's authority is not valid at this time though the clocks are right: it was made while the collector's clock was wrong; its operator has to make another one (dijkwacht authority rotate --finish), and to give a new join code",
        "de autoriteit van de verzamelaar geldt nu niet terwijl de klokken goed lopen: ze is gemaakt toen de klok van de verzamelaar verkeerd liep; de beheerder moet een nieuwe maken (dijkwacht authority rotate --finish), en een nieuwe aanmeldcode geven",
    ),
    "foreign_at_join": (
        "who answers at {url} is not the collector that this code came from, or somebody stands in between; the code was not spent: compare the address with the one that was given",
        "wie op {url} antwoordt is niet de verzamelaar waar deze code vandaan komt, of er zit iemand tussen; de code is niet verbruikt: vergelijk het adres met het opgegeven adres",
    ),
    "identity_unusable": (
        "{path}: the key and certificate in it cannot be used; join again with a new code: dijkwacht-agent join CODE --again",
        "{path}: de sleutel en het certificaat hierin zijn niet te gebruiken; meld de agent opnieuw aan met een nieuwe code: dijkwacht-agent join CODE --again",
    ),
    "identity_replaced": (
        "this agent was joined anew while it ran: start it again",
        "deze agent is opnieuw aangemeld terwijl hij draaide: start hem opnieuw",
    ),
    "state_busy": (
        "{path}: another dijkwacht-agent has been joining or renewing here for a minute, and is not done: wait for it, or stop it if it hangs",
        "{path}: een andere dijkwacht-agent is hier al een minuut aan het aanmelden of vernieuwen, en is niet klaar: wacht erop, of stop hem als hij hangt",
    ),
    "certificate_unusable": (
        "the collector gave a certificate that cannot be used",
        "de verzamelaar gaf een certificaat dat niet te gebruiken is",
    ),
    "clock_ahead": (
        "the clock of this machine is {much} ahead; what is seen is kept until it is right: turn on time synchronisation",
        "de klok van dit apparaat loopt {much} voor; wat gezien wordt, blijft bewaard tot hij goed loopt: zet het gelijkzetten van de tijd aan",
    ),
    "clock_behind": (
        "the clock of this machine is {much} behind: turn on time synchronisation",
        "de klok van dit apparaat loopt {much} achter: zet het gelijkzetten van de tijd aan",
    ),
    "clock_off": (
        "the clock of this machine is {much} {side}: turn on time synchronisation",
        "de klok van dit apparaat loopt {much} {side}: zet het gelijkzetten van de tijd aan",
    ),
    "side_ahead": ("ahead", "voor"),
    "side_behind": ("behind", "achter"),
    "span_years": ("{count} years", "{count} jaar"),
    "span_days": ("{count} days", "{count} dagen"),
    "span_hours": ("{count} hours", "{count} uur"),
    "span_minutes": ("{count} minutes", "{count} minuten"),
    "span_seconds": ("{count} seconds", "{count} seconden"),
    "renewal_late": (
        "this agent's certificate could not be renewed, and ends in {days:.0f} days: {why}",
        "het certificaat van deze agent kon niet worden vernieuwd, en verloopt over {days:.0f} dagen: {why}",
    ),
    "renewal_over": (
        "this agent's certificate has expired, and could not be renewed: {why}",
        "het certificaat van deze agent is verlopen, en kon niet worden vernieuwd: {why}",
    ),
    "join_no_address": (
        "that is this machine itself; with the code comes an address: type @ and the address behind it",
        "dat is dit apparaat zelf; bij de code hoort een adres: typ er @ en het adres achter",
    ),
    "code_wanted": ("The join code: ", "De aanmeldcode: "),
    "collector_foreign": (
        "At {url} somebody answers who cannot be believed: {why}.",
        "Op {url} antwoordt iemand die niet te vertrouwen is: {why}.",
    ),
    "certificate_good": (
        "The way to the collector is encrypted, and each knows the other by its certificate (this agent's is good for {days:.0f} days more, and renews itself).",
        "De weg naar de verzamelaar is versleuteld, en beide kennen elkaar aan hun certificaat (dat van deze agent is nog {days:.0f} dagen goed, en vernieuwt zichzelf).",
    ),
    "certificate_late": (
        "This agent's certificate ends in {days:.0f} days and was not renewed. Does the agent run, and does it reach the collector?",
        "Het certificaat van deze agent verloopt over {days:.0f} dagen en is niet vernieuwd. Draait de agent, en bereikt hij de verzamelaar?",
    ),
    "wrong_clock": (
        "the clock of this machine is wrong, so nothing can be checked",
        "de klok van dit apparaat loopt verkeerd, daardoor is niets te controleren",
    ),
}
