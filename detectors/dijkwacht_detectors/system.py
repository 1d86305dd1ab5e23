"""Unusual system metrics: a machine works much harder than it ever did, and goes on doing so.

Looks at each metric of each machine against that metric's own usual level and spread, both learned
slowly and without trusting extremes. A sample far above them adds to a sum, an ordinary one takes
away from it (a CUSUM chart: Page, 1954), so that one peak says nothing and a minute of peaks much.
The score is log₂ of that sum.

Limits: it needs some forty samples before it has an opinion, and a load that grows over days
becomes the habit. Falls below the usual level are not its business.

>>> from dijkwacht_detectors.checks import score_rows
>>> cpu = [{"time": i * 10**6, "metric": "cpu_ratio", "value": 0.1 + 0.02 * (i % 3)} for i in range(99)]
>>> mine = [{"time": i * 10**6, "metric": "cpu_ratio", "value": 0.98} for i in range(99, 130)]
>>> float(score_rows(System(), cpu + mine)[-1].round(1))
8.0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, Literal

import numpy as np
from numba import njit

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who

_DUTCH: Final = str.maketrans(",.", ".,")


class System(RowDetector):
    """A metric that stays far above its own habit."""

    name = "system"
    table = "system"
    reads = ("metric", "value")
    entity: ClassVar[Entity] = "pair"
    kind = "host"
    technique = "T1496"
    facts = ("value", "usual", "times_spread")
    who = Who(src="", dst="", port="", name="metric")
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "agent"
    entities_per_site = 512
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "count": ("i4", ()),
        "level": ("f8", ()),
        "spread": ("f8", ()),
        "sum": ("f8", ()),
    }

    share = 1 / 12
    expected = (4.0, 1.0)
    warm_up = 40
    memory = 600
    """Samples after which what was learned counts for a third."""
    allowance = 4.0
    """Spreads above the usual level that are still nothing."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each sample after the warm-up."""
        metric = rows["metric"]
        _fold(
            rows.slot, rows.fresh, metric.offsets, metric.blob, rows["value"], state["count"],
            state["level"], state["spread"], state["sum"], self.warm_up, self.memory,
            self.allowance, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Name the metric, its value and its habit."""
        now, usual = _amount(facts["value"]), _amount(facts["usual"])
        nu, anders = now.translate(_DUTCH), usual.translate(_DUTCH)
        return Explanation(
            f"A machine works much harder than usual: {{name}} stays at {now}, usually {usual}.",
            f"Een computer werkt veel harder dan anders: {{name}} blijft op {nu}, gewoonlijk {anders}.",
            "An update, a backup or a new program can do this; so can a hidden program that mines "
            "money or locks your files. If nobody started something heavy, look which program is "
            "busy, and disconnect the machine if you do not know it.",
            "Een update, een back-up of een nieuw programma kan dit doen; een verborgen programma dat "
            "geld delft of uw bestanden vergrendelt ook. Heeft niemand iets zwaars gestart, kijk dan "
            "welk programma bezig is, en koppel de computer los als u het niet kent.",
        )


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@njit(cache=True, nogil=True, inline="always")
def _is_ratio(offsets, blob, row):  # type: ignore[no-untyped-def]
    end = offsets[row + 1]
    if end - offsets[row] < 5:
        return False
    return (
        blob[end - 5] == 114 and blob[end - 4] == 97 and blob[end - 3] == 116
        and blob[end - 2] == 105 and blob[end - 1] == 111
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _fold(  # type: ignore[no-untyped-def]
    slot, fresh, offsets, blob, value, count, level, spread, total, warm_up, memory, allowance,
    scores, facts,
):  # fmt: skip
    for i in range(len(slot)):
        e = slot[i]
        if fresh[i]:
            count[e] = 0
            total[e] = 0.0
        v = value[i]
        if not np.isfinite(v):
            continue
        ratio = _is_ratio(offsets, blob, i)
        # amounts spread by factors, ratios by differences
        x = min(max(v, 0.0), 64.0) if ratio else math.log1p(max(v, 0.0))
        least = 0.02 if ratio else 0.3
        if count[e] == 0:
            level[e] = x
            spread[e] = least
        off = x - level[e]
        z = off / max(spread[e], least)
        if count[e] >= warm_up:
            total[e] = max(0.0, total[e] + min(z, 12.0) - allowance)
            scores[i] = math.log2(1.0 + total[e])
            facts[i, 0] = v
            facts[i, 1] = level[e] if ratio else math.expm1(level[e])
            facts[i, 2] = z
        count[e] = min(count[e] + 1, memory)
        rate = 1.0 / count[e]
        bound = 3.0 * max(spread[e], least)
        trusted = max(-bound, min(bound, off)) if count[e] > 5 else off
        level[e] += rate * trusted
        spread[e] += rate * (1.25 * abs(trusted) - spread[e])
