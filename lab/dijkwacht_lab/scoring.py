"""Scores without judgement: rows in, by way of the wire and the engine's own columns; opinions out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np

from dijkwacht_collector.engine.columns import Arrival, join_columns
from dijkwacht_collector.engine.detector_host import DetectorHost, log_failure
from dijkwacht_collector.engine.hosted import OnFailure
from dijkwacht_collector.engine.instances import MODEL, Given
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.journal import bundle_name, partition_of
from dijkwacht_collector.policy import Scored
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_records import wire
from dijkwacht_records.tables import Row

_STEP_ROWS: Final = 2048
_SITE: Final = "site"
_LONG_AFTER_US: Final = 86_400_000_000


class Scoring:
    """Detectors over the rows of one agent, from a cold start; nothing else of a collector runs.

    ``rows`` counts what was scored; ``host`` has the detectors, ``numbering`` the one site and agent.
    """

    def __init__(
        self, detectors: Sequence[AnyDetector], on_failure: OnFailure = log_failure
    ) -> None:
        self.host = DetectorHost(detectors, on_failure)
        self.rows = 0
        self.numbering = Numbering()
        self.numbering.agent(self.numbering.site(_SITE), "agent")
        self.host.know(self.numbering)
        self._wanted = self.host.wanted_columns()
        self._clocks = np.zeros(1, np.int64)
        self._arrival = 0

    def score(self, rows: Iterable[tuple[int, Row]]) -> Iterator[list[Scored]]:
        """Score and learn (table, row) pairs in order, a step at a time."""
        iterator = iter(rows)
        while step := list(islice(iterator, _STEP_ROWS)):
            self._arrival = max(self._arrival, *(int(row[0]) for _, row in step))
            arrivals = [Arrival.of(batch, 0, 0, self._arrival) for batch in self._batches(step)]
            self.rows += len(step)
            yield self.host.score(join_columns(arrivals, self._wanted, self._clocks))
            self._strike()

    def finish(self) -> list[Scored]:
        """End every window, as at the end of a recording."""
        return self.host.end_windows(np.array([[0, 0, self._clocks[0] + _LONG_AFTER_US]]))

    def activate(self, detector: str, bundle: bytes) -> None:
        """Give a detector a model that `train` made."""
        given = Given(bundle_name(bundle), lambda: bundle)
        self.host.give(partition_of(_SITE), detector, MODEL, given)

    def _strike(self) -> None:
        """Leave out what keeps failing, as a journal would have it."""
        for hosted in self.host.hosted:
            if hosted.failures:
                hosted.failures.clear()
                hosted.strike(0)

    def _batches(self, rows: Sequence[tuple[int, Row]]) -> list[wire.Batch]:
        """The rows as the engine meets them: what the wire does to a value is done to it here too."""
        encoded = wire.encode(_SITE, "agent", bytes(16), 0, self._arrival, rows)
        if len(encoded) > wire.MAX_WIRE_BYTES and len(rows) > 1:
            half = len(rows) // 2
            return self._batches(rows[:half]) + self._batches(rows[half:])
        return [wire.decode(encoded)]
