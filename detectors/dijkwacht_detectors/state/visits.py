"""Visits between machines, and those that are returned at once: one opens a session, the other one back.

Fields of a site, ``samples_visit…`` of shape (places,): which pair, ``u8``, of which 0 is none; event time of its
last use, of its first session lately, and of the return, ``i8``, µs; and how much of a return there was, ``f4``.
The pair of whom it is asked gives way as in `shortlist`. ``samples_visit_came``, ``i8`` of no shape, is when there
was a return at all. ``state`` is the named tuple of a kernel.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean
from dijkwacht_detectors.state.shortlist import find, name_of, place_of
from dijkwacht_records.vocabulary import RpcKind

_SESSION, _FILES, _ENCRYPTED = map(int, (RpcKind.SESSION, RpcKind.FILES, RpcKind.ENCRYPTED))
PLACES = 32
_AT_ONCE_US = 3_000_000
_LONG_AGO = -(1 << 61)


@njit(cache=True, nogil=True, inline="always")
def _pair(one, other):  # type: ignore[no-untyped-def]
    return name_of(mix(one[0], one[1]), mix(other[0], other[1]))


@njit_lean
def note_session(state, site, orig, resp, t):  # type: ignore[no-untyped-def]
    """``orig`` opens a session at ``resp``: a visit, or the return of one, which is none itself."""
    back = find(state.samples_visits, site, _pair(resp, orig))
    if back >= 0 and 0 <= t - state.samples_visit_back[site, back] <= _AT_ONCE_US:
        return
    if back >= 0 and 0 <= t - state.samples_visit_begun[site, back] <= _AT_ONCE_US:
        state.samples_visit_returned[site, back] += 1.0
        state.samples_visit_back[site, back] = state.samples_visit_came[site] = t
        state.samples_visit_begun[site, back] = _LONG_AGO
        return
    v, is_new = place_of(state.samples_visits, state.samples_visit_used, site, _pair(orig, resp), t)
    if is_new:
        state.samples_visit_returned[site, v] = 0.0
        state.samples_visit_back[site, v] = state.samples_visit_begun[site, v] = _LONG_AGO
    if t - state.samples_visit_begun[site, v] > _AT_ONCE_US:
        state.samples_visit_begun[site, v] = t


@njit_lean
def note_read(state, site, orig, resp, t):  # type: ignore[no-untyped-def]
    """``orig`` reads files of ``resp``: more of a return, if it has just come back."""
    if not 0 <= t - state.samples_visit_came[site] <= _AT_ONCE_US:
        return
    back = find(state.samples_visits, site, _pair(resp, orig))
    if back >= 0 and 0 <= t - state.samples_visit_back[site, back] <= _AT_ONCE_US:
        state.samples_visit_returned[site, back] += 1.0
        state.samples_visit_came[site] = _LONG_AGO


@njit_lean
def returned(state, site, orig, resp):  # type: ignore[no-untyped-def]
    """How many returns ``orig``'s visits to ``resp`` had since this was last asked, one with a read counting two."""
    v = find(state.samples_visits, site, _pair(orig, resp))
    if v < 0:
        return 0.0
    found = np.float64(state.samples_visit_returned[site, v])
    state.samples_visit_returned[site, v] = 0.0
    return min(found, 8.0)


@njit_lean
def follow(rows, i, state, site, t):  # type: ignore[no-untyped-def]
    """Learn from a row of sessions, of files or of what is encrypted; of the last, how often its visits were returned."""
    kind, orig, resp = rows.kind[i], rows.orig_h[i], rows.resp_h[i]
    if kind == _SESSION:
        note_session(state, site, orig, resp, t)
    elif kind == _FILES and rows.reads[i] > 0:
        note_read(state, site, orig, resp, t)
    return returned(state, site, orig, resp) if kind == _ENCRYPTED else 0.0


FIELDS = {
    "samples_visits": ("u8", (PLACES,)),
    "samples_visit_used": ("i8", (PLACES,)),
    "samples_visit_begun": ("i8", (PLACES,)),
    "samples_visit_back": ("i8", (PLACES,)),
    "samples_visit_returned": ("f4", (PLACES,)),
    "samples_visit_came": ("i8", ()),
}
"""What a detector's ``state`` declares of visits."""
