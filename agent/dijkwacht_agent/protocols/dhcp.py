"""DHCP messages: which device asks for, gets or gives up which address, and what it calls itself."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final, NamedTuple

from dijkwacht_agent.protocols.dns import read_names
from dijkwacht_agent.protocols.printable import printable
from dijkwacht_records.addresses import UNSPECIFIED, V4_PREFIX, pack_mac

PORTS: Final = frozenset({67, 68})
_COOKIE: Final = b"\x63\x82\x53\x63"
_OPTIONS_AT: Final = 240
_REPLY: Final = 2
_PAD, _HOST_NAME, _DOMAIN, _REQUESTED, _TYPE, _SERVER, _ASKED_FOR, _SEARCH, _END = (
    0,
    12,
    15,
    50,
    53,
    54,
    55,
    119,
    255,
)
_NOWHERE: Final = b"\x00\x00\x00\x00"


class Message(NamedTuple):
    """Fields of a DHCP message; addresses are 16 bytes, unspecified where it holds none."""

    client_mac: int
    msg_type: int
    client_h: bytes
    requested_h: bytes
    server_h: bytes
    host_name: str
    xid: int
    options_hash: int


def read_message(data: bytes, sender: bytes) -> Message | None:
    """Read a BOOTP or DHCP payload sent by ``sender`` (16 bytes); ``None`` for what is none."""
    if len(data) < _OPTIONS_AT or data[_OPTIONS_AT - 4 : _OPTIONS_AT] != _COOKIE:
        return None
    if data[0] not in {1, _REPLY}:
        return None
    options = _read_options(data)
    own, given = data[12:16], data[16:20]
    server = _address(options.get(_SERVER, b""))
    if server == UNSPECIFIED and data[0] == _REPLY:
        server = sender
    return Message(
        client_mac=pack_mac(data[28:34]) if data[2] == 6 else 0,
        msg_type=(options.get(_TYPE) or b"\x00")[0],
        client_h=_address(given if given != _NOWHERE else own),
        requested_h=_address(options.get(_REQUESTED, b"")),
        server_h=server,
        host_name=printable(options.get(_HOST_NAME, b"").rstrip(b"\x00")),
        xid=int.from_bytes(data[4:8], "big"),
        options_hash=hash_options(options.get(_ASKED_FOR, b"")),
    )


def hash_options(codes: bytes) -> int:
    """What kind of device asks: 16 bits of BLAKE2b over the ``codes`` of option 55 in their order.

    Not keyed, so that a kind of device has the same number at every site; 0 stands for no codes alone.

    >>> hash_options(bytes([1, 3, 6])) == hash_options(bytes([1, 6, 3])), hash_options(b"")
    (False, 0)
    """
    if not codes:
        return 0
    return int.from_bytes(blake2b(codes, digest_size=2).digest(), "big") or 1


def read_suffixes(data: bytes) -> list[str]:
    """What a server says names end in here: its domain name (option 15) and search list (119).

    ``data`` is a message that `read_message` could read; that of a client holds none.
    """
    if data[0] != _REPLY:
        return []
    domain, search = (_whole_option(data, code) for code in (_DOMAIN, _SEARCH))
    names = [printable(word) for word in domain.rstrip(b"\x00").lower().split()]
    return names + read_names(search)


def _whole_option(data: bytes, code: int) -> bytes:
    """An option that may be split over several of its code (RFC 3396), joined; empty without it."""
    return b"".join(value for own, value in _each_option(data) if own == code)


def _read_options(data: bytes) -> dict[int, bytes]:
    """Options by code; a repeated one keeps its first value, a cut one is left out."""
    options: dict[int, bytes] = {}
    for code, value in _each_option(data):
        options.setdefault(code, value)
    return options


def _each_option(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = _OPTIONS_AT
    while at < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        if at + 1 >= len(data):
            break
        value = data[at + 2 : at + 2 + data[at + 1]]
        if len(value) == data[at + 1]:
            yield data[at], value
        at += 2 + data[at + 1]


def _address(packed: bytes) -> bytes:
    if len(packed) != 4 or packed == _NOWHERE:
        return UNSPECIFIED
    return V4_PREFIX + packed
