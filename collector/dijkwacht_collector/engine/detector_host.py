"""HOT  Hosts the detectors: gives each its columns and its memory, and fences off what fails.

What comes out are opinions. What they mean on a site is the policy's, and whether they are reported the incidents'.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Step, TableRows, Ticks
from dijkwacht_collector.engine.contexts import Contexts
from dijkwacht_collector.engine.hosted import Hosted, OnFailure
from dijkwacht_collector.engine.instances import MODEL, Given
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.opinions import BlankScores
from dijkwacht_collector.engine.signatures import entity_tables, signature_of
from dijkwacht_collector.engine.site_record import (
    ContextPart,
    DetectorPart,
    EntityPart,
    SiteRecord,
    pack_all,
    unpack_all,
)
from dijkwacht_collector.engine.slots import Slots, shared_by
from dijkwacht_collector.engine.views import Views, cut_table, pick_table, together_of, view_of
from dijkwacht_collector.engine.windows import Window, WindowPool, rounds_of
from dijkwacht_collector.incidents import Evidence, fill
from dijkwacht_collector.policy import Policy, Scored
from dijkwacht_detectors.api import AnyDetector, Detector, Explanation, RowDetector, SiteDetector
from dijkwacht_detectors.context import contexts_for
from dijkwacht_detectors.state.entities import Entities
from dijkwacht_detectors.state.keys import Names
from dijkwacht_detectors.state.memory import Kept, Memory, cut_rows
from dijkwacht_records.errors import JournalError
from dijkwacht_records.tables import TABLE, TABLES

log: Final = logging.getLogger(__name__)

_NO_STARTS: Final = np.zeros(1, np.int64)  # windows are told apart by their sizes


def log_failure(detector: AnyDetector, error: BaseException) -> None:  # as `OnFailure`
    """Log that a detector failed, with its traceback."""
    log.error("detector failed", exc_info=error, extra={"detector": detector.name})


class DetectorHost:
    """Runs detectors over steps. What it remembers is plain arrays, and can be checkpointed."""

    def __init__(
        self, detectors: Sequence[AnyDetector], on_failure: OnFailure = log_failure
    ) -> None:
        self.detectors = list(detectors)
        self._numbers = {d.name: number for number, d in enumerate(self.detectors)}
        self._contexts = Contexts(contexts_for({c for d in self.detectors for c in d.context}))
        shared: dict[str, Entities] = {}
        self._entity_tables = entity_tables(self.detectors)
        blank = BlankScores()
        self.hosted = [
            Hosted(
                number,
                d,
                Memory(d, shared.setdefault(table, Memory.entities_for(d))),
                on_failure,
                blank,
            )
            for number, (d, table) in enumerate(
                zip(self.detectors, self._entity_tables, strict=True)
            )
        ]
        self._views = [view_of(h.memory.reading, self._contexts.kinds) for h in self.hosted]
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
        self._shared = shared_by([h.memory for h in self.hosted if h.number not in self._pools])
        shared_views = (one.view for one in self._shared.values())
        self._together = together_of((*self._views, *self._contexts.views, *shared_views))
        self._unsaved: set[int] = set()
        self._names = Names(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
        self._partitions = np.zeros(0, np.int32)

    def wanted_columns(self) -> dict[int, frozenset[str]]:
        """The columns that somebody reads, by table number."""
        wanted: dict[int, frozenset[str]] = {}
        for reading in (*(h.memory.reading for h in self.hosted), *self._contexts.readings):
            for name in reading.tables:
                number = TABLES.index(TABLE[name])
                needed = frozenset(reading.needed_of(name))
                wanted[number] = wanted.get(number, frozenset()) | needed
        return wanted

    def know(self, numbering: Numbering) -> None:
        """The sites and agents there are by now."""
        self._names = Names(numbering.site_keys, numbering.agent_keys)
        self._partitions = numbering.partitions

    def score(self, step: Step) -> list[Scored]:
        """Score and learn every row of a detector's tables, and the windows that ended."""
        scored: list[Scored] = []
        views = Views(step, self._together)
        failed = self._contexts.compute(views, self._names)
        slots = Slots(views, self._shared, self._names)
        for hosted in self.hosted:
            number, memory = hosted.number, hosted.memory
            table = views.rows(self._views[number])
            if table is None:
                continue
            missing = [failed[c] for c in memory.reading.context if c in failed] if failed else []
            if missing:
                hosted.fail(missing[0])
            admitted = hosted.admitted(table)
            if number in self._pools:
                if missing:
                    continue
                table = table if admitted is None else pick_table(table, admitted)
                reads = self._columns[number]
                self._pools[number].append(table, reads, len(self._names.agents), step.ticks)
                continue
            slot, fresh = slots.of(memory, self._views[number])
            if missing:  # others that share the table have seen what it has not
                memory.forget(slot[fresh])
                continue
            if admitted is not None:
                unseen = fresh.copy()
                unseen[admitted] = False
                memory.forget(slot[unseen])
                table, slot, fresh = pick_table(table, admitted), slot[admitted], fresh[admitted]
            rows = memory.rows(table.columns, table.time, table.site, slot, fresh)
            scored.append(hosted.score(rows, table, self._partitions, step.starts))
        if self._pools and len(step.ticks):
            scored += self.end_windows(step.ticks)
        return scored

    def end_windows(self, ticks: Ticks) -> list[Scored]:
        """Score and learn the windows that ``ticks`` have ended."""
        scored: list[Scored] = []
        for number, pool in self._pools.items():
            ended = self.hosted[number].admit(pool.end(ticks))
            if len(ended.windows):
                scored += self._score_windows(self.hosted[number], rounds_of(ended))
        return scored

    @property
    def table_takers(self) -> list[str]:
        """Names of the detectors that take tables."""
        return [
            detector.name
            for detector in self.detectors
            if type(detector).take_table is not Detector.take_table
        ]

    def give(self, partition: int, detector: str, name: str, given: Given) -> None:
        """Give a detector a table of that ``name``, or a `MODEL`, for the sites of a partition.

        It holds from the next row on. What the detector refuses is counted, and it goes on with what it
        had. Raises what fetching it raises.
        """
        number = self._numbers.get(detector)
        if number is None:
            return
        hosted = self.hosted[number]
        data: list[bytes] = []

        def give(one: AnyDetector) -> None:
            data[:] = data or [given.fetch()]
            one.activate(*data) if name == MODEL else one.take_table(name, *data)

        try:
            hosted.instances.give(partition, name, given.bundle, give)
            for site, own in hosted.memory.by_site.items():
                if self._partitions[site] == partition:
                    give(own)
        except (JournalError, OSError):  # the bundle's
            raise
        except Exception as error:  # noqa: BLE001  # the fence, as above
            hosted.fail(error)
        if name == MODEL:
            hosted.memory.note_model(np.flatnonzero(self._partitions == partition))

    def given(self, partition: int) -> dict[str, dict[str, str]]:
        """What each detector was given for the sites of a partition, and took; see `PartitionState`."""
        taken = {h.detector.name: h.instances.given(partition) for h in self.hosted}
        return {detector: named for detector, named in taken.items() if named}

    def samples(self) -> dict[str, Kept]:
        """What detectors with a state field ``samples`` have kept, by detector."""
        kept = ((hosted.detector.name, hosted.memory.kept()) for hosted in self.hosted)
        return {name: one for name, one in kept if one is not None}

    def number(self, name: str) -> int | None:
        """The place of a detector; None if there is none of that name (any more)."""
        return self._numbers.get(name)

    def explain(self, detector: str, evidence: Evidence, subject: str) -> Explanation | None:
        """As `Explain`."""
        number = self._numbers.get(detector)
        if number is None:
            return None
        try:
            return fill(self.detectors[number].explain(evidence.facts), evidence, subject)
        except Exception as error:  # noqa: BLE001  # the fence: words are the detector's own
            self.hosted[number].fail(error)
            return None

    def take(
        self, site: int, agents: Mapping[int, str], policy: Policy
    ) -> tuple[dict[str, EntityPart], dict[str, DetectorPart], dict[str, ContextPart]]:
        """What detectors and contexts remember of one site, with its policies' lines; it stays.

        ``agents``: the site's agents, number → name.
        """
        entities: dict[str, EntityPart] = {}
        parts: dict[str, DetectorPart] = {}
        slots: dict[str, NDArray[np.int32]] = {}
        for hosted in self.hosted:
            number, memory = hosted.number, hosted.memory
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
                hosted.strikes(site),
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
        for hosted in self.hosted:
            number, memory = hosted.number, hosted.memory
            table = self._entity_tables[number]
            if table not in slots:
                kept = record.entities.get(table, EntityPart(b"", b""))
                keys = np.frombuffer(kept.keys, np.uint64)
                slots[table] = memory.entities.put(site, keys, np.frombuffer(kept.seen, np.int64))
            part = record.detectors.get(memory.detector.name)
            if part is not None and part.strikes:
                hosted.strike(site, part.strikes)
            if part is None or part.signature != self.signatures[number]:
                memory.forget(slots[table])
                continue
            try:
                own = pickle.loads(part.own) if part.own else None  # noqa: S301  # our own file, and ours alone
                memory.put(site, slots[table], unpack_all(part.fields), own)
            except Exception as error:  # noqa: BLE001  # the fence, as above
                hosted.fail(error)
                memory.forget(slots[table])
                continue
            policy.detectors[number].put(site, slots[table], part.lines)
            for name, columns in part.waiting.items():
                self._pools[number].put(site, agents[name], unpack_all(columns))

    def _score_windows(self, hosted: Hosted, rounds: Sequence[Sequence[Window]]) -> list[Scored]:
        """Windows in rounds, read and resolved at once: that costs more a call than for a window's rows.

        A round's windows are one table: so does a kernel's call.
        """
        memory = hosted.memory
        windows = [window for one in rounds for window in one]
        sizes = [len(places) for _, _, places in windows]
        columns = dict(self._pools[hosted.number].read(np.concatenate([p for _, _, p in windows])))
        table = TableRows(
            columns=columns,
            time=columns.pop("time"),
            site=columns.pop("site"),
            agent=np.repeat(np.array([agent for _, agent, _ in windows], np.int32), sizes),
            order=np.repeat(np.array([order for order, _, _ in windows], np.int64), sizes),
        )
        slot, fresh = memory.resolve(columns, table.time, table.site, table.agent, self._names)
        rows = memory.rows(columns, table.time, table.site, slot, fresh)
        scored: list[Scored] = []
        begin = done = 0
        for one in rounds:
            of_round = sizes[done : done + len(one)]
            end, done = begin + sum(of_round), done + len(one)
            cut = cut_table(table, begin, end)
            part = cut_rows(rows, begin, end)
            scored.append(hosted.score(part, cut, self._partitions, _NO_STARTS, of_round))
            begin = end
        return scored

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
                self.hosted[number].fail(error)
        return "", b""
