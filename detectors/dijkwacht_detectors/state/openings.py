"""Lines at ports of a machine: since when it is called there, and what a new line is spoken in.

A site has ``openings``, ``i8``, of shape (places, 5). `NAME`: which machine and port, 0 for none; `FIRST`: event time µs
of the first line there; `SAID`: the speech of the line that is listened to, and the flags below. `ASKED` and `ASKER`:
which name was called last, answered or not, and who called it, `SEVERAL` for more than one.
A name has one place: of two that share it the later one stays, and the other is new when it comes back.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from dijkwacht_detectors.state.naming import njit_lean

NAME, FIRST, SAID, ASKED, ASKER = range(5)
ORIG_SPOKE: Final = 1 << 8
RESP_SPOKE: Final = 1 << 9
RESP_BEGAN: Final = 1 << 10
SEVERAL: Final = 2
"""More than one caller: no machine has this name."""
SPEECH: Final = 0xFF
"""The bits of the speech itself, beside the flags of who spoke and who began."""


@njit_lean
def listen(openings, s, name, t, heard):  # type: ignore[no-untyped-def]
    """What the latest line to ``name`` has shown, after a part of it; and since when there are lines, µs.

    ``heard``: the part's speech, 0 if it tells none,
    whether the responder began, and bytes up and down. 0 before any speech.

    >>> shown, since = listen(np.zeros((1, 4, 5), np.int64), 0, np.uint64(5), 70, (7, 0, 0, 9))
    >>> shown & SPEECH, shown & RESP_SPOKE > 0, shown & ORIG_SPOKE > 0, since
    (7, True, False, 70)
    """
    speech, resp_began, up, down = heard
    there = openings[s, np.int64(name >> np.uint64(1)) % openings.shape[1]]
    if there[NAME] != np.int64(name):
        if speech == 0:
            return 0, t
        there[NAME], there[FIRST] = np.int64(name), t
    if speech:
        there[SAID] = speech | (RESP_BEGAN if resp_began else 0)
    if there[SAID]:
        there[SAID] |= (ORIG_SPOKE if up > 0 else 0) | (RESP_SPOKE if down > 0 else 0)
    return there[SAID], there[FIRST]


@njit_lean
def has_several_callers(openings, s, name, caller):  # type: ignore[no-untyped-def]
    """Take a call to ``name``, and say whether more than one machine calls there.

    >>> openings = np.zeros((1, 4, 5), np.int64)
    >>> [bool(has_several_callers(openings, 0, np.uint64(5), np.uint64(who))) for who in (7, 7, 9, 7)]
    [False, False, True, True]
    """
    there = openings[s, np.int64(name >> np.uint64(1)) % openings.shape[1]]
    who = np.int64(caller)
    if there[ASKED] != np.int64(name):
        there[ASKED], there[ASKER] = np.int64(name), who
    elif there[ASKER] != who:
        there[ASKER] = SEVERAL
    return there[ASKER] == SEVERAL
