"""What counters moved since they were read before."""

from __future__ import annotations

from collections.abc import Mapping


class Changes:
    """Remembers each counter's reading by its name."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}

    def since(self, name: str, count: float | None) -> float | None:
        """The change; ``None`` at first, where there is no reading, or when the counter began anew."""
        if count is None:
            self._before.pop(name, None)
            return None
        before, self._before[name] = self._before.get(name), count
        return None if before is None or count < before else count - before

    def of(self, counts: Mapping[str, int], names: Mapping[str, str]) -> dict[str, float]:
        """By metric: the change of each counter that ``names`` calls so (counter → metric)."""
        moved = {metric: self.since(metric, counts.get(name)) for name, metric in names.items()}
        return {metric: change for metric, change in moved.items() if change is not None}
