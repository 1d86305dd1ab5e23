"""Names as they may leave the site: what reveals an inside address or the name of a device is hashed.

- A reverse name (``in-addr.arpa``, ``ip6.arpa``) of a hidden address becomes the reverse name of
  its pseudonym; a zone of it, the same number of labels.
- A LAN name keeps its service labels (``_ipp._tcp``) and a suffix that says nothing of the site; every
  other label becomes a keyed hash. LAN names are: one label; asked on the link (mDNS, LLMNR, NetBIOS); under
  `INSIDE_SUFFIXES`, or a suffix that the site was seen to use; under no public top-level domain.
- In any other name, a label that spells a hidden address (`spelled_addresses.py`) becomes a keyed hash;
  the rest stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

from dijkwacht_agent.public_domains import is_public
from dijkwacht_agent.search_suffixes import SearchSuffixes
from dijkwacht_agent.spelled_addresses import find_addresses
from dijkwacht_records.addresses import V4_PREFIX, format_address, pack_address
from dijkwacht_records.tables import MAX_TEXT_BYTES

INSIDE_SUFFIXES: Final = frozenset(
    [
        "attlocal.net",
        "corp",
        "domain",
        "easy.box",
        "home",
        "fritz.box",
        "home.arpa",
        "homenet.telecomitalia.it",
        "internal",
        "intranet",
        "lan",
        "local",
        "localdomain",
        "mshome.net",
        "o2.box",
        "private",
        "speedport.ip",
        "workgroup",
    ]
)
"""Suffixes under which only devices of the site are named, the same ones at many sites."""
GENERIC_LABELS: Final = frozenset(("", "localhost", "wpad", "isatap"))
"""Single labels that every network asks for."""

_SERVICE: Final = re.compile(r"_[a-z0-9-]{1,15}", re.ASCII)
_TRANSPORTS: Final = frozenset(("_tcp", "_udp"))
_STRUCTURE: Final = _TRANSPORTS | {"_sub", "_services", "_dns-sd", "_msdcs", "_sites"}
_DNS_SD: Final = frozenset(("b", "db", "r", "dr", "lb"))
_DIGEST_BYTES: Final = 5
_LONG_DIGEST_BYTES: Final = 20
_LONG: Final = 24
"""Characters of the longest label that could still be a top-level domain, or most device names."""
_LETTERS: Final = "abcdefghijklmnop"
_MAX_CACHED: Final = 4_096


class HiddenNames:
    """Hides names under ``key``; ``address`` gives the pseudonym of a 16-byte address that ``hides`` says has one.

    ``suffixes`` are the site's own; a name is hidden by those that are known when it is asked for.
    ``note`` is told each label that becomes a hash.
    """

    def __init__(
        self,
        key: bytes,
        address: Callable[[bytes], bytes],
        hides: Callable[[bytes], bool],
        suffixes: SearchSuffixes,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self._key = key
        self._address, self._hides = address, hides
        self._suffixes = suffixes
        self._note = note or (lambda _: None)
        self._known = suffixes.known
        self._cache: dict[tuple[str, bool], str] = {}

    def name(self, name: str, *, lan: bool = False) -> str:
        """``name`` (of a DNS question or a TLS server) as it may leave the site.

        ``lan``: it was asked on the link (mDNS, LLMNR, NetBIOS), so it names a device.
        """
        if self._known is not self._suffixes.known:
            self._known = self._suffixes.known
            self._cache.clear()
        hidden = self._cache.get((name, lan))
        if hidden is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            hidden = self._cache[name, lan] = self._hide(name.lower().rstrip("."), lan)
        return hidden

    def device(self, name: str) -> str:
        """The keyed hash of the name that a device gives itself; ``""`` stays."""
        labels = name.lower().rstrip(".").split(".")
        return self._shorten([self._label(label) for label in labels], name) if name else ""

    def _hide(self, name: str, lan: bool) -> str:
        if name in GENERIC_LABELS:
            return name
        try:
            packed = pack_address(name.strip("[]"))
        except ValueError:
            pass
        else:
            return format_address(self._address(packed)) if self._hides(packed) else name
        labels = name.split(".")
        if labels[-1] == "arpa" and labels[-2:-1] in (["in-addr"], ["ip6"]):
            return self._reverse(labels)
        at = len(labels) - self._suffix_labels(name, labels)
        if at < len(labels) or lan or len(labels) == 1:
            return self._shorten([*self._lan_labels(labels[:at]), *labels[at:]], name)
        if not is_public(name):
            heads = self._lan_labels(labels[:-1])
            return self._shorten([*heads, self._top_label(labels[-1])], name)
        return self._spelled(name)

    def _suffix_labels(self, name: str, labels: Sequence[str]) -> int:
        """How many labels at the end are the site's suffix, which stays."""
        longest = range(min(3, len(labels)), 0, -1)
        usual = (n for n in longest if ".".join(labels[-n:]) in INSIDE_SUFFIXES)
        return next(usual, 0) or self._suffixes.labels_of(name)

    def _lan_labels(self, labels: Sequence[str]) -> list[str]:
        """``labels`` of a LAN name: those of its service as they are, the others as hashes."""
        return [
            label if self._is_service(label, after) else self._label(label)
            for label, after in zip(labels, (*labels[1:], ""), strict=False)
        ]

    def _is_service(self, label: str, after: str) -> bool:
        """Says what kind of thing is looked for, not whose (RFC 2782, RFC 6763)."""
        if label in _STRUCTURE or (label in _DNS_SD and after == "_dns-sd"):
            return True
        return after in _TRANSPORTS and bool(_SERVICE.fullmatch(label)) and not self._found(label)

    def _label(self, label: str) -> str:
        # A long label stays a long one: data that leaves in names must not look like a device.
        return (
            f"h-{self._digest(label, _LONG_DIGEST_BYTES if len(label) > _LONG else _DIGEST_BYTES)}"
        )

    def _top_label(self, label: str) -> str:
        """The hash of a last label of letters, or of digits, is of letters, or of digits.

        Whether it could be a top-level domain tells a name of the LAN from data on its way out.
        """
        if label.isascii() and label.isalpha() and len(label) <= _LONG:
            return "".join(_LETTERS[int(digit, 16)] for digit in self._digest(label, _DIGEST_BYTES))
        if label.isascii() and label.isdigit():
            return str(int(self._digest(label, _DIGEST_BYTES), 16))
        return self._label(label)

    def hashes(self, label: str) -> tuple[str, str]:
        """What ``label`` becomes, and what it becomes where it is the last one of a name."""
        return self._label(label), self._top_label(label)

    def _digest(self, label: str, size: int) -> str:
        self._note(label)
        text = label.encode("utf-8", "replace")
        return blake2b(text, digest_size=size, key=self._key, person=b"dijkwacht name").hexdigest()

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
        if not digits or not self._hides(packed):
            head = self._spelled(".".join(labels[:at])) if at else ""
            return ".".join([head] * (at > 0) + labels[at:])
        heads, hidden = self._lan_labels(labels[:at]), self._address(packed)
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
        return find_addresses(name, self._hides)


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
