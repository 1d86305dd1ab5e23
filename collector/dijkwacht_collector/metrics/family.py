"""Metric families with many series: numbers in a list beside text made once.

``prometheus_client`` formats every label of every series at every scrape: half a second for a
thousand sites, with the interpreter's lock held. Here the text before the number is made when a
series is made, and a scrape only joins. Metrics without a site stay with ``prometheus_client``.
"""

from __future__ import annotations

import threading
from typing import Final, Literal

FamilyType = Literal["counter", "gauge"]

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Family:
    """One metric name with its series, each known by its labels' values in order.

    Any thread may write; rendering takes no lock.
    """

    def __init__(
        self, name: str, kind: FamilyType, help_text: str, labels: tuple[str, ...] = ("site",)
    ) -> None:
        self.name: Final = name
        self._labels: Final = labels
        self._head: Final = f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n"
        self._slots: dict[tuple[str, ...], int] = {}
        self._prefixes: list[str] = []
        self._values: list[float] = []
        self._free: list[int] = []
        self._lock = threading.Lock()

    def ensure(self, *values: str) -> int:
        """The index of the series with these label values, which is made, at 0, if it is new."""
        slot = self._slots.get(values)
        if slot is not None:
            return slot
        with self._lock:
            return self._slot(values)

    def add(self, amount: float, *values: str) -> None:
        """Add to one series."""
        with self._lock:
            self._values[self._slot(values)] += amount

    def set(self, value: float, *values: str) -> None:
        """Set one series."""
        with self._lock:
            self._values[self._slot(values)] = value

    def forget(self, *values: str) -> None:
        """Show one series no more; if it is written to again it begins anew."""
        with self._lock:
            slot = self._slots.pop(values, None)
            if slot is not None:
                self._prefixes[slot] = ""
                self._free.append(slot)

    def _slot(self, values: tuple[str, ...]) -> int:
        """As `ensure`, by whoever has the lock."""
        slot = self._slots.get(values)
        if slot is None:
            pairs = zip(self._labels, values, strict=True)
            inside = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)
            # In this order: a reader that finds a prefix, or a slot, finds its number too.
            if self._free:
                slot = self._free.pop()
                self._values[slot] = 0
            else:
                slot = len(self._prefixes)
                self._values.append(0)
                self._prefixes.append("")
            self._prefixes[slot] = f"{self.name}{{{inside}}} "
            self._slots[values] = slot
        return slot

    def value(self, *values: str) -> float:
        """What one series shows."""
        return self._values[self.ensure(*values)]

    def render(self) -> str:
        """The family in Prometheus' text format, version 0.0.4."""
        prefixes = list(self._prefixes)
        lines = [f"{p}{v}\n" for p, v in zip(prefixes, self._values, strict=False) if p]
        return self._head + "".join(lines)
