"""Who asked a service for its own address on the internet: when, which server answered, and how often it asks."""

from __future__ import annotations

from typing import Final

from numba import njit

from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean

QUESTION: Final = ("i8", (3,))
"""The field of a state that holds one."""
_AT, _TELLER, _TIMES = range(3)
_ONE_QUESTION_US: Final = 2e6
"""A name is asked for by several types at once."""
_DAY_US: Final = 86_400e6
_WHOLE: Final = 1000
"""Of times: one question; what was asked a day ago counts half of it."""
_LATELY_US: Final = 900e6
"""What asks so as to report it calls home within minutes, and every few minutes."""
_JUST_BEFORE_US: Final = 120e6


@njit_lean
def note_question(question, t):  # type: ignore[no-untyped-def]
    """Take one at ``t``, µs.

    >>> import numpy as np
    >>> asked = np.zeros(3, np.int64)
    >>> for hours in range(0, 24 * 60, 24):
    ...     note_question(asked, hours * 3_600_000_000)
    >>> int(asked[2])  # who asks once a day for months has asked twice
    1999
    """
    since = t - question[_AT]
    if question[_TIMES] > 0 and since < _ONE_QUESTION_US:
        return
    earlier = float(question[_TIMES]) * remaining(float(since), _DAY_US)
    question[_TIMES] = min(int(earlier) + _WHOLE, 1000 * _WHOLE)
    question[_AT], question[_TELLER] = t, 0


@njit(cache=True, nogil=True, inline="always")
def note_teller(question, key, start):  # type: ignore[no-untyped-def]
    """Take a call to ``key``, which is not 0, for the one that is answered; returns whether it is."""
    if start < question[_AT]:
        return False
    question[_TELLER] = key
    return True


@njit_lean
def after_question(question, key, start, first):  # type: ignore[no-untyped-def]
    """How much a call to ``key`` looks like a consequence, in 0-1: ``first`` the site met it, µs.

    Nothing of the call that the question was for, nor of one before it; half for each quarter of an hour
    since, for each two minutes that the server was known before, and the more often the machine asks.
    """
    if question[_TIMES] == 0 or key == question[_TELLER] or start < question[_AT]:
        return 0.0
    fresh = remaining(float(start) - float(question[_AT]), _LATELY_US)
    known = remaining(float(question[_AT]) - float(first), _JUST_BEFORE_US)
    return fresh * known * _WHOLE / float(max(question[_TIMES], _WHOLE))
