"""Pseudonyms → addresses, by the site's key alone: the inverse of `privacy.Pseudonyms.address`.

Only of what lies in ``fd64:6a6b::/32`` the first 32 bits, the provider's, are not in the pseudonym:
there the addresses, or at least the prefixes, that the agent has hidden so must be known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dijkwacht_agent.privacy import CryptoPan
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.pseudonyms import RESERVED, RESERVED_V4, RESERVED_V6, kept_bits


class Unhide:
    """Opens addresses under ``key``; ``known``: IPv6 addresses (16 bytes) that were hidden by their last 96 bits."""

    def __init__(self, key: bytes, known: Iterable[bytes] = ()) -> None:
        self._pan = CryptoPan(key)
        self._known = frozenset(known)

    def addresses(self, pseudonym: bytes) -> list[bytes]:
        """What may be behind a 16-byte pseudonym, the likeliest first; nothing for what is none.

        There is one but for two cases: a site whose own addresses begin with ``fd64:6a``, and an address
        in ``fd64:6a6b::/32`` that is not among those known, where each provider's prefix gives one.
        """
        return list(dict.fromkeys(self._addresses(pseudonym)))

    def _addresses(self, pseudonym: bytes) -> Iterator[bytes]:
        if pseudonym[:12] == V4_PREFIX:
            kept = kept_bits(pseudonym[12:])
            if kept is not None:
                yield V4_PREFIX + self._pan.restore_host(pseudonym[12:], kept)
            return
        kept = kept_bits(pseudonym)
        if kept is None:
            return
        if pseudonym[:12] == RESERVED_V4:
            yield V4_PREFIX + self._pan.restore(pseudonym[12:])
        elif pseudonym[:4] == RESERVED_V6:
            found = self._by_prefix(pseudonym)
            yield from found
            if not self._known.isdisjoint(found):
                return  # that it was hidden is known: nothing else is likely
        yield from self._walked(pseudonym, kept)

    def _walked(self, pseudonym: bytes, kept: int) -> Iterator[bytes]:
        """What was permuted within its own range, until it was not in the reserved one."""
        before = self._pan.restore(pseudonym, kept)
        if pseudonym[:3] == RESERVED:
            if before[:3] == RESERVED:  # the site's own addresses begin so, and stayed there
                yield before
            return
        if before[:3] == RESERVED:
            walked = self._pan.restore(before, kept)
            while walked[:3] == RESERVED:
                walked = self._pan.restore(walked, kept)
            yield walked
        yield before

    def _by_prefix(self, pseudonym: bytes) -> list[bytes]:
        prefixes = dict.fromkeys(address[:4] for address in self._known)
        found = [self._pan.restore(prefix + pseudonym[4:], 32) for prefix in prefixes]
        return [one for one in found if one in self._known] or found
