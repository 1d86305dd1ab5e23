"""Why something failed, said to whoever must put it right: plain words for what the system says, and Dutch.

The parts say why in English, each where it happens. A reason that is not known here stays as it is.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import Final

_SYSTEM: Final[tuple[tuple[type[OSError], str, str], ...]] = (
    (
        ConnectionRefusedError,
        "nothing listens at that address (perhaps the collector does not run)",
        "op dat adres luistert niets (misschien draait de verzamelaar niet)",
    ),
    (
        socket.gaierror,
        "that name is not known (perhaps the internet does not work, or the address is wrong)",
        "die naam is niet bekend (misschien werkt het internet niet, of klopt het adres niet)",
    ),
    (
        ssl.SSLCertVerificationError,
        "it cannot prove who it is (its certificate is not trusted)",
        "hij kan niet bewijzen wie hij is (het certificaat wordt niet vertrouwd)",
    ),
    (
        TimeoutError,
        "it takes too long (perhaps a firewall is in between)",
        "het duurt te lang (misschien zit er een firewall tussen)",
    ),
)
_NO_WAY: Final = frozenset((errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN))

_DUTCH: Final = tuple(
    (re.compile(english), dutch)
    for english, dutch in (
        (r"the join code is too short: .*", "de code is te kort: ontbreekt er een stuk?"),
        (r"the join code is too long: .*", "de code is te lang: is hij twee keer geplakt?"),
        (
            r"the join code has a typing error, .*",
            "er zit een tikfout in de code, of er ontbreekt een stuk",
        ),
        (r"a join code has no (.+) in it", r"in een code komt geen \1 voor"),
        (
            r"this join code is unknown, used, or older than 24 hours",
            "deze code is onbekend, al gebruikt, of ouder dan 24 uur",
        ),
        (
            r"this agent has joined (.+) before; --again joins anew",
            r"deze agent hoort al bij \1; met --again meldt u hem opnieuw aan",
        ),
        (
            r"this agent has not joined a site: (.+)",
            r"deze agent hoort nog nergens bij; vraag een code en typ: \1",
        ),
        (
            r"(.+): a name has small letters, .*",
            r"\1: een naam heeft kleine letters, cijfers en streepjes, hoogstens 63",
        ),
        (r"the token is unknown or revoked", "zijn toegang is onbekend of ingetrokken"),
        (r"the collector cannot be reached: .*", "de verzamelaar is niet te bereiken"),
        (r"the collector is busy: .*", "de verzamelaar heeft het te druk"),
        (
            r"the collector does not know our token: .*",
            "de verzamelaar kent deze agent niet; vraag een nieuwe code",
        ),
        (r"the collector refused a batch: .*", "de verzamelaar weigerde een deel"),
        (r"(.+) does not answer like a collector.*", r"wat op \1 antwoordt is geen verzamelaar"),
        (
            r"(.+): capturing needs the right (\w+); .*",
            r"\1: meeluisteren vraagt het recht \2; start met sudo, of geef het aan de dienst",
        ),
        (r"there is no (\S+), there are (.+)", r"\1 is er niet, wel \2"),
        (
            r"which interface\? --interface NAME; there are: (.+)",
            r"welke? kies met --interface NAAM; er zijn: \1",
        ),
        (
            r"(.+): other users may read the key; .*",
            r"andere gebruikers kunnen hem lezen; typ: chmod 600 \1",
        ),
        (r"(.+): a key has (\d+) bytes, .*", r"\1: een sleutel heeft \2 bytes, deze niet"),
    )
)


def reason(why: object, language: str) -> str:
    """``why`` (an error, or what one said) in ``en`` or ``nl``, without a full stop."""
    dutch = language == "nl"
    if isinstance(why, OSError):
        for kind, *said in _SYSTEM:
            if isinstance(why, kind):
                return said[dutch]
        if why.errno in _NO_WAY:
            return (
                "er is geen weg naartoe (misschien zit de kabel er niet in)"
                if dutch
                else "there is no way to it (perhaps the cable is out)"
            )
        if isinstance(why, PermissionError) and why.filename:
            return f"{why.filename}: {'geen toegang; start met sudo' if dutch else 'no access; run as root'}"
    text = str(why)
    if dutch:
        for english, translated in _DUTCH:
            if found := english.fullmatch(text):
                return found.expand(translated)
    return text
