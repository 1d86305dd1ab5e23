"""Pseudonyms as people read them: which values are some, and the mark ``~`` that each carries in a text.

A pseudonym of an address is an address: alone it looks like a real one, and an owner would disconnect
the wrong machine. So every text for people says ``~192.168.23.254``, which no real address is written
like. Fields for machines stay bare and valid. Whoever has clear addresses (`replay`) marks nothing.

==================  =============================  ==================================
what was hidden     as the contract holds it       as people read it
==================  =============================  ==================================
address             192.168.23.254                 ~192.168.23.254
hardware address    00:1b:21~a1b2c3d4              ~00:1b:21~a1b2c3d4
name of a device    h-0a1b2c3d4e.local             ~h-0a1b2c3d4e.local
reverse name        254.23.168.192.in-addr.arpa    ~254.23.168.192.in-addr.arpa
==================  =============================  ==================================
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from dijkwacht_records.addresses import V4_PREFIX, pack_address

MARK: Final = "~"
LABEL: Final = "pseudonyms"
"""What a JSON for people and machines says once, in ``metadata.labels``."""

KEPT: Final = (
    *((f"{n}.0.0.0/8", 8) for n in (10, *range(224, 240))),  # multicast keeps its scope
    ("172.16.0.0/12", 12),
    ("192.168.0.0/16", 16),
    ("169.254.0.0/16", 16),
    ("100.64.0.0/10", 10),  # shared by providers, RFC 6598: no public address either
    ("fc00::/8", 8),
    ("fd00::/8", 8),
    ("fe80::/10", 64),  # RFC 4291 leaves 54 zero bits before the interface id
    ("fec0::/10", 10),
    ("64:ff9b:1::/48", 48),
    *((f"ff{n:02x}::/16", 16) for n in range(256)),  # flags and scope
)
"""Ranges whose pseudonyms stay inside them, and how many leading bits stay as they are."""

RESERVED_V4: Final = bytes.fromhex("fd646a6a") + bytes(8)
"""``fd64:6a6a::/96``: pseudonyms of public IPv4 addresses inside the site, 32 bits permuted."""
RESERVED_V6: Final = bytes.fromhex("fd646a6b")
"""``fd64:6a6b::/32``: pseudonyms of public IPv6 addresses inside the site.

The 96 bits after the provider's /32 are permuted, so no two addresses of one provider collide.
"""
RESERVED: Final = bytes.fromhex("fd646a")
"""How all that is reserved begins."""

_TOKEN: Final = re.compile(r"[\w.:\-~…\[\]]+")
_AROUND: Final = ".:-"
_HASHED_LABEL: Final = re.compile(r"h-(?:[0-9a-f]{10}|[0-9a-f]{40})")
_HASHED_MAC: Final = re.compile(r"(?:[0-9a-f]{2}:){2}[0-9a-f]{2}~[0-9a-f]{8}")
_V4: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3})(?::\d+)?", re.ASCII)
_BRACKETED: Final = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d+)?", re.ASCII)
_PORT: Final = re.compile(r":\d+$", re.ASCII)


def kept_bits(address: bytes) -> int | None:
    """How many leading bits of a 4- or 16-byte address its pseudonym keeps; ``None`` outside `KEPT`."""
    for low, high, kept in _KEPT_RANGES.get((len(address), address[0]), ()):
        if low <= address <= high:
            return kept
    return None


def is_hidden(address: bytes) -> bool:
    """Whether a 16-byte address, as it leaves a site, is a pseudonym.

    >>> is_hidden(pack_address("192.168.23.254")), is_hidden(pack_address("192.0.2.1"))
    (True, False)
    """
    v4 = address[:12] == V4_PREFIX
    return kept_bits(address[12:] if v4 else address) is not None


def is_hashed_label(label: str) -> bool:
    """Whether one label of a name is a keyed hash."""
    return _HASHED_LABEL.fullmatch(label) is not None


def is_hashed_mac(text: str) -> bool:
    """Whether this is a keyed hash of a hardware address, as text."""
    return _HASHED_MAC.fullmatch(text) is not None


def marked(text: str, *, clear: bool = False) -> str:
    """``text`` with the mark before each pseudonym that has none; as it is if its addresses are ``clear``.

    >>> marked("192.168.1.2 asks h-0a1b2c3d4e.local for 192.0.2.7.")
    '~192.168.1.2 asks ~h-0a1b2c3d4e.local for 192.0.2.7.'
    >>> marked("~192.168.1.2 (00:1b:21~a1b2c3d4): [fe80::1]:443")
    '~192.168.1.2 (~00:1b:21~a1b2c3d4): ~[fe80::1]:443'
    """
    if clear:
        return text
    made, at = [], 0
    for begin, _ in _found(text):
        if text[begin - 1 : begin] != MARK:
            made += [text[at:begin], MARK]
            at = begin
    return "".join((*made, text[at:])) if made else text


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where in ``text`` pseudonyms stand, the mark of each included if it has one."""
    for begin, end in _found(text):
        yield begin - (text[begin - 1 : begin] == MARK), end


def bare(text: str) -> str:
    """A pseudonym without its mark, its ``…``, brackets and port, as the contract holds it.

    >>> bare("~[fe80::1]:443"), bare("~192.168.1.2:80"), bare("~00:1b:21~a1b2c3d4")
    ('fe80::1', '192.168.1.2', '00:1b:21~a1b2c3d4')
    """
    text = text.strip().removeprefix(MARK).lstrip("…").rstrip(_AROUND)
    if found := _BRACKETED.fullmatch(text) or _V4.fullmatch(text):
        return found[1]
    return text if is_hashed_mac(text) or text.count(":") > 1 else _PORT.sub("", text)


def reversed_address(name: str) -> tuple[bytes, int] | None:
    """A reverse name → the address (16 bytes) and how many of its leading bits it names.

    >>> from dijkwacht_records.addresses import format_address
    >>> packed, bits = reversed_address("23.168.192.in-addr.arpa") or (b"", 0)
    >>> format_address(packed), bits
    ('192.168.23.0', 24)
    """
    labels = name.lower().split(".")
    if labels[-1] != "arpa" or labels[-2:-1] not in (["in-addr"], ["ip6"]):
        return None
    base, most = (10, 4) if labels[-2] == "in-addr" else (16, 32)
    digits: list[int] = []
    for label in labels[-3::-1]:
        value = _digit(label, base)
        if value is None or len(digits) == most:
            break
        digits.append(value)
    if not digits:
        return None
    if base == 10:
        return V4_PREFIX + bytes(digits).ljust(4, b"\0"), 8 * len(digits)
    packed = int("".join(f"{digit:x}" for digit in digits).ljust(32, "0"), 16)
    return packed.to_bytes(16, "big"), 4 * len(digits)


def _found(text: str) -> Iterator[tuple[int, int]]:
    """Where pseudonyms begin, the mark not included, and where they end."""
    for token in _TOKEN.finditer(text):
        begin, end = token.span()
        while begin < end and text[begin] in ".:-~]":
            begin += 1
        while begin < end and text[end - 1] in ".:-~…[":
            end -= 1
        core = text[begin:end]
        if "]" in core and "[" not in core:
            core = core.rstrip("]")
        if core and _is_pseudonym(core):
            yield begin, begin + len(core)


def _is_pseudonym(core: str) -> bool:
    if _HASHED_MAC.fullmatch(core):
        return True
    if found := _BRACKETED.fullmatch(core) or _V4.fullmatch(core):
        return _is_hidden_text(found[1])
    if core.count(":") > 1:
        return _is_hidden_text(core)
    name = _PORT.sub("", core).lstrip("…")
    if any(map(is_hashed_label, name.split("."))):
        return True
    back = reversed_address(name)
    if back is None:
        return False
    packed, bits = back
    v4 = packed[:12] == V4_PREFIX
    kept = kept_bits(packed[12:] if v4 else packed)
    return kept is not None and bits > kept


def _is_hidden_text(text: str) -> bool:
    try:
        return is_hidden(pack_address(text))
    except ValueError:
        return False


def _digit(label: str, base: int) -> int | None:
    if not label.isascii() or not label.isalnum() or len(label) > (3 if base == 10 else 1):
        return None
    try:
        value = int(label, base)
    except ValueError:
        return None
    return value if value < 256 else None


def _ranges() -> dict[tuple[int, int], list[tuple[bytes, bytes, int]]]:
    ranges: dict[tuple[int, int], list[tuple[bytes, bytes, int]]] = {}
    for text, kept in KEPT:
        network = ipaddress.ip_network(text)
        low, high = network.network_address.packed, network.broadcast_address.packed
        for first in range(low[0], high[0] + 1):
            ranges.setdefault((len(low), first), []).append((low, high, kept))
    return ranges


_KEPT_RANGES: Final = _ranges()
