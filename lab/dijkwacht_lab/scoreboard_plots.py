"""Pictures of the scoreboard's page, SVG without text: as wide as there is room, with words in the HTML beside.

Each is 100 wide and 10 high, stretched; what must not be stretched is a line of fixed width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

DETECT_SCALE: Final = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
"""Seconds, each ten times the one before: the marks under `times`."""
FAR: Final = 10.0
"""Bits from the line to the edge of `margins`."""
_Z95: Final = 1.959964


def recall_bar(caught: int, of: int) -> str:
    """A bar of the share, with its interval."""
    low, high = wilson_interval(caught, of)
    share = caught / of
    what = f"{share:.0%}, 95 %: {low:.0%} to {high:.0%}"
    return _svg(
        what,
        f'<rect class="ground" width="100" height="6" y="2"/>'
        f'<rect class="bar" width="{share * 100:.2f}" height="6" y="2"/>'
        f"{_line('range', low * 100, 5, 5, high * 100)}"
        f"{_line('range', low * 100, 3, 7)}{_line('range', high * 100, 3, 7)}",
    )


def times(found: Sequence[tuple[str, float]], median: float) -> str:
    """(file, seconds) as marks on `DETECT_SCALE`."""
    marks = [
        _line("tick", _on_scale(seconds), 2, 8, title=f"{file}: {duration(seconds)}")
        for file, seconds in found
    ]
    axis = '<rect class="ground" width="100" height="6" y="2"/>'
    return _svg(
        f"{len(found)} files, median {duration(median)}",
        axis + "".join(marks) + _line("tick middle", _on_scale(median), 1, 9),
    )


def margins(
    attacks: Sequence[tuple[str, float]], quiet: Sequence[tuple[str, float]], line: float | None
) -> str:
    """(file, score) of files with an attack above, of benign ones below, by their distance from the line."""
    scores = [score for _, score in (*attacks, *quiet)]
    low, high = min(scores), max(scores)
    if line is not None:
        low, high = line - FAR, line + FAR
    elif high == low:
        low, high = low - 1, high + 1

    def marks(of: Iterable[tuple[str, float]], kind: str, top: float) -> str:
        return "".join(
            _line(kind, _within(score, low, high), top, top + 4.5, title=f"{file}: {score:.1f}")
            for file, score in of
        )

    axis = "" if line is None else _line("axis", 50, 0, 10)
    return _svg(
        f"{len(attacks)} files with an attack, {len(quiet)} benign",
        '<rect class="ground" width="100" height="10"/>'
        + axis
        + marks(attacks, "tick", 0.25)
        + marks(quiet, "benign", 5.25),
    )


def wilson_interval(some: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson's), ``some`` of at least one.

    >>> [round(bound, 3) for bound in wilson_interval(17, 32)]
    [0.364, 0.691]
    """
    share, square = some / of, _Z95**2 / of
    middle = share + square / 2
    half = math.sqrt(square * (share * (1 - share) + square / 4))
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def duration(seconds: float) -> str:
    """Seconds in the unit that people use.

    >>> [duration(s) for s in (0.1, 10, 150, 10_000, 200_000)]
    ['0.1 s', '10 s', '2.5 min', '2.8 h', '2.3 d']
    """
    for unit, length in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"


def _on_scale(seconds: float) -> float:
    low, high = math.log(DETECT_SCALE[0]), math.log(DETECT_SCALE[-1])
    return _within(math.log(max(seconds, DETECT_SCALE[0])), low, high)


def _within(value: float, low: float, high: float) -> float:
    """0.5 to 99.5, so that a mark at the edge is seen whole."""
    return 0.5 + 99 * (min(max(value, low), high) - low) / (high - low)


def _line(
    kind: str, x: float, top: float, bottom: float, to: float | None = None, *, title: str = ""
) -> str:
    end = x if to is None else to
    said = f"<title>{escape(title)}</title>" if title else ""
    return f'<line class="{kind}" x1="{x:.2f}" x2="{end:.2f}" y1="{top:g}" y2="{bottom:g}">{said}</line>'


def _svg(what: str, inner: str) -> str:
    return (
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{escape(what)}">'
        f"{inner}</svg>"
    )
