"""Dark space: addresses of a site from which nobody was ever heard, and how many of them a machine tried.

Addresses are bits of 1,024 by their hash: of 60 machines one dark address in seventeen falls on one that is
alive, and counts for nothing. Two pages each: of a machine, what it tried this week, and, for half, in the week
before; of the site, who was heard these 30 days and the 30 before. What is heard after it was tried is dark no
longer, and is taken back.

A machine may count twelve addresses at once and four more a minute. What it tries beyond that is known as tried,
and never counts: who looks at a whole network in one go is told by `scan` and `arp_sweep`, or does so as a habit.

A number is given when it has grown by a fifth: who goes on for days is no news every hour.

Fields by slot: ``begun``, ``turned``, ``at``, ``i8``, event time µs, and ``spare``, ``told``, ``f4``; at the entity's place
(`pool`) ``pooled_tried`` and ``pooled_counted``, ``u8`` [2, 16]; of the site ``samples_heard``, ``u8`` [2, 16],
``samples_turned`` and ``samples_watched``, ``i8``. ``state`` is the named tuple of a kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from dijkwacht_detectors.state.crowd import count
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean
from dijkwacht_detectors.state.pool import place_of

_WORDS: Final = 16
_BITS: Final = np.uint64(64 * _WORDS - 1)
_WEEK_US: Final = 7 * 86_400_000_000
_MONTH_US: Final = 30 * 86_400_000_000
_AT_ONCE: Final = 12.0
_ONE_MORE_US: Final = 15e6
"""So that a /24 that is searched in eight minutes, too slowly for `arp_sweep`, leaves enough of itself."""
_A_FIFTH_MORE: Final = 1.19
"""A quarter of a bit."""
_WATCHED_US: Final = 3_600e6
"""After an hour of watching half of those who are there have been heard, at the least."""

DARK_SPACE: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "begun": ("i8", ()),
    "turned": ("i8", ()),
    "at": ("i8", ()),
    "spare": ("f4", ()),
    "told": ("f4", ()),
    "pooled_tried": ("u8", (2, _WORDS)),
    "pooled_counted": ("u8", (2, _WORDS)),
    "samples_heard": ("u8", (2, _WORDS)),
    "samples_turned": ("i8", ()),
    "samples_watched": ("i8", ()),
}
"""State fields, to which a `Memory` adds ``pooled_place`` and ``pooled_used``."""


@njit_lean
def watch(state, site, t):  # type: ignore[no-untyped-def]
    """A row of ``site`` at ``t``, µs: be ready to hear."""
    if state.samples_watched[site] == 0:
        state.samples_watched[site] = state.samples_turned[site] = max(t, 1)
    elif t - state.samples_turned[site] > _MONTH_US:
        for word in range(_WORDS):
            state.samples_heard[site, 1, word] = state.samples_heard[site, 0, word]
            state.samples_heard[site, 0, word] = np.uint64(0)
        state.samples_turned[site] = t


@njit_lean
def hear(state, site, high, low):  # type: ignore[no-untyped-def]
    """Somebody spoke from this address."""
    at = mix(high, low) & _BITS
    state.samples_heard[site, 0, at >> np.uint64(6)] |= np.uint64(1) << (at & np.uint64(63))


@njit_lean
def forget(state, e, t):  # type: ignore[no-untyped-def]
    """A machine that is new, or was not seen for long."""
    state.begun[e] = state.turned[e] = state.at[e] = t
    state.spare[e] = _AT_ONCE
    state.told[e] = 0.0
    place = state.pooled_place[e]
    if place:
        for page in range(2):
            for word in range(_WORDS):
                state.pooled_tried[place, page, word] = np.uint64(0)
                state.pooled_counted[place, page, word] = np.uint64(0)


@njit_lean
def _turn(state, e, t):  # type: ignore[no-untyped-def]
    """A week is over; after two, all is forgotten."""
    place, passed = state.pooled_place[e], t - state.turned[e]
    for pages in (state.pooled_tried, state.pooled_counted):
        for word in range(_WORDS):
            pages[place, 1, word] = (
                pages[place, 0, word] if passed <= 2 * _WEEK_US else np.uint64(0)
            )
            pages[place, 0, word] = np.uint64(0)
    state.begun[e] = max(state.begun[e], state.turned[e])
    state.turned[e] = t


@njit_lean
def tried_dark(state, e, site, t, address):  # type: ignore[no-untyped-def]
    """Let a machine try an ``address`` (high, low); how many dark ones it tried, 0 if that is no news."""
    at = mix(address[0], address[1]) & _BITS
    word, bit = at >> np.uint64(6), np.uint64(1) << (at & np.uint64(63))
    if (state.samples_heard[site, 0, word] | state.samples_heard[site, 1, word]) & bit:
        return 0.0
    place = place_of(state.pooled_place, state.pooled_used, e)
    if t - state.turned[e] > _WEEK_US:
        _turn(state, e, t)
    if state.pooled_tried[place, 0, word] & bit:
        return 0.0
    state.pooled_tried[place, 0, word] |= bit
    if state.pooled_tried[place, 1, word] & bit:  # as last week
        state.pooled_counted[place, 0, word] |= state.pooled_counted[place, 1, word] & bit
        return 0.0
    if t > state.at[e]:
        state.spare[e] = min(_AT_ONCE, state.spare[e] + (t - state.at[e]) / _ONE_MORE_US)
        state.at[e] = t
    if state.spare[e] < 1.0:
        return 0.0
    state.spare[e] -= 1.0
    state.pooled_counted[place, 0, word] |= bit
    now = before = 0
    for w in range(_WORDS):
        silent = ~(state.samples_heard[site, 0, w] | state.samples_heard[site, 1, w])
        this = state.pooled_counted[place, 0, w]
        now += count(this & silent)
        before += count(state.pooled_counted[place, 1, w] & ~this & silent)
    if now + before == 1:
        state.begun[e] = t
    dark = now + 0.5 * before
    if state.told[e] <= dark < _A_FIFTH_MORE * state.told[e]:
        return 0.0
    state.told[e] = dark
    return dark


@njit_lean
def known(state, site, t):  # type: ignore[no-untyped-def]
    """How far the site's silence can be believed, 0-1: not when the watch has just begun."""
    return 1.0 - remaining(t - state.samples_watched[site], _WATCHED_US)
