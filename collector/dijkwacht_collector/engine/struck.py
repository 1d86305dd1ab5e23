"""Failures that are yet to be journalled: a strike counts from its own entry on, not from the failure.

So what is decided depends on the journal alone. Until its entry comes, a detector may fail again on the
site; that makes no further strike.
"""

from __future__ import annotations

from collections.abc import Sequence

from dijkwacht_collector.engine.findings import Positions
from dijkwacht_collector.engine.hosted import Hosted
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.journal import Strike


class Struck:
    """By (site, detector), the strike that is on its way to the journal."""

    def __init__(self) -> None:
        self._pending: dict[tuple[str, str], Strike] = {}
        self._due: dict[tuple[str, str], Strike] = {}

    def note(self, each: Sequence[Hosted], numbering: Numbering, positions: Positions) -> None:
        """Take what has failed; ``positions``: of each row of the step."""
        for hosted in each:
            for failure in hosted.failures:
                key = numbering.sites[failure.site], hosted.detector.name
                if key not in self._pending:
                    strike = Strike(key[1], int(positions[failure.order]), failure.why)
                    self._pending[key] = self._due[key] = strike
            hosted.failures.clear()

    def take(self) -> list[tuple[str, Strike]]:
        """(site, strike) of those that nobody has taken yet, and that no entry has settled."""
        due, self._due = self._due, {}
        return [(site, strike) for (site, _), strike in due.items()]

    def settle(self, site: str, detector: str) -> None:
        """The journal has it."""
        self._pending.pop((site, detector), None)
        self._due.pop((site, detector), None)
