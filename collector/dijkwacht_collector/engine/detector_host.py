"""HOT  Hosts the detectors: gives each its columns and its memory, and fences off what fails."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Step, TableRows, Tick
from dijkwacht_collector.engine.windows import WindowPool
from dijkwacht_collector.policy.policy import Policy
from dijkwacht_detectors.api import (
    ENTITY_COLUMNS,
    AnyDetector,
    RowDetector,
    Rows,
    Scores,
    SiteDetector,
    State,
    Text,
)
from dijkwacht_detectors.state.entities import Entities, mix, mix_column
from dijkwacht_records.tables import TABLE, TABLES

log: Final = logging.getLogger(__name__)

STRIKES: Final = 3
"""A detector that failed so often is left out until the collector starts again."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A score worth saying.

    ``order`` is the row's place in the step, or that of the row whose time ended the window
    (``from_row`` false); ``row`` holds the columns that name who and whom.
    """

    order: int
    from_row: bool
    detector: int
    at: int
    site: int
    agent: int
    time: int
    score: float
    rarity: float
    facts: dict[str, float]
    row: Mapping[str, Any]


class DetectorHost:
    """Runs detectors over steps. What it remembers is plain arrays, and can be checkpointed."""

    def __init__(self, detectors: Sequence[AnyDetector], policy: Policy) -> None:
        self.detectors = list(detectors)
        self.policy = policy
        self.strikes = [0] * len(self.detectors)
        self.failures: dict[str, int] = {}
        self._tables = [TABLES.index(TABLE[d.table]) for d in self.detectors]
        self._reads = [_columns_of(d) for d in self.detectors]
        self._shares = [self._entities_key(i) for i in range(len(self.detectors))]
        self._entities = {
            key: Entities(d.entities_per_site, d.forget_after_s * 1_000_000)
            for d, key in zip(self.detectors, self._shares, strict=True)
        }
        self._states: list[State] = [_new_state(d) for d in self.detectors]
        self._pools = {
            i: WindowPool(d.window_s)
            for i, d in enumerate(self.detectors)
            if not isinstance(d, RowDetector)
        }
        self._sites: list[dict[int, SiteDetector]] = [{} for _ in self.detectors]
        self._bundles: dict[str, bytes] = {}
        self._agents = 0

    def wanted_columns(self) -> dict[int, frozenset[str]]:
        """The columns that somebody reads, by table number."""
        wanted: dict[int, frozenset[str]] = {}
        for table, reads in zip(self._tables, self._reads, strict=True):
            known = {c.name for c in TABLES[table].columns}
            wanted[table] = wanted.get(table, frozenset()) | (frozenset(reads) & known)
        return wanted

    def make_room(self, sites: int, agents: int) -> None:
        """Tell how many sites and agents there are by now."""
        self._agents = agents
        for policy in self.policy.detectors:
            policy.make_room(sites, 0)

    def fold(self, step: Step) -> list[Pick]:
        """Run every detector over every row of its table, and over the windows that ended."""
        picks: list[Pick] = []
        resolved: dict[Any, tuple[NDArray[np.int32], NDArray[np.bool_]]] = {}
        for number, detector in enumerate(self.detectors):
            table = step.tables.get(self._tables[number])
            if table is None or self.strikes[number] >= STRIKES:
                continue
            if not isinstance(detector, RowDetector):
                self._pools[number].append(table, self._reads[number], self._agents)
                continue
            share = self._shares[number]
            if share not in resolved:
                resolved[share] = self._resolve(
                    number, table.columns, table.site, table.time, table.agent
                )
            slot, fresh = resolved[share]
            rows = Rows(self._read(number, table.columns), table.time, table.site, slot, fresh)
            picks += self._pick_rows(number, detector, rows, table)
        if self._pools and step.ticks:
            picks += self.end_windows(step.ticks)
        return picks

    def end_windows(self, ticks: Sequence[Tick]) -> list[Pick]:
        """Score and learn the windows that ``ticks`` have ended."""
        picks: list[Pick] = []
        for number, pool in self._pools.items():
            if self.strikes[number] >= STRIKES:
                continue
            rounds: list[list[tuple[int, int, NDArray[np.int64]]]] = []
            depth: dict[int, int] = {}
            for tick in ticks:
                while pool.ends(tick.agent, tick.time):
                    places = pool.pop(tick.agent)
                    site = pool.site(places[0])
                    level = depth.get(site, 0)
                    depth[site] = level + 1
                    if level == len(rounds):
                        rounds.append([])
                    rounds[level].append((tick.order, tick.agent, places))
            for windows in rounds:
                picks += self._pick_windows(number, windows)
        return picks

    def activate(self, name: str, bundle: bytes) -> None:
        """Give a detector its new model; it holds from the next row on.

        A model that the detector refuses is counted, and the one before it stays.
        """
        for number, detector in enumerate(self.detectors):
            if detector.name == name:
                try:
                    detector.activate(bundle)
                except Exception as error:  # noqa: BLE001  # the fence, as below
                    self._count_failure(number, error)
                else:
                    self._bundles[name] = bundle

    def samples(self) -> dict[str, NDArray[np.float64]]:
        """What detectors with a state field ``samples`` have kept, float64[n, k]."""
        return {
            d.name: state["samples"]
            for d, state in zip(self.detectors, self._states, strict=True)
            if "samples" in state
        }

    def number(self, name: str) -> int:
        """The place of a detector. Raises ``ValueError`` for an unknown name."""
        return [d.name for d in self.detectors].index(name)

    def signature(self) -> tuple[str, ...]:
        """What a checkpoint must agree with to be of use."""
        return tuple(f"{d.name}:{sorted(_state_fields(d).items())}" for d in self.detectors)

    def memory(self) -> Any:
        """All that must survive a restart."""
        return (self._entities, self._states, self._pools, self._sites, self._bundles, self._agents)

    def recall(self, memory: Any, policy: Policy) -> None:
        """Take up what `memory` gave."""
        (
            self._entities, self._states, self._pools, self._sites, self._bundles, self._agents,
        ) = memory  # fmt: skip
        self.policy = policy
        for name, bundle in self._bundles.items():
            self.activate(name, bundle)

    def _pick_rows(
        self, number: int, detector: RowDetector, rows: Rows, table: TableRows
    ) -> list[Pick]:
        state = self._state(number)
        scores = np.full(len(rows), np.nan)
        facts = np.zeros((len(rows), len(detector.facts)))
        try:
            detector.fold(rows, state, scores, facts)
        except Exception as error:  # noqa: BLE001  # the fence: a detector may fail in any way, the engine not
            self.strike(number, error)
            return []
        policy = self.policy.detectors[number]
        policy.make_room(0, self._slots(number))
        chosen, rarities = policy.pick(rows.time, rows.site, rows.slot, rows.fresh, scores)
        return [
            Pick(
                int(table.order[i]), True, number, int(i), int(rows.site[i]), int(table.agent[i]),
                int(rows.time[i]), float(scores[i]), float(rarity), _facts(detector, facts[i], scores[i]),
                _row(detector, table.columns, i),
            )
            for i, rarity in zip(chosen, rarities, strict=True)
        ]  # fmt: skip

    def _pick_windows(
        self, number: int, windows: Sequence[tuple[int, int, NDArray[np.int64]]]
    ) -> list[Pick]:
        detector = self.detectors[number]
        places = np.concatenate([p for _, _, p in windows])
        sizes = [len(p) for _, _, p in windows]
        orders = np.repeat([o for o, _, _ in windows], sizes)
        agents = np.repeat(np.array([a for _, a, _ in windows], np.int32), sizes)
        columns = dict(self._pools[number].read(places))
        time, site = columns.pop("time"), columns.pop("site")
        slot, fresh = self._resolve(number, columns, site, time, agents)
        rows = Rows(self._read(number, columns), time, site, slot, fresh)
        try:
            scores, facts = self._score_window(number, rows, sizes)
        except Exception as error:  # noqa: BLE001  # the fence, as above
            self.strike(number, error)
            return []
        policy = self.policy.detectors[number]
        policy.make_room(0, self._slots(number))
        chosen, rarities = policy.pick(time, site, slot, fresh, scores)
        return [
            Pick(
                int(orders[i]), False, number, int(i), int(site[i]), int(agents[i]), int(time[i]),
                float(scores[i]), float(rarity), _facts(detector, facts[i], scores[i]), _row(detector, columns, i),
            )
            for i, rarity in zip(chosen, rarities, strict=True)
        ]  # fmt: skip

    def _score_window(self, number: int, rows: Rows, sizes: Sequence[int]) -> tuple[Scores, Scores]:
        detector = self.detectors[number]
        if isinstance(detector, RowDetector):
            raise TypeError(f"{detector.name} has no windows")
        if not isinstance(detector, SiteDetector):
            state = self._state(number)
            scores, facts = detector.score(rows, state)
            detector.learn(rows, state)
            return scores, facts
        scores = np.full(len(rows), np.nan)
        at = 0
        for size in sizes:
            part = _slice(rows, at, at + size)
            own = self._sites[number].setdefault(int(rows.site[at]), deepcopy(detector))
            given = np.asarray(own.score_many(part))
            if given.shape != (size,):  # numpy would spread one number over all rows
                raise ValueError(f"{given.shape} scores for {size} rows")
            scores[at : at + size] = given
            own.learn_many(part)
            at += size
        return scores, np.zeros((len(rows), 0))

    def strike(self, number: int, error: Exception) -> None:
        """Count a failure of a detector; it is left out after `STRIKES`."""
        self.strikes[number] += 1
        out = ", left out from now on" if self.strikes[number] >= STRIKES else ""
        self._count_failure(number, error, out)

    def _count_failure(self, number: int, error: Exception, out: str = "") -> None:
        name = self.detectors[number].name
        self.failures[name] = self.failures.get(name, 0) + 1
        log.error("detector failed%s", out, exc_info=error, extra={"detector": name})

    def _state(self, number: int) -> State:
        """The detector's arrays, grown to all slots there are; what is new is zero."""
        state, capacity = self._states[number], self._slots(number)
        for name, (dtype, shape) in _state_fields(self.detectors[number]).items():
            if not name.startswith("samples") and len(state[name]) < capacity:
                grown = np.zeros((capacity, *shape), dtype)
                grown[: len(state[name])] = state[name]
                state[name] = grown
        return state

    def _slots(self, number: int) -> int:
        return self._entities[self._shares[number]].capacity

    def _read(self, number: int, columns: Mapping[str, Any]) -> dict[str, Any]:
        return {name: columns[name] for name in self.detectors[number].reads}

    def _resolve(
        self,
        number: int,
        columns: Mapping[str, Any],
        site: NDArray[np.int32],
        time: NDArray[np.int64],
        agent: NDArray[np.int32],
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        detector = self.detectors[number]
        key = np.zeros(len(site), np.uint64)
        mix_column(key, site)
        names = () if detector.entity == "site" else ENTITY_COLUMNS[detector.table][detector.entity]
        for name in names:
            column = agent if name == "agent" else columns[name]
            if isinstance(column, Text):
                _mix_texts(key, column.offsets, column.blob)
            elif column.ndim == 2:
                mix_column(key, column[:, 0])
                mix_column(key, column[:, 1])
            else:
                mix_column(key, column)
        return self._entities[self._shares[number]].resolve(site, key, time)

    def _entities_key(self, number: int) -> tuple[Any, ...]:
        detector = self.detectors[number]
        if isinstance(detector, RowDetector):
            return (
                detector.table, detector.entity, detector.entities_per_site, detector.forget_after_s,
            )  # fmt: skip
        return (number,)


def _columns_of(detector: AnyDetector) -> tuple[str, ...]:
    """What must be at hand: what the detector reads, what names its entity, and who and whom."""
    entity = () if detector.entity == "site" else ENTITY_COLUMNS[detector.table][detector.entity]
    known = {c.name for c in TABLE[detector.table].columns}
    named = (*detector.reads, *entity, *detector.who.columns)
    return tuple(name for name in dict.fromkeys(named) if name in known and name != "time")


def _state_fields(detector: AnyDetector) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    return {} if isinstance(detector, SiteDetector) else detector.state


def _new_state(detector: AnyDetector) -> State:
    state = {
        name: np.zeros(shape if name.startswith("samples") else (0, *shape), dtype)
        for name, (dtype, shape) in _state_fields(detector).items()
    }
    if "samples" in state:
        state["samples"][:] = np.nan  # nothing kept yet, and nothing to train on
    return state


def _facts(detector: AnyDetector, values: NDArray[np.float64], score: float) -> dict[str, float]:
    return {"score": float(score)} | dict(zip(detector.facts, map(float, values), strict=True))


def _row(detector: AnyDetector, columns: Mapping[str, Any], i: int) -> dict[str, Any]:
    return {name: columns[name][i] for name in detector.who.columns}


def _slice(rows: Rows, begin: int, end: int) -> Rows:
    def cut(column: Any) -> Any:
        if isinstance(column, Text):
            offsets = column.offsets[begin : end + 1]
            return Text(offsets - offsets[0], column.blob[offsets[0] : offsets[-1]])
        return column[begin:end]

    return Rows(
        {name: cut(column) for name, column in rows.columns.items()},
        *(cut(c) for c in (rows.time, rows.site, rows.slot, rows.fresh)),
    )


@njit(cache=True, nogil=True)
def _mix_texts(key, offsets, blob):  # type: ignore[no-untyped-def]
    for i in range(len(key)):
        h = np.uint64(0xCBF29CE484222325)
        for j in range(offsets[i], offsets[i + 1]):
            h = (h ^ np.uint64(blob[j])) * np.uint64(0x100000001B3)
        key[i] = mix(key[i], h)
