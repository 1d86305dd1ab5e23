"""The instances of one detector: what it was given holds for a partition, and partitions may differ.

They differ while a model or table is being given to one after the other, and after a restart from
checkpoints that were taken at different positions. All instances share the arrays of one `Memory`.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.journal import PARTITIONS
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_records.errors import JournalError

MODEL: Final = ""
"""What a model goes by among the names of tables."""

_Taken = frozenset[tuple[str, str]]
"""(name of a table or `MODEL`, name of its bundle) of all that an instance was given."""


class Given(NamedTuple):
    """A bundle by its name, and how to get its bytes."""

    bundle: str
    fetch: Callable[[], bytes]


class Instances:
    """One instance for each combination that is in use; ``places`` is int32[128], by partition."""

    def __init__(self, detector: AnyDetector) -> None:
        self.each: dict[int, AnyDetector] = {0: detector}
        self.places: NDArray[np.int32] = np.zeros(PARTITIONS, np.int32)
        self._given: dict[int, _Taken] = {0: frozenset()}
        self._refused: set[_Taken] = set()

    @property
    def any(self) -> AnyDetector:
        """One of them: where there is no other, the one that scores all rows."""
        return next(iter(self.each.values()))

    def given(self, partition: int) -> dict[str, str]:
        """What scores the rows of a partition was given: name of a table, or `MODEL` → name of its bundle."""
        return dict(self._given[int(self.places[partition])])

    def give(
        self, partition: int, name: str, bundle: str, give: Callable[[AnyDetector], None]
    ) -> None:
        """Let the rows of a partition be scored by an instance that was given ``bundle`` as ``name``.

        Raises whatever ``give`` raises, once; then the instance stays the one it was.
        """
        place = int(self.places[partition])
        given = frozenset({**dict(self._given[place]), name: bundle}.items())
        if given in self._refused:
            return
        known = next((at for at, one in self._given.items() if one == given), None)
        if known is None:
            made = deepcopy(self.each[place])
            try:
                give(made)
            except (JournalError, OSError):  # it was never asked
                raise
            except Exception:
                self._refused.add(given)
                raise
            known = max(self.each) + 1
            self.each[known], self._given[known] = made, given
        self.places[partition] = known
        for unused in self.each.keys() - set(self.places.tolist()):
            del self.each[unused], self._given[unused]
