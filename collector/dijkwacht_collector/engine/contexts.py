"""HOT  What is usual at a site, as columns: computed before the detectors, and only what one asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from dijkwacht_collector.engine.signatures import entity_table, signature_of
from dijkwacht_collector.engine.site_record import ContextPart, EntityPart, pack_all, unpack_all
from dijkwacht_collector.engine.views import View, Views, view_of
from dijkwacht_detectors.context_api import Context
from dijkwacht_detectors.reading import Reading
from dijkwacht_detectors.state.keys import Names
from dijkwacht_detectors.state.memory import Memory


class Contexts:
    """The contexts that detectors ask for, and what each remembers of every site.

    ``kinds`` has the kind of each column.
    """

    def __init__(self, contexts: Sequence[Context]) -> None:
        self.kinds: Final = {name: kind for one in contexts for name, kind in one.columns.items()}
        self._memories = {context.name: Memory(context) for context in contexts}
        self._columns = {context.name: tuple(context.columns) for context in contexts}
        self._views = {name: view_of(m.reading, {}) for name, m in self._memories.items()}
        self._signatures = {
            context.name: signature_of(
                context, (*self._columns[context.name], *self._views[context.name].stored),
                entity_table(context),
            )
            for context in contexts
        }  # fmt: skip

    @property
    def views(self) -> list[View]:
        """What they are shown."""
        return [*self._views.values()]

    @property
    def readings(self) -> list[Reading]:
        """What they read."""
        return [memory.reading for memory in self._memories.values()]

    def compute(self, views: Views, names: Names) -> dict[str, Exception]:
        """Add to the step's tables the columns of each context; by column, why there is none.

        Its rows are new again to a context that failed: it has not seen them.
        """
        failed: dict[str, Exception] = {}
        for name, memory in self._memories.items():
            view = self._views[name]
            table = views.rows(view)
            if table is None:
                continue
            slot, fresh = memory.resolve(
                table.columns, table.time, table.site, table.agent, names, views.begun(view)
            )
            rows = memory.rows(table.columns, table.time, table.site, slot, fresh)
            try:
                columns = memory.columns(rows)
            except Exception as error:  # noqa: BLE001  # the fence: whoever asked for it has failed
                memory.forget(memory.met(rows))
                failed |= dict.fromkeys(self._columns[name], error)
            else:
                views.add(view, columns)
        return failed

    def take(self, site: int) -> dict[str, ContextPart]:
        """What they remember of one site, by name; it stays."""
        parts = {}
        for name, memory in self._memories.items():
            slots, keys, seen = memory.entities.take(site)
            fields, _ = memory.take(site, slots)
            known = EntityPart(keys.tobytes(), seen.tobytes())
            parts[name] = ContextPart(self._signatures[name], known, pack_all(fields))
        return parts

    def put(self, site: int, parts: Mapping[str, ContextPart]) -> None:
        """Take up a site that is not known; a context that is another now starts anew."""
        for name, memory in self._memories.items():
            part = parts.get(name)
            if part is None or part.signature != self._signatures[name]:
                continue
            keys, seen = part.entities.keys, part.entities.seen
            slots = memory.entities.put(
                site, np.frombuffer(keys, np.uint64), np.frombuffer(seen, np.int64)
            )
            memory.put(site, slots, unpack_all(part.fields), None)
