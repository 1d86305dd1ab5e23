"""How much of something odd remains where the site has come to know those who do it."""

from __future__ import annotations

from numba import njit

_DAY_US = 86_400e6


@njit(cache=True, nogil=True, inline="always")
def unexplained(met, machines, known, news, strangers):  # type: ignore[no-untyped-def]
    """What is left, in 0-1, of a line whose other end the site knows, or whose caller explains it.

    ``met`` and ``known`` are µs since the site met the one called and the one that calls; ``machines``
    those that call the former, ``news`` and ``strangers`` of the latter as the context of hosts has
    them. All of it remains on a site's first day, when everything is new.

    >>> day = 86_400_000_000
    >>> unexplained(0, 1, 0, 1.0, 0.0), unexplained(2 * day, 1, 0, 1.0, 0.0), unexplained(0, 2, 0, 1.0, 0.0)
    (1.0, 0.5, 0.5)
    >>> unexplained(0, 1, 7 * day, 0.0, 0.0), unexplained(0, 1, 0, 1.0, 48.0)
    (0.125, 0.25)
    """
    others = max(machines - 1, 0)
    # a device's world is complete after some days, and a person's never
    complete = 1.0 + min(max(known, 0.0) / _DAY_US, 7.0) / (1.0 + 4.0 * news)
    return 1.0 / (
        (1.0 + 0.5 * max(met, 0.0) / _DAY_US) * (1.0 + others) * complete * (1.0 + strangers / 16.0)
    )
