"""Whether the collector really does what it is for: takes in, keeps, judges, hands on."""

from __future__ import annotations

from typing import Protocol


class _Journal(Protocol):
    @property
    def last(self) -> int: ...

    @property
    def trouble(self) -> str: ...


class _Workers(Protocol):
    @property
    def progress(self) -> list[tuple[int, int]]: ...

    @property
    def troubles(self) -> list[str]: ...


class Pulse:
    """Asked by the watchdog. A collector to which no agent speaks has none: it watches nothing."""

    def __init__(self, journal: _Journal, workers: _Workers) -> None:
        self._journal, self._workers = journal, workers
        self._kept = 0
        self._folded: list[int] = []

    def moves(self) -> bool:
        """Whether something was kept since this was asked last, and every engine judges, or has judged it all."""
        kept, progress = self._journal.last, self._workers.progress
        before, self._folded = self._folded, [folded for folded, _ in progress]
        came, self._kept = kept > self._kept, kept
        # By all that it folds: one site that costs much may lag behind for a while.
        went = all(
            least >= kept or folded > earlier
            for (folded, least), earlier in zip(
                progress, before or [0] * len(progress), strict=True
            )
        )
        return came and went and not self._journal.trouble and not self._workers.troubles
