"""What one detector or context remembers: the slot of each entity, its arrays, or one object a site.

The engine and the conformance suite give it its rows, and take its scores or columns, through here alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import (
    ROW_TABLE,
    AnyDetector,
    RowDetector,
    Rows,
    Scores,
    SiteDetector,
    State,
    Text,
)
from dijkwacht_detectors.context_api import ENDS, Context
from dijkwacht_detectors.reading import reading_of
from dijkwacht_detectors.state.entities import NO_KINDS, Entities
from dijkwacht_detectors.state.growth import grown
from dijkwacht_detectors.state.keys import Begun, Names, keys_of
from dijkwacht_detectors.state.pool import PLACE, Pool, is_pooled
from dijkwacht_detectors.state.sites import Sites

_UNBORN: Final = "!unborn"  # no field of a detector can have these names
_LEARNED: Final = "!learned"
_DTYPE: Final = {"int": np.int64, "float": np.float64}

Remembers = AnyDetector | Context
"""What has a memory of its own."""


class Kept(NamedTuple):
    """What a detector has kept of each site to train a model on; these are its arrays, no copies.

    ``samples`` [sites, kept, k], of which a site's first ``seen`` int64[sites] are filled, if it is
    not all; ``learned`` int64[sites]: how many it had seen when the model in force came.
    """

    samples: NDArray[Any]
    seen: NDArray[np.int64]
    learned: NDArray[np.int64]


class Memory:
    """The memory of ``detector``; ``entities`` may be one that several detectors fill alike.

    ``state`` are the arrays that the detector declares, by field; ``by_site`` the objects of a
    `SiteDetector`, by site number.
    """

    def __init__(self, detector: Remembers, entities: Entities | None = None) -> None:
        self.detector = detector
        self.reading = reading_of(detector)
        self._handed = self.reading.handed
        self.entities = Memory.entities_for(detector) if entities is None else entities
        self.reader = self.entities.join()
        fields = state_fields(detector)
        self._pool = Pool({name: field for name, field in fields.items() if is_pooled(name)})
        self._by_site = tuple(filter(is_by_site, fields))
        self._by_slot = tuple(n for n in fields if not is_by_site(n) and not is_pooled(n))
        self.state: State = {
            name: np.zeros((0, *of), dtype) for name, (dtype, of) in fields.items()
        }
        if self._pool.fields:
            self._by_slot += (PLACE,)
            self.state[PLACE] = np.zeros(0, np.int32)
        self._capacity = self._sites = 0
        self._learned = np.zeros(0, np.int64)
        self.by_site: dict[int, SiteDetector] = {}
        self._has_forgotten = False

    @staticmethod
    def entities_for(detector: Remembers) -> Entities:
        """An empty table of the entities that ``detector`` tells apart."""
        forget_after_us = detector.forget_after_s * 1_000_000
        if detector.entity == "site":
            return Sites(forget_after_us)
        return Entities(detector.entities_per_site, forget_after_us)

    def resolve(
        self,
        columns: Mapping[str, Any],
        time: NDArray[np.int64],
        site: NDArray[np.int32],
        agent: NDArray[np.int32],
        names: Names,
        begun: Begun | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """The slot of each row's entity, int32[n], and whether it is fresh there, bool[n].

        Of `ENDS` there are 2 n: each row's originator, then its responder. ``columns`` hold those that
        name the entity; ``site`` and ``agent`` are small numbers. ``begun``: as of `keys`.
        """
        readers, kind = np.full(1, self.reader), NO_KINDS
        if self.reading.passes_over:
            readers = np.array([self.reader] * len(self.reading.tables) + [0], np.uint64)
            kind = columns[ROW_TABLE]
        key = self.keys(columns, site, agent, names, begun)
        slot, new = self.entities.resolve(site, key, time, readers, kind)
        return slot, new != 0

    def keys(
        self,
        columns: Mapping[str, Any],
        site: NDArray[np.int32],
        agent: NDArray[np.int32],
        names: Names,
        begun: Begun | None = None,
    ) -> NDArray[np.uint64]:
        """What stands for each row's entity, uint64[n], or 2 n of `ENDS`; as of `resolve`.

        ``begun``: keys of the same rows, by the columns that name them; of those that begin alike the beginning is
        mixed once.
        """
        if isinstance(self.entities, Sites):
            return names.sites[:0]  # nobody looks at it
        begun = {} if begun is None else begun
        entity = self.reading.entity
        if self.detector.entity != ENDS:
            return keys_of(entity, columns, site, agent, names, begun)
        ends = [keys_of((name,), columns, site, agent, names, begun) for name in entity]
        return np.stack(ends, axis=1).ravel()

    def rows(
        self,
        columns: Mapping[str, Any],
        time: NDArray[np.int64],
        site: NDArray[np.int32],
        slot: NDArray[np.int32],
        fresh: NDArray[np.bool_],
    ) -> Rows:
        """The rows as the detector is handed them: of ``columns`` only what it reads."""
        self._has_forgotten = False
        handed = {name: columns[name] for name in self._handed}
        if self.detector.entity == ENDS:
            handed |= {"resp_slot": slot[1::2], "resp_fresh": fresh[1::2]}
            slot, fresh = slot[::2], fresh[::2]
        return Rows(handed, time, site, slot, fresh)

    def score(
        self,
        rows: Rows,
        sizes: Sequence[int] | None = None,
        instance: AnyDetector | None = None,
        blank: tuple[Scores, Scores] | None = None,
    ) -> tuple[Scores, Scores]:
        """Score ``rows`` and learn them; scores float64[n] and facts float64[n, k].

        ``sizes`` are the lengths of the windows that lie end to end in ``rows``, no two of one site;
        None for a `RowDetector`, which writes to ``blank``, NaN and zero, if there is any. ``instance``:
        one of the detector's, if it is not the only one. Raises whatever the detector raises, and
        ``ValueError`` for a score too few, or facts that are not those it declares.
        """
        detector = instance or self.detector
        assert not isinstance(detector, Context)
        if isinstance(detector, RowDetector):
            scores, facts = blank or (
                np.full(len(rows), np.nan), np.zeros((len(rows), len(detector.facts)))
            )  # fmt: skip
            # A copy of the mapping: what it puts in place of an array is its own affair.
            detector.fold(rows, dict(self._grown_for(rows)), scores, facts)
            return scores, facts
        if isinstance(detector, SiteDetector):
            return self._score_sites(detector, rows, sizes or ())
        state = dict(self._grown_for(rows))
        scores, facts = detector.score(rows, state)
        if np.shape(scores) != (len(rows),):
            raise ValueError(f"score returned {_count(scores)} for {len(rows)} rows")
        if np.shape(facts) != (len(rows), len(detector.facts)):
            wanted = f"{len(rows)} rows and {len(detector.facts)} facts"
            raise ValueError(f"score returned facts of shape {np.shape(facts)} for {wanted}")
        detector.learn(rows, state)
        return scores, facts

    def columns(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """What a `Context` makes of ``rows``, which it learns; raises whatever it raises."""
        context = self.detector
        assert isinstance(context, Context)
        out = {name: np.zeros(len(rows), _DTYPE[kind]) for name, kind in context.columns.items()}
        context.fold(rows, self._grown_for(rows), out)
        return out

    def met(self, rows: Rows) -> NDArray[np.int32]:
        """Slots of the entities that ``rows`` were the first of, of both ends where there are two."""
        slots = rows.slot[rows.fresh]
        if self.detector.entity != ENDS:
            return slots
        return np.concatenate((slots, rows["resp_slot"][rows["resp_fresh"]]))

    def renewed(self, rows: Rows) -> Rows:
        """``rows``, with what was forgotten since they were resolved fresh."""
        if not self._has_forgotten:
            return rows
        again = np.flatnonzero(self.entities.unmet(rows.slot, self.reader))
        slots, first = np.unique(rows.slot[again], return_index=True)
        self.entities.meet(slots, self.reader)
        fresh = rows.fresh.copy()
        fresh[again[first]] = True
        return replace(rows, fresh=fresh)

    def snapshot(self, rows: Rows) -> State:
        """What the arrays hold of the entities of ``rows``, for `restore`."""
        state = self._grown_for(rows)
        kept = {name: state[name][rows.slot] for name in self._by_slot}
        if PLACE in kept:
            kept |= self._pool.snapshot(state, kept[PLACE])
        return kept | {name: state[name][rows.site] for name in self._by_site}

    def restore(self, rows: Rows, before: State) -> None:
        """Put back what `snapshot` saw; an object of its own that a site has begins anew."""
        for name in self._by_slot:
            self.state[name][rows.slot] = before[name]
        for name in self._by_site:
            self.state[name][rows.site] = before[name]
        if PLACE in before:
            self._pool.restore(self.state, before)
        for site in np.unique(rows.site).tolist():
            self.by_site.pop(site, None)

    def grown(self, sites: int = 0, places: int = 0) -> State:
        """The arrays, grown to all slots there are, to so many sites and new places; what is new is zero."""
        state, capacity = self.state, self.entities.capacity
        if self._pool.fields:
            self._pool.make_room(state, places)
        if capacity > self._capacity:
            for name in self._by_slot:
                state[name] = grown(state[name], capacity)
            self._capacity = capacity
        if sites > self._sites and self._by_site:
            self._sites = room = max(sites, 2 * self._sites)
            for name in self._by_site:
                state[name] = grown(state[name], room)
            self._learned = grown(self._learned, room)
        return state

    def kept(self) -> Kept | None:
        """What is there to train a model on; None if the detector keeps nothing for that."""
        if "samples" not in self.state:
            return None
        return Kept(self.state["samples"], self.state["samples_seen"], self._learned)

    def note_model(self, sites: NDArray[np.int64]) -> None:
        """A model has come to ``sites``: what was seen there until now is no reason for another one."""
        if "samples" in self.state and len(sites):
            seen = self.grown(int(sites.max()) + 1)["samples_seen"]
            self._learned[sites] = seen[sites]

    def take(self, site: int, slots: NDArray[np.int32]) -> tuple[State, SiteDetector | None]:
        """What is remembered of one site: each field's values at ``slots`` or of the site, its object."""
        state = self.grown(site + 1)
        fields = {name: state[name].take(slots, axis=0) for name in self._by_slot}
        if PLACE in fields:
            fields |= self._pool.take(state, fields[PLACE])
        fields |= {name: state[name][site : site + 1].copy() for name in self._by_site}
        if self._by_site:
            fields[_LEARNED] = self._learned[site : site + 1].copy()
        unmet = self.entities.unmet(slots, self.reader)
        if unmet.any():
            fields[_UNBORN] = unmet
        return fields, self.by_site.get(site)

    def put(
        self, site: int, slots: NDArray[np.int32], fields: State, own: SiteDetector | None
    ) -> None:
        """Remember of one site, at other slots, what `take` returned."""
        state = self.grown(site + 1)
        self.entities.meet(slots, self.reader)
        for name, values in fields.items():
            if name == PLACE:
                state[name][slots] = self._pool.put(state, fields)
            elif name == _UNBORN:
                self.forget(slots[values])
            elif name == _LEARNED:
                self._learned[site : site + 1] = values
            elif name in self._by_site:
                state[name][site : site + 1] = values
            elif name in self._by_slot:
                state[name][slots] = values
        if own is not None:
            self.by_site[site] = own

    def forget(self, slots: NDArray[np.int32]) -> None:
        """Take the entities at ``slots`` for new, though others that share the table know them."""
        self.entities.forget(slots, self.reader)
        self._has_forgotten = True

    def _grown_for(self, rows: Rows) -> State:
        sites = int(rows.site.max(initial=-1)) + 1 if self._by_site else 0
        return self.grown(sites, 2 * len(rows))  # at most, where both ends are entities

    def _score_sites(
        self, detector: SiteDetector, rows: Rows, sizes: Sequence[int]
    ) -> tuple[Scores, Scores]:
        scores = np.full(len(rows), np.nan)
        at = 0
        for size in sizes:
            window = cut_rows(rows, at, at + size)
            own = self.by_site.setdefault(int(rows.site[at]), deepcopy(detector))
            given = np.asarray(told := own.score_many(window))
            if told is None:
                raise ValueError("score_many returned None: it ends without a return")
            if given.shape != (size,):  # numpy would spread one number over all rows
                raise ValueError(f"score_many returned {_count(given)} for {size} rows")
            scores[at : at + size] = given
            own.learn_many(window)
            at += size
        return scores, np.zeros((len(rows), 0))


def state_fields(detector: Remembers) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    """The declared arrays of a detector; a `SiteDetector` has none."""
    return {} if isinstance(detector, SiteDetector) else detector.state


def is_by_site(field: str) -> bool:
    """Whether a state field has one entry a site, and not one a slot."""
    return field.startswith("samples")


def _count(scores: Any) -> str:
    return "a single value" if np.ndim(scores) == 0 else f"{len(scores)} scores"


def cut_column(column: Any, begin: int, end: int) -> Any:
    """Some rows of a column, an array or a `Text`."""
    if isinstance(column, Text):
        offsets = column.offsets[begin : end + 1]
        return Text(offsets - offsets[0], column.blob[offsets[0] : offsets[-1]])
    return column[begin:end]


def cut_rows(rows: Rows, begin: int, end: int) -> Rows:
    """Some of ``rows``, from ``begin`` to before ``end``."""
    return Rows(
        {name: cut_column(column, begin, end) for name, column in rows.columns.items()},
        rows.time[begin:end],
        rows.site[begin:end],
        rows.slot[begin:end],
        rows.fresh[begin:end],
    )


def read_only(rows: Rows) -> Rows:
    """The same rows, which nobody can write to: others read them afterwards."""
    columns = {name: _locked(column) for name, column in rows.columns.items()}
    kept = (_locked(c) for c in (rows.time, rows.site, rows.slot, rows.fresh))
    return Rows(columns, *kept)


def _locked(column: Any) -> Any:
    if isinstance(column, Text):
        return Text(_locked(column.offsets), _locked(column.blob))
    locked = column.view()
    locked.flags.writeable = False
    return locked


def pick_column(column: Any, places: NDArray[np.int64]) -> Any:
    """The rows of a column, an array or a `Text`, that stand at ``places``."""
    if isinstance(column, Text):
        lengths = np.diff(column.offsets)[places]
        offsets = np.zeros(len(places) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        begins = np.repeat(column.offsets[:-1][places] - offsets[:-1], lengths)
        return Text(offsets, column.blob[begins + np.arange(offsets[-1])])
    return column.take(places, axis=0)  # of addresses an index costs 25 times as much


def pick_rows(rows: Rows, places: NDArray[np.int64]) -> Rows:
    """The rows that stand at ``places``."""
    return Rows(
        {name: pick_column(column, places) for name, column in rows.columns.items()},
        rows.time[places],
        rows.site[places],
        rows.slot[places],
        rows.fresh[places],
    )
