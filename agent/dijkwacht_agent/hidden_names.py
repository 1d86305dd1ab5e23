"""Names as they may leave the site: what reveals an inside address or the name of a device is hashed.

- A reverse name (``in-addr.arpa``, ``ip6.arpa``) of a hidden address becomes the reverse name of
  its pseudonym; a zone of it, the same number of labels.
- A LAN name (mDNS, LLMNR, one label, or under a suffix that only exists inside) keeps its suffix
  and its service labels (``_ipp._tcp``); every other label becomes a keyed hash.
- In any other name, a label that spells a hidden IPv4, IPv6 or hardware address (dotted or dashed,
  forwards or backwards, decimal or hexadecimal) becomes a keyed hash; the rest stays.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

from dijkwacht_records.addresses import V4_PREFIX, format_address, pack_address
from dijkwacht_records.tables import MAX_TEXT_BYTES

INSIDE_SUFFIXES: Final = frozenset(
    [
        "corp",
        "domain",
        "home",
        "home.arpa",
        "fritz.box",
        "internal",
        "intranet",
        "lan",
        "local",
        "localdomain",
        "private",
        "workgroup",
    ]
)
"""Suffixes under which only devices of the site are named."""
GENERIC_LABELS: Final = frozenset(("", "localhost", "wpad", "isatap"))
"""Single labels that every network asks for."""

_SERVICE: Final = re.compile(r"_[a-z0-9-]{1,15}", re.ASCII)
_DNS_SD: Final = frozenset(("b", "db", "r", "dr", "lb"))
_V4: Final = re.compile(
    r"(?<![0-9])(?=([0-9]{1,3}([-._])[0-9]{1,3}\2[0-9]{1,3}\2[0-9]{1,3})(?![0-9]))"
)
_V6: Final = re.compile(r"(?<![0-9a-z])(?=((?:[0-9a-f]{0,4}-){2,7}[0-9a-f]{0,4})(?![0-9a-z-]))")
_HEX: Final = re.compile(r"(?<![0-9a-z])([0-9a-f]{8}|[0-9a-f]{32})(?![0-9a-z])")
_MAC: Final = re.compile(
    r"(?<![0-9a-f])(?:[0-9a-f]{2}([-_:.])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|[0-9a-f]{6}fffe[0-9a-f]{6})(?![0-9a-f])"
)
_BARE_MAC: Final = re.compile(r"(?<![0-9a-z])[0-9a-f]{12}(?![0-9a-z])")
_MAX_CACHED: Final = 4_096


class HiddenNames:
    """Hides names under ``key``; ``address`` gives the pseudonym of a 16-byte address."""

    def __init__(self, key: bytes, address: Callable[[bytes], bytes]) -> None:
        self._key = key
        self._address = address
        self._cache: dict[tuple[str, bool], str] = {}

    def name(self, name: str, *, lan: bool = False) -> str:
        """``name`` (of a DNS question or a TLS server) as it may leave the site.

        ``lan``: it was asked on the link (mDNS, LLMNR), so it names a device.
        """
        hidden = self._cache.get((name, lan))
        if hidden is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            hidden = self._cache[name, lan] = self._hide(name.lower(), lan)
        return hidden

    def device(self, name: str) -> str:
        """The keyed hash of the name that a device gives itself; ``""`` stays."""
        labels = name.lower().split(".")
        return self._shorten([self._label(label) for label in labels], name) if name else ""

    def _hide(self, name: str, lan: bool) -> str:
        if name in GENERIC_LABELS:
            return name
        try:
            packed = pack_address(name.strip("[]"))
        except ValueError:
            pass
        else:
            hidden = self._address(packed)
            return name if hidden == packed else format_address(hidden)
        labels = name.split(".")
        if labels[-1] == "arpa" and labels[-2:-1] in (["in-addr"], ["ip6"]):
            return self._reverse(labels)
        suffix = next((n for n in (2, 1) if ".".join(labels[-n:]) in INSIDE_SUFFIXES), 0)
        if suffix or lan or len(labels) == 1:
            at = len(labels) - suffix
            return self._shorten([*map(self._lan_label, labels[:at]), *labels[at:]], name)
        return self._spelled(name)

    def _lan_label(self, label: str) -> str:
        service = _SERVICE.fullmatch(label) and not self._found(label)
        return label if service else self._label(label)

    def _label(self, label: str) -> str:
        digest = blake2b(
            label.encode("utf-8", "replace"), digest_size=5, key=self._key, person=b"dijkwacht name"
        )
        return f"h-{digest.hexdigest()}"

    def _shorten(self, labels: list[str], name: str) -> str:
        text = ".".join(labels)
        # Hashes of one-letter labels are longer than the labels were.
        return text if len(text.encode("utf-8", "replace")) <= MAX_TEXT_BYTES else self._label(name)

    def _reverse(self, labels: list[str]) -> str:
        v4 = labels[-2] == "in-addr"
        full = 4 if v4 else 32
        at = len(labels) - 2
        while at > 0 and len(labels) - 2 - at < full and _digit(labels[at - 1], v4) is not None:
            at -= 1
        digits = [_digit(label, v4) or 0 for label in labels[at:-2]][::-1]
        packed = _from_digits(digits, v4)
        hidden = self._address(packed)
        if hidden == packed or not digits:
            head = self._spelled(".".join(labels[:at])) if at else ""
            return ".".join([head] * (at > 0) + labels[at:])
        heads = [label if label in _DNS_SD else self._lan_label(label) for label in labels[:at]]
        zone = _reverse_name(hidden, len(digits) if (hidden[:12] == V4_PREFIX) == v4 else 32)
        return self._shorten([*heads, zone], ".".join(labels))

    def _spelled(self, name: str) -> str:
        spans = self._found(name)
        if not spans:
            return name
        hidden, at = [], 0
        for label in name.split("."):
            end = at + len(label)
            touched = any(start < end and at < stop for start, stop in spans)
            hidden.append(self._label(label) if touched else label)
            at = end + 1
        return self._shorten(hidden, name)

    def _found(self, name: str) -> list[tuple[int, int]]:
        """Where ``name`` spells a hidden address or a hardware address."""
        spans = [match.span() for match in _MAC.finditer(name)]
        # Twelve digits may be anything, so the registered domain is left readable.
        hosts = max(0, name.rfind(".", 0, max(0, name.rfind("."))))
        spans += [match.span() for match in _BARE_MAC.finditer(name, 0, hosts)]
        for match in _V4.finditer(name):
            octets = [int(part) for part in match[1].split(match[2])]
            if max(octets) < 256 and (self._names(octets) or self._names(octets[::-1])):
                spans.append(match.span(1))
        for match in _V6.finditer(name):
            try:
                packed = ipaddress.IPv6Address(match[1].replace("-", ":")).packed
            except ValueError:
                continue
            if self._address(packed) != packed:
                spans.append(match.span(1))
        for match in _HEX.finditer(name):
            octets = list(bytes.fromhex(match[1]))
            if self._names(octets):
                spans.append(match.span(1))
        return spans

    def _names(self, octets: Sequence[int]) -> bool:
        packed = bytes(octets) if len(octets) == 16 else V4_PREFIX + bytes(octets)
        return self._address(packed) != packed


def _digit(label: str, v4: bool) -> int | None:
    if not label.isascii() or not label.isalnum() or len(label) > (3 if v4 else 1):
        return None
    try:
        value = int(label, 10 if v4 else 16)
    except ValueError:
        return None
    return value if value < 256 else None


def _from_digits(digits: list[int], v4: bool) -> bytes:
    if v4:
        return V4_PREFIX + bytes(digits) + bytes(4 - len(digits))
    return int("".join(f"{digit:x}" for digit in digits).ljust(32, "0"), 16).to_bytes(16, "big")


def _reverse_name(address: bytes, digits: int) -> str:
    """The reverse name of the first ``digits`` octets (IPv4) or nibbles (IPv6) of ``address``."""
    if address[:12] == V4_PREFIX:
        return ".".join([str(octet) for octet in address[12 : 12 + digits]][::-1]) + ".in-addr.arpa"
    return ".".join(address.hex()[:digits][::-1]) + ".ip6.arpa"
