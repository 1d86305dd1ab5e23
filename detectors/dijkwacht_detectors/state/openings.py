"""Lines at ports of a machine: since when it is called there, and what a new line is spoken in.

Fields of a site, of shape (places,): ``names``, ``u8``, which machine and port, 0 for none; ``first``, ``i8``, event
time µs of the first line there; ``said``, ``i4``, the speech of the line that is listened to, and the flags below.
``asked``, ``u8``, and ``asker``, ``u8``: which name was called last, answered or not, and who called it, `SEVERAL` for more than one.
A name has one place: of two that share it the later one stays, and the other is new when it comes back.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

ORIG_SPOKE: Final = 1 << 8
RESP_SPOKE: Final = 1 << 9
RESP_BEGAN: Final = 1 << 10
SEVERAL: Final = 2
"""More than one caller: no machine has this name."""
SPEECH: Final = 0xFF
"""The bits of the speech itself, beside the flags of who spoke and who began."""


@njit(cache=True, nogil=True)
def listen(openings, s, name, t, heard):  # type: ignore[no-untyped-def]
    """What the latest line to ``name`` has shown, after a part of it; and since when there are lines, µs.

    ``openings``: names, first, said; ``heard``: the part's speech, 0 if it tells none,
    whether the responder began, and bytes up and down. 0 before any speech.

    >>> names, first, said = np.zeros((1, 4), np.uint64), np.zeros((1, 4), np.int64), np.zeros((1, 4), np.int32)
    >>> shown, since = listen((names, first, said), 0, np.uint64(5), 70, (7, 0, 0, 9))
    >>> shown & SPEECH, shown & RESP_SPOKE > 0, shown & ORIG_SPOKE > 0, since
    (7, True, False, 70)
    """
    names, first, said = openings
    speech, resp_began, up, down = heard
    p = np.int64(name >> np.uint64(1)) % names.shape[1]
    if names[s, p] != name:
        if speech == 0:
            return 0, t
        names[s, p], first[s, p] = name, t
    if speech:
        said[s, p] = speech | (RESP_BEGAN if resp_began else 0)
    if said[s, p]:
        said[s, p] |= (ORIG_SPOKE if up > 0 else 0) | (RESP_SPOKE if down > 0 else 0)
    return int(said[s, p]), first[s, p]


@njit(cache=True, nogil=True)
def has_several_callers(asked, asker, s, name, caller):  # type: ignore[no-untyped-def]
    """Take a call to ``name``, and say whether more than one machine calls there.

    >>> asked, asker = np.zeros((1, 4), np.uint64), np.zeros((1, 4), np.uint64)
    >>> [bool(has_several_callers(asked, asker, 0, np.uint64(5), np.uint64(who))) for who in (7, 7, 9, 7)]
    [False, False, True, True]
    """
    p = np.int64(name >> np.uint64(1)) % asked.shape[1]
    if asked[s, p] != name:
        asked[s, p], asker[s, p] = name, caller
    elif asker[s, p] != caller:
        asker[s, p] = SEVERAL
    return asker[s, p] == SEVERAL
