"""What a memory depends on, as a text: one that was saved under another is left behind."""

from __future__ import annotations

import hashlib
import inspect

from dijkwacht_detectors.api import RowDetector, SiteDetector
from dijkwacht_detectors.reading import reads_of
from dijkwacht_detectors.state.memory import Remembers, state_fields


def signature_of(declared: Remembers, columns: tuple[str, ...], table: str) -> str:
    """Of the memory of ``declared``, which has ``columns`` at hand and the entities of ``table``."""
    window_s = getattr(declared, "window_s", 0)
    # A pickled object depends on its class, too.
    pickled = f" {source_of(declared)}" if isinstance(declared, SiteDetector) else ""
    return f"{sorted(state_fields(declared).items())} {columns} {window_s} {table}{pickled}"


def entity_table(declared: Remembers) -> str:
    """Names a table of entities: one for all row detectors that would fill it alike."""
    tables = "+".join(reads_of(declared))
    key = (tables, declared.entity, declared.entities_per_site, declared.forget_after_s)
    own = "" if isinstance(declared, RowDetector) else f" of {declared.name}"
    return " ".join(map(str, key)) + own


def source_of(declared: Remembers) -> str:
    """Its class, and a hash of all of its file as far as that can be read."""
    kind = type(declared)
    try:
        source = inspect.getsource(inspect.getmodule(kind) or kind)
    except (OSError, TypeError):
        source = ""
    digest = hashlib.blake2b(source.encode(), digest_size=8).hexdigest()
    return f"{kind.__module__}.{kind.__qualname__} {digest}"
