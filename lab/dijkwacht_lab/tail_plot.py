"""A picture of a calibration: how many hours a week reach a score, as counted and as the table has it.

SVG, written here: two curves, two lines and their words need no library. Colours are classes, so that the page
it stands on decides what is light and what is dark.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from dijkwacht_collector.policy import Calibration
from dijkwacht_lab.reached import Seen

WIDTH: Final = 720
HEIGHT: Final = 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 24, 48
_HIGHEST: Final = 168.0
_LOWEST: Final = 1e-4
"""Hours a week between which it is drawn."""
STYLE: Final = """
.tail{max-width:100%;height:auto;font:13px system-ui,sans-serif}
.tail text{fill:var(--ink)} .tail .grid{stroke:var(--faint);stroke-width:1}
.tail .counted{stroke:var(--counted);stroke-width:3;fill:none}
.tail .fitted{stroke:var(--fitted);stroke-width:2;fill:none;stroke-dasharray:6 4}
.tail .line{stroke:var(--line);stroke-width:2} .tail .mark{fill:var(--line)}
"""


def tail_plot(table: Calibration, seen: Seen, line: float, share: float) -> str:
    """An ``<svg>`` of ``table`` and of what it was fitted to, with the line at ``share`` hours a week."""
    highs = np.unique(seen.spans[:, 1]) if len(seen.spans) else np.zeros(0)
    low = min(0.0, table.scores[0])
    beyond = next(
        (s for s, r in zip(table.scores, table.per_week, strict=True) if r < share / 30), line
    )
    high = max(beyond, float(highs.max(initial=0.0)), low + 1.0)

    def x(score: float) -> float:
        return _LEFT + (score - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)

    def y(rate: float) -> float:
        part = math.log(_HIGHEST / max(rate, _LOWEST)) / math.log(_HIGHEST / _LOWEST)
        return _TOP + max(part, 0.0) * (HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg class="tail" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg">',
        f"<title>Hours a week that reach a score; the line is at {line:.2f}</title>",
    ]
    for power in range(-4, 3):
        at = y(10.0**power)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
        )
    parts += [
        f'<text x="{x(score):.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{score:g}</text>'
        for score in _ticks(low, high)
    ]
    parts += [
        f'<text x="{(WIDTH + _LEFT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">score</text>',
        f'<text x="{_LEFT}" y="14">hours of a benign site-week that reach it</text>',
    ]
    fitted = [(s, r) for s, r in zip(table.scores, table.per_week, strict=True) if low <= s <= high]
    parts.append(_path("fitted", [(x(s), y(r)) for s, r in fitted if r >= _LOWEST]))
    if len(highs):
        steps, before = [], 0.0
        for score in highs.tolist():  # the rate falls just above each score that was reached
            rate = seen.per_week(score)
            steps += [(x(max(before, low)), y(rate)), (x(score), y(rate))]
            before = score
        steps.append((x(before), y(_LOWEST)))
        parts.append(_path("counted", steps))
    if math.isfinite(line):
        at = y(float(np.interp(line, table.grid, table.rates)))
        side, shift = ("end", -6) if x(line) > WIDTH * 0.6 else ("start", 6)
        parts.append(
            f'<line class="line" x1="{x(line):.1f}" x2="{x(line):.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
            f'<circle class="mark" cx="{x(line):.1f}" cy="{at:.1f}" r="5"/>'
            f'<text x="{x(line) + shift:.1f}" y="{_TOP + 14}" text-anchor="{side}">the line, {line:.2f}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def _path(name: str, points: list[tuple[float, float]]) -> str:
    told = " ".join(f"{'L' if n else 'M'}{px:.1f},{py:.1f}" for n, (px, py) in enumerate(points))
    return f'<path class="{name}" d="{told}"/>' if points else ""


def _ticks(low: float, high: float) -> list[float]:
    """Some eight round numbers between two."""
    rough = (high - low) / 8
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    first = math.ceil(low / step)
    return [round(step * n, 9) for n in range(first, math.floor(high / step) + 1)]
