"""What was last alerted of each entity, and what is its habit, of those whose score was ever rare.

They are hardly one in a thousand: an entity costs four bytes until it is one of them.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.state.growth import grown
from dijkwacht_detectors.state.naming import njit_lean

HABIT: Final = 3
"""From so many hours on in which a detector reached its threshold, without being extreme, they are learned."""
HABIT_BITS: Final = 1.0
"""How much stranger than its own habit an entity must be to alert again: twice the evidence."""
HABIT_LASTS_H: Final = 30 * 24
"""Hours after which an entity that no longer reaches the threshold has no habit: as long as "this is normal" lasts."""


class _Records(NamedTuple):
    alerted_bin: NDArray[np.int16]
    alerted_time: NDArray[np.int64]
    times: NDArray[np.int32]  # how often it reached the threshold, hours on end counted once
    rare_hour: NDArray[np.int64]  # the last hour in which it did
    since: NDArray[np.int64]  # the hour in which the last time began
    strongest: NDArray[np.float64]  # its strongest score of the last time
    habit: NDArray[np.float64]  # and of those before
    weak_hour: NDArray[np.int64]  # the last hour in which its score was rare at all
    weak_bin: NDArray[np.int16]  # the highest bin it reached in that hour


HABITS: Final = ("times", "rare_hour", "since", "strongest", "habit")
KEPT: Final = (*HABITS, "weak_hour", "weak_bin")
"""What is kept of an entity beside its last alert; an earlier release kept those of `HABITS`."""


class EntityRecords:
    """The records of a detector's entities. ``used``: of the records that there is room for."""

    def __init__(self) -> None:
        self.used = 1
        self._places = np.zeros(0, np.int32)  # by slot; 0, where nothing is ever known, for none
        self._records = _blank(64)

    @property
    def places(self) -> NDArray[np.int32]:
        """The record of each slot; 0 for none."""
        return self._places

    def make_room(self, slots: int) -> None:
        """Grow to so many slots."""
        if slots > len(self._places):
            self._places = grown(self._places, max(slots, 2 * len(self._places)))

    def for_more(self, entities: int) -> tuple[int, NDArray[np.int32], tuple[NDArray[Any], ...]]:
        """For kernels: ``used``, the record of each slot, and records, of which so many more may be taken.

        What is in those is to be wiped by whoever takes them.
        """
        if self.used + entities > len(self._records.times):
            before: tuple[NDArray[Any], ...] = tuple(self._records)
            grown = [np.zeros(2 * (self.used + entities), old.dtype) for old in before]
            for values, old in zip(grown, before, strict=True):
                values[: self.used] = old[: self.used]
            self._records = _Records(*grown)
        return self.used, self._places, tuple(self._records)

    def take(self, slots: NDArray[np.int32]) -> tuple[bytes, bytes, tuple[bytes, ...]]:
        """Of these entities the fields: what was alerted last, when, and those of `KEPT`."""
        places, known = self._places[slots], self._records
        if not places.any():  # as of most detectors on most sites
            saved = tuple(one * len(slots) for one in _NOTHING)
            return saved[0], saved[1], saved[2:]
        return (
            known.alerted_bin[places].tobytes(),
            known.alerted_time[places].tobytes(),
            tuple(getattr(known, name)[places].tobytes() for name in KEPT),
        )

    def put(
        self,
        slots: NDArray[np.int32],
        alerted_bin: bytes,
        alerted_time: bytes,
        habits: tuple[bytes, ...] | None,
    ) -> None:
        """Take up what `take` returned, for as many slots of which nothing is known."""
        saved = {"alerted_bin": alerted_bin, "alerted_time": alerted_time}
        saved |= dict(zip(KEPT, habits, strict=False)) if habits is not None else {}
        fields = _blank(len(slots))._asdict()
        fields |= {name: np.frombuffer(raw, fields[name].dtype) for name, raw in saved.items()}
        known = np.flatnonzero(
            (fields["alerted_bin"] >= 0) | (fields["times"] > 0) | (fields["weak_hour"] >= 0)
        )
        self.for_more(len(known))
        places = np.arange(self.used, self.used + len(known), dtype=np.int32)
        for name, values in fields.items():
            getattr(self._records, name)[places] = values[known]
        self._places[slots[known]] = places
        self.used += len(known)

    def forget_habits(self, slots: NDArray[np.int32]) -> None:
        """Take what these entities do for new."""
        self._forget(slots, HABITS)

    def forget(self, slots: NDArray[np.int32]) -> None:
        """Others have these slots from now on."""
        self._forget(slots, _Records._fields)

    def _forget(self, slots: NDArray[np.int32], names: tuple[str, ...]) -> None:
        places, blank = self._places[slots], _blank(1)
        for name in names:
            getattr(self._records, name)[places] = getattr(blank, name)


def _blank(size: int) -> _Records:
    never = np.full(size, -1, np.int64)
    return _Records(
        never.astype(np.int16), np.zeros(size, np.int64),
        np.zeros(size, np.int32), never - 1, never - 1,
        np.full(size, -np.inf), np.full(size, -np.inf),
        never - 1, never.astype(np.int16),
    )  # fmt: skip


_NOTHING: Final = tuple(
    getattr(_blank(1), name).tobytes() for name in ("alerted_bin", "alerted_time", *KEPT)
)
"""What `EntityRecords.take` says of an entity without a record."""


@njit(cache=True, nogil=True, inline="always")
def wipe(e, records):  # type: ignore[no-untyped-def]
    """Take the entity with record ``e`` for new; when it was alerted is of no account then."""
    alerted_bin, _, times, rare_hour, since, strongest, habit, weak_hour, weak_bin = records
    alerted_bin[e] = weak_bin[e] = -1
    times[e] = 0
    rare_hour[e] = since[e] = weak_hour[e] = -2
    habit[e] = strongest[e] = -np.inf


@njit_lean
def is_habit(e, h, score, times, rare_hour, since, strongest, habit):  # type: ignore[no-untyped-def]
    """Whether entity ``e``, which reaches the threshold in hour ``h``, does what it has done before.

    Hours on end are one time: what lasts is one incident as long as it lasts.
    """
    if h > rare_hour[e] + HABIT_LASTS_H:
        times[e] = 0
        habit[e] = strongest[e] = -np.inf
    if h > rare_hour[e] + 1:
        times[e] += 1
        since[e] = h
        habit[e] = max(habit[e], strongest[e])
        strongest[e] = score
    else:
        strongest[e] = max(strongest[e], score)
    rare_hour[e] = max(rare_hour[e], h)
    return times[e] >= HABIT and score < habit[e] + HABIT_BITS
