"""How far a vector lies from nothing, by what such vectors usually are: T² (Hotelling, 1931).

``moments`` holds of each entity the running mean of y·yᵀ, as its lower triangle, row after row. The
identity, times what is ``believed`` before anything is known, is added to it, so that what never moved
is not infinitely strange when it does.
"""

from __future__ import annotations

import math

from dijkwacht_detectors.state.naming import njit_lean


def triangle(metrics: int) -> int:
    """How many numbers the lower triangle of ``metrics`` rows has."""
    return metrics * (metrics + 1) // 2


@njit_lean
def learn_moments(moments, e, y, most, rate):  # type: ignore[no-untyped-def]
    """Let y (float[entities, k]) of entity ``e`` count for ``rate``, no number of it for more than ``most``."""
    at = 0
    for i in range(y.shape[1]):
        a = max(-most, min(most, y[e, i]))
        for j in range(i + 1):
            b = max(-most, min(most, y[e, j]))
            moments[e, at] += rate * (a * b - moments[e, at])
            at += 1


@njit_lean
def squared_distance(moments, e, strange, many, believed, room, solved):  # type: ignore[no-untyped-def]
    """T² of ``strange`` (float64[k]), of which ``many`` are not 0.

    By Cholesky's square root of the moments and the identity. ``room``
    (float64[k, k]) and ``solved`` (float64[k]) are written over.
    """
    found = 0.0
    if many == 0:
        return found
    size = len(strange)
    for i in range(size):
        begin = i * (i + 1) // 2
        for j in range(i + 1):
            left = moments[e, begin + j] + (believed if i == j else 0.0)
            for k in range(j):
                left -= room[i, k] * room[j, k]
            # the identity keeps this above 0, but for rounding
            room[i, j] = math.sqrt(max(left, 1e-9)) if i == j else left / room[j, j]
        left = strange[i]
        for k in range(i):
            left -= room[i, k] * solved[k]
        solved[i] = left / room[i, i]
        found += solved[i] * solved[i]
    return found
