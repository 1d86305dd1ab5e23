"""Entities of which each site has one, the site itself: nothing is looked for."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.state.entities import ALONE, NO_KINDS, Entities
from dijkwacht_detectors.state.growth import grown


class Sites(Entities):
    """As `Entities`, but a slot is the number of a site, and keys say nothing."""

    def __init__(self, forget_after_us: int) -> None:
        super().__init__(1, forget_after_us)

    def resolve(
        self,
        site: NDArray[np.int32],
        key: NDArray[np.uint64],  # noqa: ARG002
        time: NDArray[np.int64],
        readers: NDArray[np.uint64] = ALONE,
        kind: NDArray[np.int8] = NO_KINDS,
    ) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
        """As `Entities.resolve`; ``slot`` is ``site`` itself."""
        new = np.empty(len(site), np.uint64)
        self._make_room(int(site.max(initial=-1)) + 1)
        self.used += _resolve(
            self._table.entities, self._table.met, self._table.counts, site, time, kind, readers,
            self.forget_after_us, new,
        )  # fmt: skip
        return site, new

    def take(self, site: int) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.int64]]:
        """As `Entities.take`: one slot, or none."""
        known = site < len(self._table.counts) and self._table.counts[site]
        slots = np.full(1 if known else 0, site, np.int32)
        return slots, np.zeros(len(slots), np.uint64), self._table.entities["seen"][slots]

    def put(
        self, site: int, keys: NDArray[np.uint64], seen: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """As `Entities.put`, of one entity or none."""
        self._make_room(site + 1)
        if self._table.counts[site]:
            raise ValueError(f"site {site} is known already")
        slots = np.full(len(keys), site, np.int32)
        self._table.counts[slots] = 1
        self._table.entities["seen"][slots] = seen
        self._table.met[slots] = 0
        self.used += len(slots)
        return slots

    def _make_room(self, sites: int, slots: int = 0) -> None:  # noqa: ARG002  # there is one for each
        table = self._table
        if sites > len(table.counts):
            size = max(self.capacity, 2 * sites)
            self._table = table._replace(
                entities=grown(table.entities, size), met=grown(table.met, size),
                counts=grown(table.counts, size),
            )  # fmt: skip


@njit(cache=True, nogil=True)
def _resolve(entities, met, counts, site, time, kind, readers, forget_after, new):  # type: ignore[no-untyped-def]
    """Say to whom each row's site is new; return how many sites nobody knew."""
    unheard = 0
    for i in range(len(site)):
        s, t = site[i], time[i]
        reads = readers[kind[i]] if len(kind) else readers[0]
        if reads == 0:
            new[i] = 0
            continue
        entity = entities[s]
        if counts[s] == 0:
            counts[s] = 1
            unheard += 1
            entity.seen = t
            met[s] = 0
        elif t - entity.seen > forget_after:
            met[s] = 0
        entity.seen = max(entity.seen, t)
        known = np.uint64(met[s])
        new[i] = reads & ~known
        met[s] = known | reads
    return unheard
