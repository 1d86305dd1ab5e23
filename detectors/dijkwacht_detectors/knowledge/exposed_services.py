"""Services that nobody should offer to the internet as they are, by port: a closed list, with its words.

Numbers are for good: facts of old incidents hold them. Left out on purpose: what is made for the internet (web, mail,
SSH, VPN), and ports that many programs share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.state.naming import njit_lean

_UDP: Final = 17


class Risk(NamedTuple):
    """Why it matters, in English and Dutch, and the ATT&CK technique that begins there."""

    en: str
    nl: str
    technique: str


_SCREEN: Final = Risk(
    "Whoever guesses or buys a password takes over the machine; most break-ins with ransomware begin this way.",
    "Wie een wachtwoord raadt of koopt, neemt het apparaat over; de meeste inbraken met gijzelsoftware beginnen zo.",
    "T1133",
)
_TERMINAL: Final = Risk(
    "Passwords pass in the clear, and programs try the usual ones on every such door day and night.",
    "Wachtwoorden gaan onversleuteld voorbij, en programma's proberen op elke deur als deze dag en nacht de bekende.",
    "T1133",
)
_FILES: Final = Risk(
    "Files can be read or encrypted from outside, and such services have had holes by which worms came in.",
    "Bestanden kunnen van buiten worden gelezen of gegijzeld, en in zulke diensten zaten gaten waardoor wormen binnenkwamen.",
    "T1133",
)
_DATA: Final = Risk(
    "Databases on the internet are found within hours, copied and wiped; many ask for no password at all.",
    "Databases aan het internet worden binnen enkele uren gevonden, gekopieerd en gewist; veel vragen niet eens een wachtwoord.",
    "T1190",
)
_CONTROL: Final = Risk(
    "It steers machines or a building and asks nobody who he is: anyone can switch things on and off.",
    "Het bestuurt machines of een gebouw en vraagt niemand wie hij is: iedereen kan dingen aan- en uitzetten.",
    "T1190",
)
_THING: Final = Risk(
    "Devices of this kind are taken over in great numbers, to attack others or to look inside.",
    "Apparaten van deze soort worden bij duizenden overgenomen, om anderen aan te vallen of om binnen te kijken.",
    "T1190",
)
_ADMIN: Final = Risk(
    "Who gets in there runs everything behind it, and holes in such services are used within days.",
    "Wie daar binnenkomt, is de baas over alles erachter, en gaten in zulke diensten worden binnen enkele dagen misbruikt.",
    "T1190",
)
_MIRROR: Final = Risk(
    "It answers anybody with more than it was asked, and so is used to flood others in your name.",
    "Het antwoordt iedereen met meer dan er gevraagd is, en wordt zo gebruikt om anderen op uw naam te overspoelen.",
    "T1190",
)


class Exposed(NamedTuple):
    """A service by its name in both languages, the TCP and UDP ports that are its own, and what it risks.

    ``web``: it speaks HTTP or TLS, so that a first payload of such a kind is no sign of another service.
    """

    en: str
    nl: str
    risk: Risk
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()
    web: bool = False


EXPOSED: Final[Mapping[int, Exposed]] = {
    1: Exposed("remote desktop (RDP)", "extern bureaublad (RDP)", _SCREEN, (3389,)),
    2: Exposed("remote desktop (VNC)", "extern bureaublad (VNC)", _SCREEN, (5900, 5901, 5902, 5903)),
    3: Exposed("remote screen (X11)", "extern scherm (X11)", _SCREEN, (6000, 6001)),
    4: Exposed("Telnet", "Telnet", _TERMINAL, (23, 2323)),
    5: Exposed("remote shell (rlogin)", "externe shell (rlogin)", _TERMINAL, (512, 513, 514)),
    6: Exposed("Windows file sharing (SMB)", "Windows-bestandsdeling (SMB)", _FILES, (139, 445)),
    7: Exposed("FTP", "FTP", _FILES, (21,)),
    8: Exposed("file sharing (NFS)", "bestandsdeling (NFS)", _FILES, (111, 2049)),
    9: Exposed("file sharing (AFP)", "bestandsdeling (AFP)", _FILES, (548,)),
    10: Exposed("file copying (rsync)", "bestandskopie (rsync)", _FILES, (873,)),
    11: Exposed("disks over the network (iSCSI)", "schijven via het netwerk (iSCSI)", _FILES, (3260,)),
    12: Exposed("SQL Server", "SQL Server", _DATA, (1433,), (1434,)),
    13: Exposed("MySQL", "MySQL", _DATA, (3306, 33060)),
    14: Exposed("PostgreSQL", "PostgreSQL", _DATA, (5432,)),
    15: Exposed("Oracle database", "Oracle-database", _DATA, (1521,)),
    16: Exposed("MongoDB", "MongoDB", _DATA, (27017,)),
    17: Exposed("Redis", "Redis", _DATA, (6379,)),
    18: Exposed("Elasticsearch", "Elasticsearch", _DATA, (9200, 9300), (), True),
    19: Exposed("Memcached", "Memcached", _DATA, (11211,), (11211,)),
    20: Exposed("CouchDB", "CouchDB", _DATA, (5984,), (), True),
    21: Exposed("Cassandra", "Cassandra", _DATA, (9042,)),
    22: Exposed("Firebird", "Firebird", _DATA, (3050,)),
    23: Exposed("the directory of users (LDAP)", "de gebruikerslijst (LDAP)", _DATA, (389, 3268), (389,)),
    24: Exposed("printing", "printen", _THING, (515, 631, 9100), (), True),
    25: Exposed("a camera's video", "camerabeelden", _THING, (554, 8554, 34567, 37777), (), True),
    26: Exposed("messages of devices (MQTT)", "berichten van apparaten (MQTT)", _THING, (1883,)),
    27: Exposed("control of machines (S7)", "machinebesturing (S7)", _CONTROL, (102,)),
    28: Exposed("control of machines (Modbus)", "machinebesturing (Modbus)", _CONTROL, (502,)),
    29: Exposed("building control (BACnet)", "gebouwbeheer (BACnet)", _CONTROL, (), (47808,)),
    30: Exposed("building control (KNX)", "gebouwbeheer (KNX)", _CONTROL, (), (3671,)),
    31: Exposed("building control (Niagara)", "gebouwbeheer (Niagara)", _CONTROL, (1911, 4911), (), True),
    32: Exposed("control of machines (EtherNet/IP)", "machinebesturing (EtherNet/IP)", _CONTROL, (44818,)),
    33: Exposed("control of machines (OPC UA)", "machinebesturing (OPC UA)", _CONTROL, (4840,)),
    34: Exposed("control of machines (IEC 104)", "machinebesturing (IEC 104)", _CONTROL, (2404,)),
    35: Exposed("control of machines (FINS)", "machinebesturing (FINS)", _CONTROL, (9600,), (9600,)),
    36: Exposed("Windows management (RPC)", "Windows-beheer (RPC)", _ADMIN, (135,)),
    37: Exposed("Windows management (WinRM)", "Windows-beheer (WinRM)", _ADMIN, (5985, 5986), (), True),
    38: Exposed("Docker", "Docker", _ADMIN, (2375,), (), True),
    39: Exposed("Kubernetes", "Kubernetes", _ADMIN, (2379, 10250), (), True),
    40: Exposed("a router's management (Winbox)", "routerbeheer (Winbox)", _ADMIN, (8291,)),
    41: Exposed("a router's management (TR-069)", "routerbeheer (TR-069)", _ADMIN, (7547,), (), True),
    42: Exposed("a switch's set-up (Smart Install)", "switch-installatie (Smart Install)", _ADMIN, (4786,)),
    43: Exposed("virtual machines (Proxmox)", "virtuele machines (Proxmox)", _ADMIN, (8006,), (), True),
    44: Exposed("server management (IPMI)", "serverbeheer (IPMI)", _ADMIN, (), (623,)),
    45: Exposed("device management (SNMP)", "apparaatbeheer (SNMP)", _ADMIN, (), (161,)),
    46: Exposed("old VPN (PPTP)", "oude VPN (PPTP)", _TERMINAL, (1723,)),
    47: Exposed("DNS for everybody", "DNS voor iedereen", _MIRROR, (), (53,)),
    48: Exposed("device discovery (UPnP)", "apparaatdetectie (UPnP)", _MIRROR, (), (1900,)),
    49: Exposed("file copying (TFTP)", "bestandskopie (TFTP)", _FILES, (), (69,)),
}  # fmt: skip


def _at_ports() -> NDArray[np.uint8]:
    """The service whose port it is, uint8[2, 65536]: TCP, then UDP; 0 for none."""
    owner = np.zeros((2, 65_536), np.uint8)
    for number, service in EXPOSED.items():
        for row, ports in enumerate((service.tcp, service.udp)):
            owner[row, list(ports)] = number
    return owner


_OWNERS: Final = _at_ports()
_IS_WEB: Final = np.array(
    [number in EXPOSED and EXPOSED[number].web for number in range(max(EXPOSED) + 1)]
)


@njit_lean
def exposed_at(proto, port):  # type: ignore[no-untyped-def]
    """Number of the service at a port of TCP or, if ``proto`` is 17, UDP; 0 for none of the list.

    >>> EXPOSED[exposed_at(6, 3389)].en, exposed_at(17, 443), exposed_at(6, 70_000)
    ('remote desktop (RDP)', 0, 0)
    """
    if not 0 <= port < 65_536:
        return 0
    return np.int64(_OWNERS[1 if proto == _UDP else 0, port])


@njit_lean
def speaks_web(number):  # type: ignore[no-untyped-def]
    """Whether service ``number``, of the list, speaks HTTP or TLS.

    >>> bool(speaks_web(1)), bool(speaks_web(37))
    (False, True)
    """
    return _IS_WEB[number]
