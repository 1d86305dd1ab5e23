"""The context contract: columns that say what is usual at a site.

A context is computed once for all detectors that ask for one of its columns by name, before they
see the rows. One class a file, in `dijkwacht_detectors.context`; there is nothing to register.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Reads, Rows, State

ENDS: Final = "ends"
"""The entity of a context whose rows have two of one table of hosts: the originator and the responder."""


class Context(ABC):
    """Computes columns from all earlier rows of a site, and learns each row after that."""

    name: ClassVar[str]
    """The file's name, too."""
    table: ClassVar[str]
    reads: ClassVar[Reads]
    """As a detector's. It has its columns in the rows of these tables; in others they are 0."""
    entity: ClassVar[Entity | Literal["ends"]]
    """With `ENDS`, ``rows.slot`` and ``fresh`` are the originator's, and the columns ``resp_slot`` and
    ``resp_fresh``, which come free, the responder's. Where both are new, the originator comes first."""
    columns: ClassVar[Mapping[str, Literal["int", "float"]]]
    """What it computes: name → kind. A name that no table and no other context has."""
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {}
    """Field → (numpy type, shape of one entity's value)."""
    entities_per_site: ClassVar[int] = 4096
    """Most entities remembered a site; beyond it one of the least recently seen is evicted."""
    forget_after_s: ClassVar[int] = 24 * 3600
    """An entity not seen for so long has expired: it is new when it comes back."""
    passes_over: ClassVar[bool] = False
    """As a `RowDetector`'s."""

    @abstractmethod
    def fold(self, rows: Rows, state: State, out: Mapping[str, NDArray[Any]]) -> None:
        """Fill in and learn ``rows`` in order: a row's values come from all rows before it.

        ``out`` has an array of len(rows) a column, int64 or float64, zero at first. Rows of many
        sites are mixed; each belongs to its slot alone.
        """
