"""Which slot of the state arrays an entity has: one hash table, bounded and fair per site.

A site never holds more than its bound: past it, the least recently seen of a few, looked at in turn,
is evicted. What is evicted depends on that site's own rows only, so what other sites do, and how rows
are cut into batches, changes nothing. A key of one site that equals another site's, even on purpose,
has a slot of its own.

Where in the hash table an entity stands is of no account to that, and nobody can tell: it depends on
numbers drawn at start. So keys that were chosen to collide cost no more than others.

A hash table that is full gives way to one of twice the size, into which its slots move a few at a time, as rows
come: to move all at once would hold up every row that waits. Until then a key is looked for in both.
"""

from __future__ import annotations

import secrets
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.state.buckets import find, home, remove, stand
from dijkwacht_detectors.state.growth import grown, zeros

_SAMPLED = 8  # entities looked at to find one to evict, as Redis samples its keys


MOST_READERS: Final = 64
"""Of one table: a bit each."""
ALONE: Final = np.ones(1, np.uint64)
"""The bits of the rows' readers where there is but one."""
_AHEAD: Final = 256
"""Keys that are looked for before they are needed: memory is slow to answer, and answers many at once."""
_MOVED: Final = 2 * _AHEAD
"""Slots that move to a larger hash table with each `_AHEAD` keys: all have long moved when that one is full."""
NO_KINDS: Final = np.zeros(0, np.int8)
"""Where all rows are of one kind."""
_BUCKET: Final = np.dtype(np.int32)
_NO_BUCKETS: Final = np.zeros(0, _BUCKET)
_AT_ONCE: Final = 1 << 17
"""Slots that move at once, a matter of a millisecond or two, which is less in all than a few at a time."""
_LEFT: Final = 8
"""A larger hash table is prepared while the last eighth of the slots is taken."""
_FIRST_SLOTS: Final = 256

_ENTITY: Final = np.dtype(
    [
        ("key", "u8"),
        ("seen", "i8"),
        ("owner", "i4"),  # the slot's site
        ("next", "i4"),  # the next slot of the same site, in a ring
    ]
)  # one beside the other: what is asked for a row is one line of the processor's cache


class _Table(NamedTuple):
    """An open-addressed hash table of slots, what each slot holds, and each site's slots in a ring."""

    buckets: NDArray[np.int32]  # slot + 1, 0 is free; as long as a power of two
    entities: NDArray[np.void]  # `_ENTITY`, by slot
    met: NDArray[Any]  # by slot the readers that it is not new to, in as few bytes as they need
    counts: NDArray[np.int32]  # from here on by site: slots it holds
    hands: NDArray[np.int32]  # where in its ring a site looks next for one to evict
    salt: NDArray[np.uint64]  # [2], of this table alone
    old: NDArray[np.int32]  # the buckets before they grew, as long as slots move
    moving: NDArray[np.int64]  # [2]: the next slot to move, and the first that need not


class Entities:
    """Maps (site, key) to slots; ``keys`` are 64-bit mixes made by `mix`.

    Whoever reads rows of it joins first, and is known by a bit from then on: an entity may be new to one
    and known to another that reads more. ``at_once``: up to how many slots move at once to a larger hash table.
    """

    def __init__(self, per_site: int, forget_after_us: int, at_once: int = _AT_ONCE) -> None:
        self.per_site = per_site
        self.forget_after_us = forget_after_us
        self.used = 0
        self._readers = 0
        self._at_once = at_once
        self._coming, self._written = _NO_BUCKETS, 0
        self._table = _Table(
            buckets=np.zeros(4 * _FIRST_SLOTS, np.int32),
            entities=np.zeros(_FIRST_SLOTS, _ENTITY),
            met=np.zeros(_FIRST_SLOTS, np.uint8),
            counts=np.zeros(16, np.int32),
            hands=np.full(16, -1, np.int32),
            salt=np.array([secrets.randbits(64), secrets.randbits(64) | 1], np.uint64),
            old=_NO_BUCKETS,
            moving=np.zeros(2, np.int64),
        )

    @property
    def capacity(self) -> int:
        """Slots that state arrays must hold."""
        return len(self._table.entities)

    def join(self) -> np.uint64:
        """The bit of one more reader. Raises ``ValueError`` for one more than `MOST_READERS`."""
        if self._readers == MOST_READERS:
            raise ValueError(f"{MOST_READERS} read this table of entities already")
        self._readers += 1
        if self._readers == 9:
            self._table = self._table._replace(met=self._table.met.astype(np.uint64))
        return np.uint64(1 << (self._readers - 1))

    def resolve(
        self,
        site: NDArray[np.int32],
        key: NDArray[np.uint64],
        time: NDArray[np.int64],
        readers: NDArray[np.uint64] = ALONE,
        kind: NDArray[np.int8] = NO_KINDS,
    ) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
        """Return ``slot`` int32[m], and ``new`` uint64[m]: bits of the readers that the entity is new to.

        ``key`` has one key a row, or two next to each other, in order; ``readers`` the bits of those
        that are handed a row, by its ``kind``; the first where no kind is given. A row that nobody is
        handed has slot 0, which is nobody's then, and is new to none.
        """
        m = len(key)
        slot, new = np.empty(m, np.int32), np.empty(m, np.uint64)
        done, before = 0, self.used
        while True:
            self.used, done = _resolve(
                tuple(self._table), site, key, time, kind, readers, done,
                self.used, self.per_site, self.forget_after_us, slot, new,
            )  # fmt: skip
            if done == m:
                break
            self._make_room(int(site.max()) + 1)
        self._prepare(self.used - before)
        if len(self._table.old) and self._table.moving[0] >= self._table.moving[1]:
            self._table = self._table._replace(old=_NO_BUCKETS)
        return slot, new

    def take(self, site: int) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.int64]]:
        """Return a site's slots in the order of its ring, from its hand on, their keys and last times."""
        table = self._table
        if site >= len(table.counts):
            return np.zeros(0, np.int32), np.zeros(0, np.uint64), np.zeros(0, np.int64)
        slots: NDArray[np.int32] = _walk(tuple(table), site)
        known = table.entities[slots]
        return slots, known["key"].copy(), known["seen"].copy()

    def put(
        self, site: int, keys: NDArray[np.uint64], seen: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """Give a site that has none the entities that `take` returned; their slots, in that order.

        They are new to all readers.
        """
        self._make_room(site + 1, max(1, len(keys)))
        if self._table.counts[site]:
            raise ValueError(f"site {site} has entities already")
        _insert(tuple(self._table), site, keys, seen, self.used)
        slots = np.arange(self.used, self.used + len(keys), dtype=np.int32)
        self.used += len(keys)
        return slots

    def meet(self, slots: NDArray[np.int32], reader: np.uint64) -> None:
        """The entities at ``slots`` are not new to a reader."""
        self._table.met[slots] |= self._bits(reader)

    def forget(self, slots: NDArray[np.int32], reader: np.uint64) -> None:
        """The entities at ``slots`` are new to a reader."""
        self._table.met[slots] &= ~self._bits(reader)

    def unmet(self, slots: NDArray[np.int32], reader: np.uint64) -> NDArray[np.bool_]:
        """Of each of ``slots`` whether its entity is new to a reader."""
        unmet: NDArray[np.bool_] = self._table.met[slots] & self._bits(reader) == 0
        return unmet

    def _bits(self, reader: np.uint64) -> Any:
        return self._table.met.dtype.type(reader)

    def _make_room(self, sites: int, slots: int = 1) -> None:
        """Have so many slots free at least. State arrays follow: so only what is used makes them grow."""
        table = self._table
        if sites > len(table.counts):
            size = 2 * sites
            known = len(table.counts)
            table = table._replace(counts=grown(table.counts, size), hands=grown(table.hands, size))
            table.hands[known:] = -1
        if self.used + slots > len(table.entities):
            size = 2 * len(table.entities)
            while self.used + slots > size:
                size *= 2
            if table.moving[0] < table.moving[1]:  # only where a site came with many
                _move(tuple(table), table.moving[1])
            table.moving[:] = 0, self.used
            length = 4 * size  # half as long costs 2 % of an engine that knows much
            if self.used <= self._at_once:
                buckets, old = grown(table.buckets, length), _NO_BUCKETS
                buckets[: len(table.buckets)] = 0
            else:
                is_prepared = len(self._coming) == length
                buckets = self._coming if is_prepared else zeros(length, _BUCKET)
                old = table.buckets
            table = table._replace(
                old=old, buckets=buckets,
                entities=grown(table.entities, size), met=grown(table.met, size),
            )  # fmt: skip
            if not len(old):
                _move(tuple(table), self.used)
            self._coming, self._written = _NO_BUCKETS, 0
        self._table = table

    def _prepare(self, taken: int) -> None:
        """Where little room is left, and ``taken`` slots of it were taken now, write zeros to buckets to come.

        The system takes its time for memory that nobody has written to, and keys go all over it.
        """
        slots = len(self._table.entities)
        if slots <= self._at_once or self.used < slots - slots // _LEFT or not taken:
            return
        if not len(self._coming):
            self._coming = zeros(8 * slots, _BUCKET)
        end = self._written + 8 * _LEFT * taken
        self._coming[self._written : end] = 0
        self._written = end


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
def _move(arrays, most):  # type: ignore[no-untyped-def]
    """Let so many slots move to the larger hash table; those that were evicted since stand there already."""
    table = _Table(*arrays)
    begin = table.moving[0]
    end = min(begin + most, table.moving[1])
    for slot in range(begin, end):
        stand(table.buckets, table.entities[slot].key, table.salt, slot)
    table.moving[0] = end


@njit(cache=True, nogil=True)
def _walk(arrays, site):  # type: ignore[no-untyped-def]
    table = _Table(*arrays)
    slots = np.empty(table.counts[site], np.int32)
    at = table.hands[site]
    for i in range(len(slots)):
        slots[i] = at
        at = table.entities[at].next
    return slots


@njit(cache=True, nogil=True)
def _insert(arrays, site, keys, seen, used):  # type: ignore[no-untyped-def]
    table = _Table(*arrays)
    n = len(keys)
    for i in range(n):
        slot = used + i
        entity = table.entities[slot]
        entity.key = keys[i]
        entity.seen = seen[i]
        table.met[slot] = 0
        entity.owner = site
        entity.next = used + (i + 1) % n
        stand(table.buckets, keys[i], table.salt, slot)
    table.counts[site] = n
    if n:
        table.hands[site] = used


@njit(cache=True, nogil=True)
def _resolve(  # type: ignore[no-untyped-def]
    arrays, site, key, time, kind, readers, done, used, per_site, forget_after, slot, new
):
    """Resolve keys from ``done`` on, until no slot is free or a site unknown; return ``used`` and ``done``."""
    table = _Table(*arrays)  # which crossed as a plain tuple: see `naming`
    buckets, entities, met, salt = table.buckets, table.entities, table.met, table.salt
    counts, hands, old, moving = table.counts, table.hands, table.old, table.moving
    mask = np.uint64(len(buckets) - 1)
    one = np.uint64(1)
    halve = np.int64(len(key) > len(site))
    begin = ahead = done
    is_moving = False
    homes, looked = np.empty(_AHEAD, np.uint64), np.empty(_AHEAD, np.uint64)
    for i in range(done, len(key)):
        if i == ahead:
            is_moving = moving[0] < moving[1]
            if is_moving:
                _move(arrays, _MOVED)
            begin, ahead = i, min(i + _AHEAD, len(key))
            for j in range(begin, ahead):
                at = home(key[j], salt, mask)
                homes[j - begin] = at
                looked[j - begin] = entities[max(buckets[at] - 1, 0)].key
        row = i >> halve
        k, t, s = key[i], time[row], site[row]
        reads = readers[kind[row]] if len(kind) else readers[0]
        if reads == 0:
            slot[i], new[i] = 0, 0
            continue
        at = homes[i - begin]
        found = -1
        while buckets[at]:
            here = buckets[at] - 1
            if entities[here].key == k and entities[here].owner == s:
                found = here
                break
            at = (at + one) & mask
        if found < 0 and is_moving:
            found = find(old, entities, salt, k, s)
        if found >= 0:
            entity = entities[found]
            if t - entity.seen > forget_after:
                met[found] = 0
            entity.seen = max(entity.seen, t)
        else:
            if s >= len(counts):
                return used, i
            hand = hands[s]
            if counts[s] < per_site:
                if used == len(entities):
                    return used, i
                found = used
                used += 1
                counts[s] += 1
                if hand < 0:
                    entities[found].next = found
                else:
                    entities[found].next = entities[hand].next
                    entities[hand].next = found
            else:
                found = hand
                look = hand
                for _ in range(_SAMPLED):
                    look = entities[look].next
                    if entities[look].seen < entities[found].seen:
                        found = look
                remove(buckets, entities, salt, found)
                if is_moving:
                    remove(old, entities, salt, found)
                at = home(k, salt, mask)
                while buckets[at]:
                    at = (at + one) & mask
            entity = entities[found]
            hands[s] = entity.next
            entity.key = k
            entity.owner = s
            entity.seen = t
            met[found] = 0
            buckets[at] = found + 1
        known = np.uint64(met[found])
        new[i] = reads & ~known
        met[found] = known | reads
        slot[i] = found
    return used, len(key)
