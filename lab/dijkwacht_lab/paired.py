"""Two detector sets on the same captures: what one catches and the other does not, and the same of false alarms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from dijkwacht_lab.labels import ACCEPTED
from dijkwacht_lab.scoreboard import Judged


def paired(here: Iterable[Judged], there: Iterable[Judged]) -> dict[str, Any]:
    """Files with an attack by who caught them, benign ones by who was wrong; ``p`` as of `sign_test`.

    Only files that count for both are compared, each by its kind and name.
    """
    others = {(j.labelled.kind, j.labelled.path): j for j in there if j.counts}
    pairs = [
        (j, other)
        for j in here
        if j.counts and (other := others.get((j.labelled.kind, j.labelled.path)))
    ]
    attacks = [pair for pair in pairs if pair[0].labelled.class_ in ACCEPTED]
    benign = [pair for pair in pairs if pair[0].labelled.class_ == "benign"]
    return {"caught": _sides(attacks, "caught"), "false": _sides(benign, "false")}


def sign_test(one: int, other: int) -> float:
    """Two-sided: how likely a split so uneven is where either side is as likely (McNemar's test, exact).

    >>> sign_test(5, 0), sign_test(3, 3)
    (0.0625, 1.0)
    """
    total, fewer = one + other, min(one, other)
    tail = sum(math.comb(total, k) for k in range(fewer + 1)) / 2.0**total
    return min(1.0, 2 * tail)


def binomial_interval(some: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """The exact (Clopper-Pearson) interval of a share that was ``some`` ``of`` so many.

    >>> [round(bound, 3) for bound in binomial_interval(7, 10)]
    [0.348, 0.933]
    """
    tail = (1 - level) / 2
    return 1 - _upper(of - some, of, tail), _upper(some, of, tail)


def _upper(some: int, of: int, tail: float) -> float:
    """The share at which so few as ``some`` ``of`` are as unlikely as ``tail``."""
    if some == of:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        fewer = sum(
            math.comb(of, k) * middle**k * (1 - middle) ** (of - k) for k in range(some + 1)
        )
        low, high = (middle, high) if fewer > tail else (low, middle)
    return high


def paired_text(result: Mapping[str, Any], other: str) -> str:
    """For people: the counts, then each file that differs. ``other``: how the other set is called."""
    lines = []
    for what, of in result.items():
        only, theirs = of["only_here"], of["only_there"]
        lines.append(
            f"against      {other}: {what} by both {of['both']}, here only {len(only)}, "
            f"there only {len(theirs)}, by neither {of['neither']} (p = {of['p']:.2g})"
        )
        lines += [f"             {what} here only: {file}" for file in only]
        lines += [f"             {what} there only: {file}" for file in theirs]
    return "\n".join(lines)


def _sides(pairs: list[tuple[Judged, Judged]], status: str) -> dict[str, Any]:
    sides: dict[tuple[bool, bool], list[str]] = {}
    for here, there in pairs:
        side = here.status == status, there.status == status
        sides.setdefault(side, []).append(here.labelled.file)
    only, theirs = sides.get((True, False), []), sides.get((False, True), [])
    return {
        "both": len(sides.get((True, True), [])),
        "only_here": sorted(only),
        "only_there": sorted(theirs),
        "neither": len(sides.get((False, False), [])),
        "p": sign_test(len(only), len(theirs)),
    }
