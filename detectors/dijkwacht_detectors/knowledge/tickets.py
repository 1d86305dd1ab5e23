"""Kerberos tickets that are made to be cracked, and when weak ones are merely what a domain gives."""

from __future__ import annotations

from typing import Final

from dijkwacht_detectors.state.naming import njit_lean

MONTH_US: Final = 30 * 86_400_000_000


@njit_lean
def worth_of_tickets(weak, strong, weakly, is_old):  # type: ignore[no-untyped-def]
    """Evidence in ``weak`` tickets that one machine was given lately, beside ``strong`` ones.

    ``weakly``: machines that are given as many; ``is_old``: nobody at the site was given a strong one within a
    month. A domain that knows no strong ones gives some dozens whenever somebody signs in; one that does
    gives weak ones for a few old services, and in numbers to who asks for them.

    >>> [worth_of_tickets(23, strong, 1, is_old) for strong, is_old in [(0, True), (0, False), (1, False)]]
    [10.0, 50.0, 200.0]
    """
    known = 0.1 if is_old else 0.5 + 1.5 * min(strong, 1.0)
    return 5.0 * max(weak - 3.0, 0.0) * known / max(1.0, weakly - 1.0) ** 2
