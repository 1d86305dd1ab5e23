"""How far a number is on its way from where it says nothing to where it says all."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True, inline="always")
def proportion(value, none, whole):  # type: ignore[no-untyped-def]
    """0 at ``none``, 1 at ``whole``, which may be the lesser, and between them in proportion.

    >>> proportion(3.0, 2.0, 4.0), proportion(9.0, 2.0, 4.0), proportion(3.5, 4.0, 2.0)
    (0.5, 1.0, 0.25)
    """
    return min(max((value - none) / (whole - none), 0.0), 1.0)


@njit(cache=True, nogil=True, inline="always")
def capped(count, most):  # type: ignore[no-untyped-def]
    """What somebody says he counted, as a number from 0 to ``most``.

    >>> capped(-3, 100.0), capped(7, 100.0), capped(1 << 60, 100.0)
    (0.0, 7.0, 100.0)
    """
    return min(max(float(count), 0.0), most)
