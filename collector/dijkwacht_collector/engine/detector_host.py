"""HOT  Hosts the detectors: gives each its columns and its memory, and fences off what fails.

What comes out are opinions. What they mean on a site is the policy's, and whether they are reported the incidents'.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Step, TableRows, Ticks
from dijkwacht_collector.engine.contexts import Contexts
from dijkwacht_collector.engine.signatures import entity_table, signature_of
from dijkwacht_collector.engine.site_record import (
    Column,
    ContextPart,
    DetectorPart,
    EntityPart,
    SiteRecord,
    pack_all,
    unpack,
    unpack_all,
)
from dijkwacht_collector.engine.views import Views, cut_table, view_of
from dijkwacht_collector.engine.windows import Window, WindowPool, rounds_of
from dijkwacht_collector.policy import Policy, Scored
from dijkwacht_detectors.api import AnyDetector, Detector, RowDetector, Rows, SiteDetector
from dijkwacht_detectors.context import contexts_for
from dijkwacht_detectors.state.entities import Entities
from dijkwacht_detectors.state.memory import Memory, cut_rows, is_of_all_sites
from dijkwacht_records.tables import TABLE, TABLES

log: Final = logging.getLogger(__name__)

STRIKES: Final = 3
"""A detector that failed so often is left out until the collector starts again."""

OnFailure = Callable[[AnyDetector, Exception, bool], None]
"""Called with a detector, what it raised, and whether it is left out from now on."""


def log_failure(detector: AnyDetector, error: Exception, left_out: bool) -> None:  # as `OnFailure`
    """Log that a detector failed, with its traceback."""
    out = ", left out from now on" if left_out else ""
    log.error("detector failed%s", out, exc_info=error, extra={"detector": detector.name})


class DetectorHost:
    """Runs detectors over steps. What it remembers is plain arrays, and can be checkpointed."""

    def __init__(
        self, detectors: Sequence[AnyDetector], on_failure: OnFailure = log_failure
    ) -> None:
        self.detectors = list(detectors)
        self.strikes = [0] * len(self.detectors)
        self.failures: dict[str, int] = {}
        self._on_failure = on_failure
        self._numbers = {d.name: number for number, d in enumerate(self.detectors)}
        self._contexts = Contexts(contexts_for({c for d in self.detectors for c in d.context}))
        shared: dict[str, Entities] = {}
        self._entity_tables = [entity_table(d) for d in self.detectors]
        self._memories = [
            Memory(d, shared.setdefault(table, Memory.entities_for(d)))
            for d, table in zip(self.detectors, self._entity_tables, strict=True)
        ]
        self._views = [view_of(m.reading, self._contexts.kinds) for m in self._memories]
        self._columns = [view.stored for view in self._views]
        self.signatures = [
            signature_of(d, columns, table)
            for d, columns, table in zip(
                self.detectors, self._columns, self._entity_tables, strict=True
            )
        ]
        self._pools = {
            number: WindowPool(d.window_s)
            for number, d in enumerate(self.detectors)
            if not isinstance(d, RowDetector)
        }
        self._bundles: dict[str, bytes] = {}
        self._taken: dict[str, dict[str, bytes]] = {}
        self._unsaved: set[int] = set()
        self._site_keys = self._agent_keys = np.zeros(0, np.uint64)

    def wanted_columns(self) -> dict[int, frozenset[str]]:
        """The columns that somebody reads, by table number."""
        wanted: dict[int, frozenset[str]] = {}
        for reading in (*(m.reading for m in self._memories), *self._contexts.readings):
            for name in reading.tables:
                number = TABLES.index(TABLE[name])
                needed = frozenset(reading.needed_of(name))
                wanted[number] = wanted.get(number, frozenset()) | needed
        return wanted

    def know(self, site_keys: NDArray[np.uint64], agent_keys: NDArray[np.uint64]) -> None:
        """What stands for the name of each site and agent by now, by number."""
        self._site_keys, self._agent_keys = site_keys, agent_keys

    def score(self, step: Step) -> list[Scored]:
        """Score and learn every row of a detector's tables, and the windows that ended."""
        scored: list[Scored] = []
        out: list[Memory] = []
        views = Views(step)
        failed = self._contexts.compute(views, self._site_keys, self._agent_keys)
        resolved: dict[int, tuple[NDArray[np.int32], NDArray[np.bool_]]] = {}
        for number, memory in enumerate(self._memories):
            table = views.rows(self._views[number])
            if table is None:
                continue
            if self._is_out(number):
                out.append(memory)
                continue
            if failed and not failed.keys().isdisjoint(memory.reading.context):
                self.strike(number, next(failed[c] for c in memory.reading.context if c in failed))
                out.append(memory)
                continue
            if number in self._pools:
                reads = self._columns[number]
                self._pools[number].append(table, reads, len(self._agent_keys), step.ticks)
                continue
            entities = id(memory.entities)
            if entities not in resolved:
                resolved[entities] = self._resolve(memory, table)
            rows = memory.rows(table.columns, table.time, table.site, *resolved[entities])
            scored += self._score(number, rows, table)
        for memory in out:
            if (known := resolved.get(id(memory.entities))) is not None:
                slot, fresh = known
                memory.forget(slot[fresh])  # others that share the table have seen them
        if self._pools and len(step.ticks):
            scored += self.end_windows(step.ticks)
        return scored

    def end_windows(self, ticks: Ticks) -> list[Scored]:
        """Score and learn the windows that ``ticks`` have ended."""
        scored: list[Scored] = []
        for number, pool in self._pools.items():
            if self._is_out(number):
                continue
            ended = pool.end(ticks)
            if len(ended.windows):
                scored += self._score_windows(number, rounds_of(ended))
        return scored

    def activate(self, name: str, bundle: bytes) -> None:
        """Give a detector its new model; it holds from the next row on.

        A model that the detector refuses is counted, and the one before it stays.
        """
        number = self._numbers.get(name)
        if number is None:
            return
        try:
            self.detectors[number].activate(bundle)
        except Exception as error:  # noqa: BLE001  # the fence, as below
            self._count_failure(number, error)
        else:
            self._bundles[name] = bundle

    def take_table(self, name: str, bundle: bytes) -> None:
        """Give every detector that takes tables the one of this ``name``; it holds from the next row on.

        A detector that refuses it is counted, and goes on with the one before.
        """
        for number, detector in enumerate(self.detectors):
            if type(detector).take_table is not Detector.take_table:
                self._offer_table(number, name, bundle)

    def samples(self) -> dict[str, NDArray[np.float64]]:
        """What detectors with a state field ``samples`` have kept, float64[n, k]."""
        return {
            memory.detector.name: memory.state["samples"]
            for memory in self._memories
            if "samples" in memory.state
        }

    def number(self, name: str) -> int | None:
        """The place of a detector; None if there is none of that name (any more)."""
        return self._numbers.get(name)

    def take(
        self, site: int, agents: Mapping[int, str], policy: Policy
    ) -> tuple[dict[str, EntityPart], dict[str, DetectorPart], dict[str, ContextPart]]:
        """What detectors and contexts remember of one site, with its policies' lines; it stays.

        ``agents``: the site's agents, number → name.
        """
        entities: dict[str, EntityPart] = {}
        parts: dict[str, DetectorPart] = {}
        slots: dict[str, NDArray[np.int32]] = {}
        for number, memory in enumerate(self._memories):
            table = self._entity_tables[number]
            if table not in slots:
                slots[table], keys, seen = memory.entities.take(site)
                entities[table] = EntityPart(keys.tobytes(), seen.tobytes())
            fields, own = memory.take(site, slots[table])
            pool = self._pools.get(number)
            waiting = {} if pool is None else {n: pool.take(a) for a, n in agents.items()}
            signature, pickled = self._pickle(number, own)
            parts[memory.detector.name] = DetectorPart(
                signature,
                pack_all(fields),
                pickled,
                {name: pack_all(columns) for name, columns in waiting.items() if columns},
                policy.detectors[number].take(site, slots[table]),
            )
        return entities, parts, self._contexts.take(site)

    def take_dropped(self) -> dict[int, int]:
        """Rows that a detector's full windows did not take, by site, since the last time."""
        dropped: dict[int, int] = {}
        for pool in self._pools.values():
            for site, rows in pool.take_dropped().items():
                dropped[site] = dropped.get(site, 0) + rows
        return dropped

    def put(self, site: int, agents: Mapping[str, int], record: SiteRecord, policy: Policy) -> None:
        """Take up a site that this host does not know. ``agents``: its agents, name → number."""
        self._contexts.put(site, record.contexts)
        slots: dict[str, NDArray[np.int32]] = {}
        for number, memory in enumerate(self._memories):
            table = self._entity_tables[number]
            if table not in slots:
                kept = record.entities.get(table, EntityPart(b"", b""))
                keys = np.frombuffer(kept.keys, np.uint64)
                slots[table] = memory.entities.put(site, keys, np.frombuffer(kept.seen, np.int64))
            part = record.detectors.get(memory.detector.name)
            if part is None or part.signature != self.signatures[number]:
                memory.forget(slots[table])
                continue
            try:
                own = pickle.loads(part.own) if part.own else None  # noqa: S301  # our own file, and ours alone
            except Exception as error:  # noqa: BLE001  # the fence, as above
                self._count_failure(number, error)
                memory.forget(slots[table])
                continue
            memory.put(site, slots[table], unpack_all(part.fields), own)
            if own is not None:  # what it took may be older than what is known here
                for name, data in self._taken.get(memory.detector.name, {}).items():
                    self._takes(number, own, name, data)
            policy.detectors[number].put(site, slots[table], part.lines)
            for name, columns in part.waiting.items():
                self._pools[number].put(site, agents[name], unpack_all(columns))

    def shared(self) -> dict[str, dict[str, Column]]:
        """What detectors remember of all sites together, by detector and field."""
        return {
            m.detector.name: pack_all({f: v for f, v in m.state.items() if is_of_all_sites(f)})
            for m in self._memories
            if any(is_of_all_sites(f) for f in m.state)
        }

    def put_shared(self, shared: Mapping[str, Mapping[str, Column]]) -> None:
        """Take up what `shared` returned, of fields that are still of that shape."""
        for memory in self._memories:
            for field, column in shared.get(memory.detector.name, {}).items():
                values = unpack(column)
                known = memory.state.get(field)
                if known is not None and (known.shape, known.dtype) == (values.shape, values.dtype):
                    memory.state[field] = values

    def tables(self) -> dict[str, dict[str, bytes]]:
        """The tables that each detector took, by its name and theirs."""
        return {detector: dict(taken) for detector, taken in self._taken.items()}

    def put_tables(self, tables: Mapping[str, Mapping[str, bytes]]) -> None:
        """Take up what `tables` returned, for detectors that are still there."""
        for detector, taken in tables.items():
            number = self._numbers.get(detector)
            if number is not None:
                for name, data in taken.items():
                    self._offer_table(number, name, data)

    @property
    def bundles(self) -> dict[str, bytes]:
        """The models in force, by detector."""
        return self._bundles

    def strike(self, number: int, error: Exception) -> None:
        """Count a failure of a detector; it is left out after `STRIKES`."""
        self.strikes[number] += 1
        self._count_failure(number, error)

    def _score(
        self, number: int, rows: Rows, table: TableRows, sizes: Sequence[int] | None = None
    ) -> list[Scored]:
        who = self.detectors[number].who
        try:
            scores, facts = self._memories[number].score(rows, sizes)
        except Exception as error:  # noqa: BLE001  # the fence: a detector may fail in any way, the engine not
            self.strike(number, error)
            self._memories[number].forget(rows.slot[rows.fresh])  # it has not seen them
            return []
        return [
            Scored(
                number, sizes is not None, table.order, table.agent, rows.time, rows.site,
                rows.slot, rows.fresh, scores, facts, {c: table.columns[c] for c in who.columns},
            )
        ]  # fmt: skip

    def _score_windows(self, number: int, rounds: Sequence[Sequence[Window]]) -> list[Scored]:
        """Windows in rounds, read and resolved at once: that costs more a call than for a window's rows.

        A round's windows are one table: so does a kernel's call.
        """
        memory = self._memories[number]
        windows = [window for one in rounds for window in one]
        sizes = [len(places) for _, _, places in windows]
        columns = dict(self._pools[number].read(np.concatenate([p for _, _, p in windows])))
        table = TableRows(
            columns=columns,
            time=columns.pop("time"),
            site=columns.pop("site"),
            agent=np.repeat(np.array([agent for _, agent, _ in windows], np.int32), sizes),
            order=np.repeat(np.array([order for order, _, _ in windows], np.int64), sizes),
        )
        rows = memory.rows(columns, table.time, table.site, *self._resolve(memory, table))
        scored: list[Scored] = []
        begin = done = 0
        for one in rounds:
            of_round = sizes[done : done + len(one)]
            end, done = begin + sum(of_round), done + len(one)
            cut = cut_table(table, begin, end)
            scored += self._score(number, cut_rows(rows, begin, end), cut, of_round)
            begin = end
        return scored

    def _resolve(
        self, memory: Memory, table: TableRows
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        sites, agents = self._site_keys[table.site], self._agent_keys[table.agent]
        return memory.resolve(table.columns, table.time, table.site, sites, agents)

    def _offer_table(self, number: int, name: str, data: bytes) -> None:
        detector = self.detectors[number]
        if self._takes(number, detector, name, data):
            self._taken.setdefault(detector.name, {})[name] = data
            for own in self._memories[number].by_site.values():
                self._takes(number, own, name, data)

    def _takes(self, number: int, one: AnyDetector, name: str, data: bytes) -> bool:
        try:
            one.take_table(name, data)
        except Exception as error:  # noqa: BLE001  # the fence, as above
            self._count_failure(number, error)
            return False
        return True

    def _pickle(self, number: int, own: SiteDetector | None) -> tuple[str, bytes]:
        """Signature and bytes of a site's own object; no signature if it cannot be saved.

        That is no strike: what is reported may not depend on when it was saved.
        """
        if own is None:
            return self.signatures[number], b""
        if number not in self._unsaved:
            try:
                return self.signatures[number], pickle.dumps(own, protocol=5)
            except Exception as error:  # noqa: BLE001  # the fence: what it remembers is its own
                self._unsaved.add(number)  # once is enough for the log
                self._count_failure(number, error)
        return "", b""

    def _is_out(self, number: int) -> bool:
        return self.strikes[number] >= STRIKES

    def _count_failure(self, number: int, error: Exception) -> None:
        detector = self.detectors[number]
        self.failures[detector.name] = self.failures.get(detector.name, 0) + 1
        self._on_failure(detector, error, self._is_out(number))
