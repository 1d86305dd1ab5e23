"""Addresses that a name spells: ``ip-192-168-1-5``, ``c0a80105``, ``3232235781``, ``001b21aabbcc`` ...

IPv4 in decimal or hexadecimal octets with a mark between them, forwards or backwards, as eight
hexadecimal digits or as one decimal number; IPv6 with dashes or underscores, as 32 digits, or as 32
labels of one; hardware addresses with marks, in three groups of four, in two of six, or as twelve
digits, also behind the letters that makers put before them (``SEP001b21aabbcc``); interface ids made
from one. What has no mark could be anything, so it counts below a registered domain only,
which stays readable.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Final

from dijkwacht_records.addresses import V4_PREFIX

Span = tuple[int, int]
"""First character and the one after the last."""
Test = Callable[[bytes], bool]
"""Whether a 16-byte address is to be hidden."""

_DECIMAL: Final = re.compile(
    r"(?<![0-9])(?=([0-9]{1,3}([-._x])[0-9]{1,3}\2[0-9]{1,3}\2[0-9]{1,3})(?![0-9]))"
)
_HEX_OCTETS: Final = re.compile(
    r"(?<![0-9a-f])(?=((?:0x)?[0-9a-f]{1,2}([-._])(?:(?:0x)?[0-9a-f]{1,2}\2){2}(?:0x)?[0-9a-f]{1,2})(?![0-9a-f]))"
)
_V6: Final = re.compile(
    r"(?<![0-9a-z])(?=((?:[0-9a-f]{0,4}([-_]))(?:[0-9a-f]{0,4}\2){1,6}[0-9a-f]{0,4})(?![0-9a-z_-]))"
)
_NIBBLES: Final = re.compile(r"(?<![0-9a-z])(?=((?:[0-9a-f]\.){31}[0-9a-f])(?![0-9a-z]))")
_HEX: Final = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{8}|[0-9a-f]{32})(?![0-9a-f])")
_NUMBER: Final = re.compile(r"(?<![0-9a-z])[0-9]{9,10}(?![0-9a-z])")
_PADDED: Final = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")
_RUN: Final = re.compile(r"(?<![0-9])192168[0-9]{2,6}(?![0-9])")
_MAC: Final = re.compile(
    r"(?<![0-9a-f])(?:[0-9a-f]{2}([-_:.])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}"
    r"|[0-9a-f]{4}([-_:.])[0-9a-f]{4}\2[0-9a-f]{4}"
    r"|[0-9a-f]{6}fffe[0-9a-f]{6})(?![0-9a-f])"
)
_BARE_MAC: Final = re.compile(
    r"(?<![0-9a-z])(?:[a-z]{2,8})?(?:[0-9a-f]{12}|[0-9a-f]{6}[-_][0-9a-f]{6})(?![0-9a-z])"
)
_ANY: Final = re.compile(r"[0-9a-f][0-9a-f._x-]{5}")
"""Most names hold no six characters in a row of which an address could be made."""


def find_addresses(name: str, is_hidden: Test) -> list[Span]:
    """Where ``name`` (lower case) spells a hardware address, or one that ``is_hidden``."""
    if _ANY.search(name) is None:
        return []
    below = max(0, name.rfind(".", 0, max(0, name.rfind("."))))  # the registered domain
    spans = [match.span() for match in _MAC.finditer(name)]
    spans += [match.span() for match in _BARE_MAC.finditer(name, 0, below)]
    for span, packed in _addresses(name, below):
        if is_hidden(packed):
            spans.append(span)
    return spans


def _addresses(name: str, below: int) -> Iterator[tuple[Span, bytes]]:
    """Every 16-byte address that ``name`` may spell, and where."""
    yield from _octets(name)
    for match in _V6.finditer(name):
        try:
            address = ipaddress.IPv6Address(match[1].replace(match[2], ":"))
        except ValueError:
            continue
        yield match.span(1), address.packed
    for match in _NIBBLES.finditer(name):
        digits = match[1].replace(".", "")
        yield match.span(1), bytes.fromhex(digits)
        yield match.span(1), bytes.fromhex(digits[::-1])
    yield from _unmarked(name, below)


def _unmarked(name: str, below: int) -> Iterator[tuple[Span, bytes]]:
    """Addresses whose digits run together."""
    for match in _HEX.finditer(name):
        yield from _either_way(match.span(), bytes.fromhex(match[0]))
    for match in _NUMBER.finditer(name, 0, below):
        if int(match[0]) < 1 << 32:
            yield from _either_way(match.span(), int(match[0]).to_bytes(4, "big"))
    for match in _PADDED.finditer(name, 0, below):
        octets = [int(match[0][at : at + 3]) for at in range(0, 12, 3)]
        if max(octets) < 256:
            yield from _either_way(match.span(), bytes(octets))
    for match in _RUN.finditer(name, 0, below):
        # Nobody can tell where its last octets begin: any will do.
        yield match.span(), V4_PREFIX + bytes((192, 168, 0, 1))


def _either_way(span: Span, raw: bytes) -> Iterator[tuple[Span, bytes]]:
    prefix = V4_PREFIX if len(raw) == 4 else b""
    yield span, prefix + raw
    yield span, prefix + raw[::-1]


def _octets(name: str) -> Iterator[tuple[Span, bytes]]:
    """Four octets with the same mark between them, in either order."""
    for pattern, base in ((_DECIMAL, 10), (_HEX_OCTETS, 16)):
        for match in pattern.finditer(name):
            octets = [int(part, base) for part in match[1].split(match[2])]
            if max(octets) < 256:
                yield from _either_way(match.span(1), bytes(octets))
