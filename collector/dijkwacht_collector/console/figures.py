"""Numbers as the readers of one language write them: ``1,204.5`` in English, ``1.204,5`` in Dutch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dijkwacht_collector.console.language import Language

_DUTCH: Final = str.maketrans(",.", ".,")


@dataclass(frozen=True, slots=True)
class Figures:
    """Writes numbers in one language.

    >>> dutch = Figures("nl")
    >>> dutch.few(1204.0), dutch.few(0.98269), dutch.short(1234567), dutch.lost(20, 0.0215)
    ('1.204', '0,983', '1,2 M', '20 (2,15%)')
    """

    language: Language

    def few(self, value: float) -> str:
        """Three figures are enough to judge by.

        >>> write = Figures("en")
        >>> write.few(1204.0), write.few(0.98269), write.few(6.80791)
        ('1,204', '0.983', '6.81')
        """
        return self._write(f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}")

    def short(self, number: float, base: int = 1000, unit: str = "") -> str:
        """``1234567`` → ``1.2 M``.

        >>> write = Figures("en")
        >>> write.short(999), write.short(1234567), write.short(2048, 1024, "B")
        ('999', '1.2 M', '2.0 kB')
        """
        if number < base:
            return f"{self._write(f'{number:g}')} {unit}".rstrip()
        for prefix in "kMGT":
            number /= base
            if number < base:
                return f"{self._write(f'{number:.1f}')} {prefix}{unit}"
        return f"{self._write(f'{number:.0f}')} P{unit}"

    def lost(self, dropped: int, share: float) -> str:
        """How many, and of them all what share: ``20 (2.00%)``."""
        return f"{self.short(dropped)} ({self._write(f'{share:.2%}')})" if dropped else "0"

    def _write(self, english: str) -> str:
        return english.translate(_DUTCH) if self.language == "nl" else english
