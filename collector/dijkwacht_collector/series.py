"""Metric families with many series: numbers in a list beside text made once.

``prometheus_client`` formats every label of every series at every scrape: half a second for a
thousand sites, with the interpreter's lock held. Here the text before the number is made when a
series is born, and a scrape only joins. Metrics without a site stay with ``prometheus_client``.
"""

from __future__ import annotations

import threading
from typing import Final, Literal

FamilyType = Literal["counter", "gauge"]

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Family:
    """One metric name with its series. Any thread may write; rendering takes no lock."""

    def __init__(self, name: str, kind: FamilyType, help_text: str) -> None:
        self.name: Final = name
        self._head: Final = f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n"
        self._slots: dict[tuple[tuple[str, str], ...], int] = {}
        self._prefixes: list[str] = []
        self._values: list[float] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._prefixes)

    def born(self, **labels: str) -> int:
        """The slot of the series with these labels, made at 0 if it is new."""
        key = tuple(labels.items())
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = len(self._prefixes)
                inside = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in key)
                # The value goes first: a reader that meets the prefix must find its number.
                self._values.append(0)
                self._prefixes.append(f"{self.name}{{{inside}}} ")
            return slot

    def add(self, slot: int, amount: float = 1) -> None:
        """Add to one series."""
        with self._lock:
            self._values[slot] += amount

    def put(self, slot: int, value: float) -> None:
        """Set one series."""
        self._values[slot] = value

    def value(self, **labels: str) -> float:
        """What one series holds now. Raises ``KeyError`` for a series never born."""
        return self._values[self._slots[tuple(labels.items())]]

    def render(self) -> str:
        """The family in Prometheus' text format, version 0.0.4."""
        prefixes = list(self._prefixes)
        lines = [f"{p}{v}\n" for p, v in zip(prefixes, self._values, strict=False)]
        return self._head + "".join(lines)
