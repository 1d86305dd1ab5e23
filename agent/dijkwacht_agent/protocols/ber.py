"""ASN.1's BER, as much of it as log-ins need: where an element's content lies. Nothing is copied.

Definite lengths and tags of one byte, as DER and LDAP have them. A kept library builds objects of
whole messages, and would cost the agent more memory than all its conversations together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

INTEGER: Final = 0x02
OCTETS: Final = 0x04
ENUMERATED: Final = 0x0A
SEQUENCE: Final = 0x30
_MANY: Final = 64
"""Elements looked at side by side."""


class NotBer(ValueError):
    """The bytes hold no such element."""


class Element(NamedTuple):
    """``tag``, and where its content begins and ends; the end may lie beyond bytes that were cut off."""

    tag: int
    begin: int
    end: int


def element(data: bytes, at: int, end: int) -> Element:
    """The element at ``at`` of what ends at ``end``. Raises `NotBer`."""
    if at < 0 or at + 2 > min(end, len(data)):
        raise NotBer
    tag, length = data[at], data[at + 1]
    at += 2
    if tag & 0x1F == 0x1F:
        raise NotBer
    if length >= 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or at + size > len(data):
            raise NotBer
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > end:
        raise NotBer
    return Element(tag, at, at + length)


def children(data: bytes, parent: Element) -> Iterator[Element]:
    """The elements in ``parent``, as far as they are there. Raises `NotBer` where they are none."""
    at = parent.begin
    for _ in range(_MANY):
        if at >= min(parent.end, len(data)):
            return
        child = element(data, at, parent.end)
        yield child
        at = child.end


def child(data: bytes, parent: Element, *tags: int) -> Element:
    """The element that the first of ``tags`` leads to within ``parent``, and so on. Raises `NotBer`."""
    for tag in tags:
        for found in children(data, parent):
            if found.tag == tag:
                parent = found
                break
        else:
            raise NotBer
    return parent


def integer(data: bytes, found: Element) -> int:
    """The number that ``found`` holds, of eight bytes at most. Raises `NotBer`."""
    if not 1 <= found.end - found.begin <= 8 or found.end > len(data):
        raise NotBer
    return int.from_bytes(data[found.begin : found.end], "big", signed=True)


def octets(data: bytes, found: Element) -> bytes:
    """The content of ``found``, as far as it is there."""
    return data[found.begin : found.end]
