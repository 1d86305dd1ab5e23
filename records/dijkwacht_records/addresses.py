"""Addresses as the contract holds them: 16 bytes, IPv4 mapped into ``::ffff:0:0/96``."""

from __future__ import annotations

import ipaddress
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

V4_PREFIX: Final = b"\x00" * 10 + b"\xff\xff"
UNSPECIFIED: Final = b"\x00" * 16


def pack_address(text: str) -> bytes:
    """``"192.0.2.1"`` → 16 bytes. Raises ``ValueError`` for what is no address.

    >>> pack_address("192.0.2.1").hex()
    '00000000000000000000ffffc0000201'
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    return V4_PREFIX + address.packed if address.version == 4 else address.packed


def format_address(packed: bytes) -> str:
    """16 bytes → text, IPv4 in dotted form; ``""`` for the unspecified address.

    >>> format_address(pack_address("192.0.2.1"))
    '192.0.2.1'
    """
    if packed == UNSPECIFIED:
        return ""
    if packed[:12] == V4_PREFIX:
        return f"{packed[12]}.{packed[13]}.{packed[14]}.{packed[15]}"
    return str(ipaddress.IPv6Address(packed))


HASHED_MAC: Final = 1 << 56
"""Set in a hardware address that privacy has replaced: maker (24 bits), then a keyed hash (32)."""


def format_mac(number: int) -> str:
    """A hardware address as text: six octets, or ``maker~hash`` once privacy has run.

    >>> format_mac(0x001B21000001), format_mac(HASHED_MAC | 0x001B21 << 32 | 0xA1B2C3D4)
    ('00:1b:21:00:00:01', '00:1b:21~a1b2c3d4')
    """
    if number == 0:
        return ""
    if number & HASHED_MAC:
        maker = (number >> 32 & 0xFFFFFF).to_bytes(3, "big")
        return f"{maker.hex(':')}~{number & 0xFFFFFFFF:08x}"
    return (number & 0xFFFFFFFFFFFF).to_bytes(6, "big").hex(":")


def pack_mac(octets: bytes) -> int:
    """Six octets → the integer the contract holds."""
    return int.from_bytes(octets, "big")
