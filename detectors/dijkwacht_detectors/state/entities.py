"""Which slot of the state arrays an entity has: one hash table, bounded and fair per site.

A site never holds more than its bound: past it, the least recently seen of a few, looked at in turn,
is evicted. What is evicted depends on that site's own rows only, so what other sites do, and how rows
are cut into batches, changes nothing. A key of one site that equals another site's, even on purpose,
has a slot of its own.

Where in the hash table an entity stands is of no account to that, and nobody can tell: it depends on
numbers drawn at start. So keys that were chosen to collide cost no more than others.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.state.growth import grown

_SAMPLED = 8  # entities looked at to find one to evict, as Redis samples its keys


class _Table(NamedTuple):
    """An open-addressed hash table of slots, what each slot holds, and each site's slots in a ring."""

    buckets: NDArray[np.int32]  # slot + 1, 0 is free; as long as a power of two
    keys: NDArray[np.uint64]  # from here on by slot
    seen: NDArray[np.int64]
    owners: NDArray[np.int32]  # the slot's site
    ring: NDArray[np.int32]  # the next slot of the same site
    counts: NDArray[np.int32]  # from here on by site: slots it holds
    hands: NDArray[np.int32]  # where in its ring a site looks next for one to evict
    salt: NDArray[np.uint64]  # [2], of this table alone


class Entities:
    """Maps (site, key) to slots; ``keys`` are 64-bit mixes made by `mix`."""

    def __init__(self, per_site: int, forget_after_us: int) -> None:
        self.per_site = per_site
        self.forget_after_us = forget_after_us
        self.used = 0
        self._table = _Table(
            buckets=np.zeros(1024, np.int32),
            keys=np.zeros(256, np.uint64),
            seen=np.zeros(256, np.int64),
            owners=np.zeros(256, np.int32),
            ring=np.zeros(256, np.int32),
            counts=np.zeros(16, np.int32),
            hands=np.full(16, -1, np.int32),
            salt=np.array([secrets.randbits(64), secrets.randbits(64) | 1], np.uint64),
        )

    @property
    def capacity(self) -> int:
        """Slots that state arrays must hold."""
        return len(self._table.keys)

    def resolve(
        self, site: NDArray[np.int32], key: NDArray[np.uint64], time: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return ``slot`` int32[n] and ``fresh`` bool[n] for rows in order, making room as needed."""
        n = len(site)
        slot, fresh = np.empty(n, np.int32), np.empty(n, np.bool_)
        done = 0
        while done < n:
            self._make_room(int(site.max()) + 1)
            self.used, done = _resolve(
                tuple(self._table), site, key, time, done,
                self.used, self.per_site, self.forget_after_us, slot, fresh,
            )  # fmt: skip
        return slot, fresh

    def take(self, site: int) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.int64]]:
        """Return a site's slots in the order of its ring, from its hand on, their keys and last times."""
        table = self._table
        if site >= len(table.counts):
            return np.zeros(0, np.int32), np.zeros(0, np.uint64), np.zeros(0, np.int64)
        slots: NDArray[np.int32] = _walk(tuple(table), site)
        return slots, table.keys[slots], table.seen[slots]

    def put(
        self, site: int, keys: NDArray[np.uint64], seen: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """Give a site that has none the entities that `take` returned; their slots, in that order."""
        self._make_room(site + 1, max(1, len(keys)))
        if self._table.counts[site]:
            raise ValueError(f"site {site} has entities already")
        _insert(tuple(self._table), site, keys, seen, self.used)
        slots = np.arange(self.used, self.used + len(keys), dtype=np.int32)
        self.used += len(keys)
        return slots

    def _make_room(self, sites: int, slots: int = 1) -> None:
        """Have so many slots free at least. State arrays follow: so only what is used makes them grow."""
        table = self._table
        if sites > len(table.counts):
            size = 2 * sites
            known = len(table.counts)
            table = table._replace(counts=grown(table.counts, size), hands=grown(table.hands, size))
            table.hands[known:] = -1
        if self.used + slots > len(table.keys):
            size = 2 * len(table.keys)
            while self.used + slots > size:
                size *= 2
            buckets = grown(table.buckets, 4 * size)  # at least half of it stays free
            buckets[: len(table.buckets)] = 0
            by_slot = (table.keys, table.seen, table.owners, table.ring)
            keys, seen, owners, ring = (grown(values, size) for values in by_slot)
            table = table._replace(buckets=buckets, keys=keys, seen=seen, owners=owners, ring=ring)
            _rehash(table.buckets, table.keys, table.salt, self.used)
        self._table = table


@njit(cache=True, nogil=True, inline="always")
def mix(a, b):  # type: ignore[no-untyped-def]
    """Mix two 64-bit numbers into one, each bit of which depends on all (MurmurHash3's finaliser)."""
    h = np.uint64(a) ^ (np.uint64(b) * np.uint64(0x9E3779B97F4A7C15))
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@njit(cache=True, nogil=True)
def mix_column(key, column):  # type: ignore[no-untyped-def]
    """Mix a uint64[n] column into the running ``key`` uint64[n], in place."""
    for i in range(len(key)):
        key[i] = mix(key[i], column[i])


@njit(cache=True, nogil=True, inline="always")
def _home(key, salt, mask):  # type: ignore[no-untyped-def]
    """Where a key is looked for first."""
    h = (key ^ salt[0]) * salt[1]
    h = (h ^ (h >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    return (h >> np.uint64(32)) & mask


@njit(cache=True, nogil=True)
def _rehash(buckets, keys, salt, used):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(buckets) - 1)
    for slot in range(used):
        at = _home(keys[slot], salt, mask)
        while buckets[at]:
            at = (at + np.uint64(1)) & mask
        buckets[at] = slot + 1


@njit(cache=True, nogil=True)
def _walk(arrays, site):  # type: ignore[no-untyped-def]
    table = _Table(*arrays)
    slots = np.empty(table.counts[site], np.int32)
    at = table.hands[site]
    for i in range(len(slots)):
        slots[i] = at
        at = table.ring[at]
    return slots


@njit(cache=True, nogil=True)
def _insert(arrays, site, keys, seen, used):  # type: ignore[no-untyped-def]
    table = _Table(*arrays)
    mask = np.uint64(len(table.buckets) - 1)
    n = len(keys)
    for i in range(n):
        slot = used + i
        table.keys[slot] = keys[i]
        table.seen[slot] = seen[i]
        table.owners[slot] = site
        table.ring[slot] = used + (i + 1) % n
        at = _home(keys[i], table.salt, mask)
        while table.buckets[at]:
            at = (at + np.uint64(1)) & mask
        table.buckets[at] = slot + 1
    table.counts[site] = n
    if n:
        table.hands[site] = used


@njit(cache=True, nogil=True)
def _remove(buckets, keys, salt, slot):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(buckets) - 1)
    one = np.uint64(1)
    at = _home(keys[slot], salt, mask)
    while buckets[at] != slot + 1:
        at = (at + one) & mask
    hole, probe = at, (at + one) & mask
    while buckets[probe]:
        home = _home(keys[buckets[probe] - 1], salt, mask)
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            buckets[hole] = buckets[probe]
            hole = probe
        probe = (probe + one) & mask
    buckets[hole] = 0


@njit(cache=True, nogil=True)
def _resolve(  # type: ignore[no-untyped-def]
    arrays, site, key, time, done, used, per_site, forget_after, slot, fresh
):
    """Resolve rows from ``done`` on, until no slot is free; return ``used`` and ``done``."""
    table = _Table(*arrays)  # which crossed as a plain tuple: see `naming`
    buckets, keys, seen = table.buckets, table.keys, table.seen
    owners, ring, counts, hands = table.owners, table.ring, table.counts, table.hands
    salt = table.salt
    mask = np.uint64(len(buckets) - 1)
    one = np.uint64(1)
    for i in range(done, len(site)):
        k, t, s = key[i], time[i], site[i]
        at = _home(k, salt, mask)
        found = -1
        while buckets[at]:
            here = buckets[at] - 1
            if keys[here] == k and owners[here] == s:
                found = here
                break
            at = (at + one) & mask
        if found >= 0:
            fresh[i] = t - seen[found] > forget_after
        else:
            hand = hands[s]
            if counts[s] < per_site:
                if used == len(keys):
                    return used, i
                found = used
                used += 1
                counts[s] += 1
                if hand < 0:
                    ring[found] = found
                else:
                    ring[found] = ring[hand]
                    ring[hand] = found
            else:
                found = hand
                look = hand
                for _ in range(_SAMPLED):
                    look = ring[look]
                    if seen[look] < seen[found]:
                        found = look
                _remove(buckets, keys, salt, found)
                at = _home(k, salt, mask)
                while buckets[at]:
                    at = (at + one) & mask
            fresh[i] = True
            hands[s] = ring[found]
            keys[found] = k
            owners[found] = s
            buckets[at] = found + 1
            seen[found] = t
        seen[found] = max(seen[found], t)
        slot[i] = found
    return used, len(site)
