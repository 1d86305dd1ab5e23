"""What a memory depends on, as a text: one that was saved under another is left behind."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence

from dijkwacht_detectors.api import AnyDetector, RowDetector, SiteDetector
from dijkwacht_detectors.reading import entity_columns, reads_of
from dijkwacht_detectors.state.entities import MOST_READERS
from dijkwacht_detectors.state.memory import Remembers, state_fields


def signature_of(declared: Remembers, columns: tuple[str, ...], table: str) -> str:
    """Of the memory of ``declared``, which has ``columns`` at hand and the entities of ``table``."""
    window_s = getattr(declared, "window_s", 0)
    # A pickled object depends on its class, too.
    pickled = f" {source_of(declared)}" if isinstance(declared, SiteDetector) else ""
    return f"{sorted(state_fields(declared).items())} {columns} {window_s} {table}{pickled}"


def entity_tables(detectors: Sequence[AnyDetector]) -> list[str]:
    """Of each detector the table of entities that it reads, as many to a table as fit."""
    names: list[str] = []
    members: dict[str, int] = {}
    for name in map(entity_table, detectors):
        before = members[name] = members.get(name, -1) + 1
        names.append(name if before < MOST_READERS else f"{name} {before // MOST_READERS}")
    return names


def entity_table(declared: Remembers) -> str:
    """Names a table of entities: one for all row detectors that read a table first, and name its entities alike."""
    tables = tuple(reads_of(declared))
    bounds = declared.entities_per_site, declared.forget_after_s
    if not isinstance(declared, RowDetector):
        return " ".join(map(str, ("+".join(tables), declared.entity, *bounds, "of", declared.name)))
    named = entity_columns(tables, declared.entity)
    alike = named == entity_columns(tables[:1], declared.entity)
    return " ".join(map(str, (tables[0], declared.entity if alike else named, *bounds)))


def source_of(declared: Remembers) -> str:
    """Its class, and a hash of all of its file as far as that can be read."""
    kind = type(declared)
    try:
        source = inspect.getsource(inspect.getmodule(kind) or kind)
    except (OSError, TypeError):
        source = ""
    digest = hashlib.blake2b(source.encode(), digest_size=8).hexdigest()
    return f"{kind.__module__}.{kind.__qualname__} {digest}"
