"""Readers of other sensors' logs: what they hold becomes rows of the contract.

A reader keeps an allow-list of columns. Whatever else stands in a file, labels above all, is gone
before anything sees a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

IsInside = Callable[[bytes], bool]
"""Is this 16-byte address inside the site? The caller knows; a log seldom does."""


@dataclass(slots=True)
class Problem:
    """What could not be read in one file for one reason: how often, and where first."""

    path: str
    place: str
    expected: str
    count: int = 1

    def __str__(self) -> str:
        times = "" if self.count == 1 else f" (and {self.count - 1} more like it)"
        return f"{self.path}: {self.place}: expected {self.expected}{times}"


@dataclass(slots=True)
class Problems:
    """Everything that was skipped while reading, counted by file and reason, never raised.

    ``called``: what a file is called to people.
    """

    called: Callable[[str], str] = str
    _found: dict[tuple[str, str], Problem] = field(default_factory=dict)

    def add(self, path: str, place: str, expected: str) -> None:
        """Count one thing that was skipped."""
        known = self._found.get((path, expected))
        if known is None:
            self._found[path, expected] = Problem(self.called(path), place, expected)
        else:
            known.count += 1

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return sum(problem.count for problem in self._found.values())
