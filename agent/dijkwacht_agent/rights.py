"""Rights that were needed to open the capture, and are given up once it is open.

A packet socket keeps working without the right that opened it. The agent never opens another: when the
interface goes away it ends, and whoever started it (systemd) starts it again with its rights.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from struct import pack
from typing import Final

_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _CLEAR_ALL = 38, 47, 4
_VERSION_3: Final = 0x20080522
_FILES: Final = 0b1111
"""CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER: root alone keeps them, for folders of another user."""

Call = Callable[..., int]


def give_up(calls: tuple[Call, Call] | None = None, *, root: bool | None = None) -> bool:
    """Give up every capability of this thread, and of all that it starts from now on: done?

    Root keeps those that concern files. To be called before another thread is begun: capabilities are
    a thread's. ``calls``: ``prctl`` and ``capset``, of the C library if ``None``.
    """
    try:
        prctl, capset = calls or _calls()
        kept = _FILES if (os.geteuid() == 0 if root is None else root) else 0
        # Effective, permitted, inheritable; first of the lower 32 capabilities, then of the upper.
        done = capset(pack("=Ii", _VERSION_3, 0), pack("=6I", kept, kept, 0, 0, 0, 0))
        done |= prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
        done |= prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):  # a C library without them
        return False
    return done == 0


def _calls() -> tuple[Call, Call]:
    # Only where something is captured: an agent that hears a router's export has no rights to give up.
    import ctypes  # noqa: PLC0415

    library = ctypes.CDLL(None, use_errno=True)
    return library.prctl, library.capset
