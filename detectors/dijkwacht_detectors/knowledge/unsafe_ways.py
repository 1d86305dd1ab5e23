"""Old and open ways to talk that give passwords or data away: a closed list, with its words.

Numbers are for good: facts of old incidents hold them. They go on where those of `exposed_services` and
`remote_tools` end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.state.naming import njit_lean
from dijkwacht_records.vocabulary import AuthMethod, AuthService

TELNET, RSHELL, FTP, MAIL, WEB, LDAP, SMB1, OLD_TLS, BROKEN_CIPHER, EXPIRED, SMB_OUT = range(80, 91)


class Way(NamedTuple):
    """What it is called, why it matters and what to do, in English and Dutch; and the ATT&CK technique that it helps."""

    en: str
    nl: str
    why_en: str
    why_nl: str
    technique: str = "T1040"


_OVERHEARD_EN: Final = "Passwords and all else pass unencrypted: whoever gets hold of one machine on the way reads them. "
_OVERHEARD_NL: Final = "Wachtwoorden en al het andere gaan onversleuteld voorbij: wie één apparaat onderweg in handen heeft, leest ze mee. "
WAYS: Final[Mapping[int, Way]] = {
    TELNET: Way(
        "Telnet", "Telnet",
        _OVERHEARD_EN + "Use SSH or the encrypted web page of the device, and switch Telnet off.",
        _OVERHEARD_NL + "Gebruik SSH of de versleutelde webpagina van het apparaat, en zet Telnet uit.",
    ),
    RSHELL: Way(
        "a remote shell of old (rlogin, rsh)", "een oude externe shell (rlogin, rsh)",
        _OVERHEARD_EN + "Use SSH, and switch this off.",
        _OVERHEARD_NL + "Gebruik SSH en zet dit uit.",
    ),
    FTP: Way(
        "FTP with passwords in the clear", "FTP met onversleutelde wachtwoorden",
        _OVERHEARD_EN + "Use SFTP or FTPS, and change that password.",
        _OVERHEARD_NL + "Gebruik SFTP of FTPS, en wijzig dat wachtwoord.",
    ),
    MAIL: Way(
        "mail with passwords in the clear", "mail met onversleutelde wachtwoorden",
        _OVERHEARD_EN + "Set the mail program to TLS (ports 993, 995 and 465), and change that password.",
        _OVERHEARD_NL + "Zet het mailprogramma op TLS (poorten 993, 995 en 465), en wijzig dat wachtwoord.",
    ),
    WEB: Way(
        "a web page that takes passwords in the clear", "een webpagina die wachtwoorden onversleuteld aanneemt",
        _OVERHEARD_EN + "Use the page's https address; if it has none, ask its supplier for one.",
        _OVERHEARD_NL + "Gebruik het https-adres van de pagina; is dat er niet, vraag de leverancier erom.",
    ),
    LDAP: Way(
        "the directory (LDAP) with passwords in the clear", "de gebruikerslijst (LDAP) met onversleutelde wachtwoorden",
        _OVERHEARD_EN + "Have the program use LDAP over TLS.",
        _OVERHEARD_NL + "Laat het programma LDAP via TLS gebruiken.",
    ),
    SMB1: Way(
        "the first version of Windows file sharing (SMB1)", "de eerste versie van Windows-bestandsdeling (SMB1)",
        "Worms such as WannaCry came in by it, and it is not repaired any more. Switch SMB1 off, and replace what "
        "can do nothing newer, often an old copier or NAS.",
        "Wormen zoals WannaCry kwamen erdoor binnen, en het wordt niet meer hersteld. Zet SMB1 uit, en vervang wat "
        "niets nieuwers kan, vaak een oude kopieermachine of NAS.",
        "T1210",
    ),
    OLD_TLS: Way(
        "encryption of before 2008 (TLS 1.1 or older)", "versleuteling van voor 2008 (TLS 1.1 of ouder)",
        "It has been declared unsafe and can be listened in to with some effort. Update the device or program, and "
        "have it use TLS 1.2 or later.",
        "Die is onveilig verklaard en kan worden afgeluisterd door wie moeite doet. Werk het apparaat of programma bij en "
        "laat het TLS 1.2 of nieuwer gebruiken.",
    ),
    BROKEN_CIPHER: Way(
        "encryption that is broken (RC4, DES, export or none)", "versleuteling die gekraakt is (RC4, DES, export of geen)",
        "It can be read by whoever listens in. Update the device, or have its old ciphers switched off.",
        "Wie meeluistert kan het lezen. Werk het apparaat bij, of laat de oude versleuteling uitzetten.",
    ),
    EXPIRED: Way(
        "a certificate that has expired", "een certificaat dat verlopen is",
        "People learn to click warnings away, and then do so when somebody is really in between. Renew the certificate.",
        "Mensen leren waarschuwingen weg te klikken, en doen dat dan ook als er echt iemand tussen zit. Vernieuw het certificaat.",
        "T1557",
    ),
    SMB_OUT: Way(
        "Windows file sharing with a machine on the internet", "Windows-bestandsdeling met een apparaat op internet",
        "It hands the hash of a password to whoever runs that machine. Block ports 139 and 445 to the internet in "
        "your router, and ask who shares files there.",
        "Wie dat apparaat beheert, krijgt een afgeleide van een wachtwoord. Blokkeer de poorten 139 en 445 naar internet "
        "in uw router, en vraag wie daar bestanden deelt.",
        "T1187",
    ),
}  # fmt: skip

_CLEAR = {
    AuthService.FTP: FTP, AuthService.IMAP: MAIL, AuthService.POP: MAIL, AuthService.SMTP: MAIL,
    AuthService.HTTP: WEB, AuthService.LDAP: LDAP,
}  # fmt: skip
_BY_SERVICE: Final = np.array([_CLEAR.get(n, 0) for n in range(256)], np.int64)  # type: ignore[call-overload]
_PASSWORD: Final = int(AuthMethod.PASSWORD)
_TLS_PORTS: Final = (443, 465, 563, 636, 990, 992, 993, 995, 3269, 5986)


def _are(numbers: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which of all numbers of 16 bits are among ``numbers``."""
    found = np.zeros(1 << 16, np.bool_)
    found[list(numbers)] = True
    return found


_BROKEN: Final = _are(
    (
        # no encryption
        0x0000, 0x0001, 0x0002, 0x003B, 0x002C, 0x002D, 0x002E, 0xC001, 0xC006, 0xC00B, 0xC010, 0xC015,
        # RC4
        0x0004, 0x0005, 0x0018, 0x0020, 0x0024, 0x008A, 0x008E, 0x0092, 0xC002, 0xC007, 0xC00C, 0xC011, 0xC016,
        # DES and those for export
        0x0003, 0x0006, 0x0008, 0x0009, 0x000B, 0x000C, 0x000E, 0x000F, 0x0011, 0x0012, 0x0014, 0x0015,
        0x0017, 0x0019, 0x001A, 0x001E, 0x0022, 0x0026, 0x0027, 0x0028, 0x0029, 0x002A, 0x002B, 0x0060,
        0x0061, 0x0062, 0x0063, 0x0064, 0x0065,
        # nobody proves who he is
        0x001B, 0x0034, 0x003A, 0x006C, 0x006D, 0x00A6, 0x00A7, 0xC017, 0xC018, 0xC019,
    )
)  # fmt: skip
"""Cipher suites of TLS that protect nothing any more (RFC 7465, RFC 9325 §4.1)."""


@njit_lean
def clear_password(service, method, succeeded, port):  # type: ignore[no-untyped-def]
    """The way by which a password passed in the clear and was taken, 0 if none did. As of ``auth``.

    >>> clear_password(8, 1, 1, 110) == MAIL, clear_password(8, 1, 0, 110), clear_password(6, 5, 1, 21)
    (True, 0, 0)
    """
    if method != _PASSWORD or succeeded <= 0 or not 0 <= service < 256 or port in _TLS_PORTS:
        return 0
    return _BY_SERVICE[service]


@njit_lean
def is_old(version):  # type: ignore[no-untyped-def]
    """Whether a version of TLS, as of ``tls``, is SSL or TLS 1.1 at most; DTLS counts downwards and is not looked at.

    >>> is_old(0x0302), is_old(0x0303), is_old(0), is_old(0xFEFF)
    (True, False, False, False)
    """
    return 0 < version < 0x0303


@njit_lean
def is_broken(cipher):  # type: ignore[no-untyped-def]
    """Whether a cipher suite protects nothing; 0, which also stands for none seen, is not said to.

    >>> [bool(is_broken(cipher)) for cipher in (0x0005, 0xC02F, 0)]
    [True, False, False]
    """
    return 0 < cipher < len(_BROKEN) and _BROKEN[cipher]
