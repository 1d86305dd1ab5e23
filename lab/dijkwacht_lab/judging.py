"""What the policy makes of opinions, apart from any engine: findings, and what several say together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dijkwacht_collector.engine.findings import finding_of
from dijkwacht_collector.engine.fusion import Fusion
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.incidents import Finding
from dijkwacht_collector.policy import Calibrations, Policy, RareRow, Scored
from dijkwacht_detectors.api import AnyDetector


class Judging:
    """The policies of ``detectors``, shipped ones, from a cold start; ``fusion`` is of them."""

    def __init__(self, detectors: Sequence[AnyDetector]) -> None:
        self._detectors = list(detectors)
        self._policy = Policy.of(detectors, Calibrations())
        self.fusion = Fusion(self._policy.fusion)

    def evidence(
        self, told: Sequence[Scored], numbering: Numbering
    ) -> list[tuple[RareRow, Finding]]:
        """What is rare in the opinions of a step, each with the finding that it would be; of no journal."""
        self._policy.make_room(len(numbering.sites))
        rows = max((int(one.order.max(initial=0)) for one in told), default=0)
        positions = np.zeros(rows + 1, np.int64)
        return [
            (row, finding_of(row, self._detectors[row.scored.detector], numbering, positions))
            for row in self._policy.evidence(told)
        ]
