"""Rows of ``talks`` as an agent tells them: with a part, once eight turns are over since the row before."""

from __future__ import annotations

import random
from typing import Final

from dijkwacht_agent.turns import LEAST_TURNS, MAX_SIZES, MAX_SPREAD
from dijkwacht_lab.traffic.facts import Talk
from dijkwacht_records.vocabulary import FirstSpeaker

_MILLISECOND: Final = 1_000
_MACHINE: Final = 90
"""Percent of turns alike, from which on no person takes them."""


class TurnsWritten:
    """The turns of one flow of ``up`` and ``down`` bytes, told as far as they are over."""

    __slots__ = ("_dice", "_first", "_haste", "_sizes", "_talk", "_told", "_told_us")

    def __init__(
        self, talk: Talk, up: int, down: int, dice: random.Random, *, resp_first: bool
    ) -> None:
        self._talk, self._dice = talk, dice
        # Machines keep their pace; what people do is more at the beginning, or at the end.
        self._haste = 1.0 if talk.alike >= _MACHINE else 0.6 + 0.8 * dice.random()
        a_side = max(talk.turns // 2, 1)
        # A usual turn is not longer than a mean one: what is unusual are files and pages.
        self._sizes = min(talk.orig, up // a_side), min(talk.resp, down // a_side)
        self._first = FirstSpeaker.RESP if resp_first else FirstSpeaker.ORIG
        self._told = 0  # turns
        self._told_us = 0  # offset of the latest row

    def row(self, over: float, offset: int, *, ended: bool) -> tuple[int, ...] | None:
        """The columns from ``first`` on at ``offset`` µs, when ``over`` (0 to 1) of the flow has passed."""
        talk = self._talk
        passed = int(talk.turns * over**self._haste) - (not ended)  # one is being taken
        turns = passed - self._told
        if turns < LEAST_TURNS:
            return None
        firsts = (turns + 1) >> 1
        gap = (offset - self._told_us) // firsts
        self._told, self._told_us = passed, offset
        luck = 0.7 + 0.6 * self._dice.random()
        spread = min(int(talk.spread * luck), MAX_SPREAD)
        alike = talk.alike * luck if talk.alike < _MACHINE else talk.alike
        seconds = turns - firsts
        of_orig, of_resp = (
            (firsts, seconds) if self._first is FirstSpeaker.ORIG else (seconds, firsts)
        )
        return (
            int(self._first), turns, of_orig,
            *_sizes(self._sizes[0], of_orig, alike), *_sizes(self._sizes[1], of_resp, alike),
            gap // _MILLISECOND, spread if gap else 0, 0,
        )  # fmt: skip


def _sizes(usual: int, turns: int, alike: float) -> tuple[int, int, int]:
    """Commonest size, its share in percent, and how many sizes there are among ``turns``."""
    most = min(max(round(turns * alike / 100), 1), turns)
    others = turns - most
    fewest = 1 + -(-others // most)
    sizes = min(max(fewest, 1 + (others + 1 >> 1)), MAX_SIZES)
    return usual, most * 100 // turns, sizes
