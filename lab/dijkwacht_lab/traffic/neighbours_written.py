"""Messages by which machines find neighbours and routers in IPv6, as rows of ``ndp``."""

from __future__ import annotations

from typing import Final, NamedTuple

from dijkwacht_lab.traffic.ledger import Ledger
from dijkwacht_lab.traffic.site import SECOND
from dijkwacht_records.addresses import UNSPECIFIED
from dijkwacht_records.tables import NDP, TABLES
from dijkwacht_records.vocabulary import NdpFlag, NdpKind

_NDP: Final = TABLES.index(NDP)
_ALL: Final = b"\xff\x02" + bytes(13) + b"\x01"
_ALL_ROUTERS: Final = b"\xff\x02" + bytes(13) + b"\x02"
ANSWERS: Final = int(NdpFlag.SOLICITED | NdpFlag.OVERRIDE)
ANNOUNCES: Final = int(NdpFlag.OVERRIDE)
ROUTES: Final = int(NdpFlag.ROUTER)


def local(number: int) -> bytes:
    """The link-local address of a hardware address, or of any number of 48 bits."""
    high, low = (number >> 24 ^ 0x020000).to_bytes(3, "big"), (number & 0xFFFFFF).to_bytes(3, "big")
    return b"\xfe\x80" + bytes(6) + high + b"\xff\xfe" + low


class Neighbour(NamedTuple):
    """An address, and the card that it has at the moment."""

    address: bytes
    card: int


class Router(NamedTuple):
    """What a router says of itself."""

    at: Neighbour
    lifetime: int = 1_800
    rank: int = 0
    prefixes: int = 1
    resolvers: int = 1
    carries: int = 0


def advertise(ledger: Ledger, at: int, router: Router) -> None:
    """A router says to all that it is there."""
    address, card = router.at
    head = (at, int(NdpKind.ROUTER_ADVERTISEMENT), card, address, _ALL, UNSPECIFIED, card, 0)
    ledger.written.append((at, _NDP, (*head, *router[1:])))


def solicit_routers(ledger: Ledger, at: int, who: Neighbour) -> None:
    """Is there a router?"""
    head = (at, int(NdpKind.ROUTER_SOLICITATION), who.card, who.address, _ALL_ROUTERS, UNSPECIFIED)
    ledger.written.append((at, _NDP, (*head, who.card, 0, 0, 0, 0, 0, 0)))


def ask(ledger: Ledger, at: int, who: Neighbour, whom: Neighbour, *, answered: bool = True) -> None:
    """Is that neighbour still there? And its answer."""
    _solicit(ledger, at, who, whom.address, who.card)
    if answered:
        claim(ledger, at + 300, whom, who.address, ANSWERS)


def is_free(ledger: Ledger, at: int, address: bytes, card: int) -> None:
    """Does anybody have this address? For whoever wants it."""
    _solicit(ledger, at, Neighbour(UNSPECIFIED, card), address, 0)


def claim(
    ledger: Ledger, at: int, who: Neighbour, to: bytes = _ALL, flags: int = ANNOUNCES
) -> None:
    """A neighbour says that it has its address."""
    head = (at, int(NdpKind.NEIGHBOUR_ADVERTISEMENT), who.card, who.address, to, who.address)
    ledger.written.append((at, _NDP, (*head, who.card, flags, 0, 0, 0, 0, 0)))


def arrive(ledger: Ledger, at: int, who: Neighbour, routers: tuple[Router, ...]) -> None:
    """A machine comes to the network: it asks whether its address is free, and who routes."""
    is_free(ledger, at, who.address, who.card)
    at += SECOND + 2_000
    solicit_routers(ledger, at, who)
    for number, router in enumerate(routers):
        advertise(ledger, at + 20_000 + number * 170_000, router)


def _solicit(ledger: Ledger, at: int, who: Neighbour, target: bytes, given: int) -> None:
    head = (at, int(NdpKind.NEIGHBOUR_SOLICITATION), who.card, who.address, target, target, given)
    ledger.written.append((at, _NDP, (*head, 0, 0, 0, 0, 0, 0)))
