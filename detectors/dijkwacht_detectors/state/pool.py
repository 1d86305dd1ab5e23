"""What only some entities need, as those that came again: kept in places, of which a kernel gives them one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import State
from dijkwacht_detectors.state.growth import grown

PLACE: Final = "pooled_place"
"""Field that a `Memory` adds, by slot: the entity's place, 0 for none. It keeps it until it is given back."""
USED: Final = "pooled_used"
"""And numbers: places given so far, with place 0, which is nobody's; how many were given back; and those."""
_TOLD: Final = 2
"""Numbers before those that were given back."""


def is_pooled(field: str) -> bool:
    """Whether a state field has one entry a place; `PLACE` has one a slot."""
    return field.startswith("pooled_") and field != PLACE


class Pool:
    """Gives places in the arrays that ``fields`` name, as in a detector's ``state``."""

    def __init__(self, fields: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
        self.fields = tuple(fields)

    def make_room(self, state: State, places: int) -> None:
        """Have so many places free."""
        used = state.setdefault(USED, np.array([1, 0], np.int32))
        room, here = int(used[0]) + max(places - int(used[1]), 0), len(state[self.fields[0]])
        if room > here:
            room = max(room, 2 * here)
            state[USED] = grown(used, _TOLD + room)
            for name in self.fields:
                state[name] = grown(state[name], room)

    def snapshot(self, state: State, places: NDArray[np.int32]) -> State:
        """What is at ``places``, also at that which is nobody's, and how many are given; for `restore`."""
        kept: State = {name: state[name][places] for name in self.fields}
        return kept | {USED: state[USED][: _TOLD + state[USED][1]].copy()}

    def restore(self, state: State, before: State) -> None:
        """Put back what `snapshot` saw: places that were given since then are free again."""
        given = slice(int(before[USED][0]), int(state[USED][0]))
        for name in self.fields:
            state[name][given] = 0
            state[name][before[PLACE]] = before[name]
        state[USED][: len(before[USED])] = before[USED]

    def take(self, state: State, places: NDArray[np.int32]) -> State:
        """What is at ``places``, except where there is none, for `put`."""
        at = places[places > 0]
        taken: State = {name: state[name][at] for name in self.fields}
        return taken

    def put(self, state: State, taken: State) -> NDArray[np.int32]:
        """Give those that had a place a new one, with what was taken of them; the places of all."""
        given = np.zeros(len(taken[PLACE]), np.int32)
        had = taken[PLACE] > 0
        self.make_room(state, int(had.sum()))
        given[had] = at = int(state[USED][0]) + np.arange(had.sum(), dtype=np.int32)
        for name in self.fields:
            state[name][at] = taken[name]
        state[USED][0] += len(at)
        return given


@njit(cache=True, nogil=True, inline="always")
def place_of(place, used, e):  # type: ignore[no-untyped-def]
    """The place of entity ``e``, which is given one now if it has none: all of it is zero, if none gives back."""
    if place[e] == 0:
        if used[1] > 0:
            used[1] -= 1
            place[e] = used[_TOLD + used[1]]
        else:
            place[e] = used[0]
            used[0] += 1
    return place[e]


@njit(cache=True, nogil=True, inline="always")
def give_back(place, used, e):  # type: ignore[no-untyped-def]
    """Let another have the place of entity ``e``, if it has one, and what is in it."""
    if place[e] != 0:
        used[_TOLD + used[1]] = place[e]
        used[1] += 1
        place[e] = 0
