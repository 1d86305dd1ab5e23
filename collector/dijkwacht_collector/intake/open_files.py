"""How many files this process may have open, and how many of them connections may be."""

from __future__ import annotations

import resource
from typing import Final

_ENOUGH: Final = 65_536
_OWN: Final = 128
"""Interpreter, libraries, databases, lock, notes, one checkpoint being written, one segment more."""


def raise_limit() -> int:
    """Raise the soft limit to the hard one, up to 65,536: how many files may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


def room_for_connections(limit: int, wanted: int) -> int:
    """``wanted``, or what ``limit`` open files leave: half, as each segment of the journal is one too.

    >>> room_for_connections(65_536, 4096), room_for_connections(1024, 4096)
    (4096, 448)
    """
    return max(1, min(wanted, (limit - _OWN) // 2))
