"""Password guessing: one client connects to one service again and again, each time briefly.

Looks at the TCP connections between two machines to one port, of any number. A guess is a
connection that carries little, both ways, and ends soon; guessing tools make many of them in quick
succession, each as large as the last. The score is log₂ of the guesses of the last minutes, counted
for less where connections are large or differ, and where the port is one that ordinary programs
poll by design (web, proxies, DNS, messaging).

Limits: guessing over web forms or inside one long connection looks like ordinary use from here.
Slow guessing, less than one in a minute, stays below ordinary mail polling.

>>> from dijkwacht_detectors.checks import score_rows
>>> tries = [{"time": i * 500_000, "resp_p": 22, "conn_state": 3, "orig_pkts": 12, "resp_pkts": 13,
...           "orig_bytes": 1500, "resp_bytes": 1700} for i in range(64)]
>>> float(score_rows(Bruteforce(), tries)[-1].round(1))
5.6
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import picker, row_picker

_TCP = 6
_END = 2
_SIZES = 6  # sizes of the last connections, to compare the next one with


class Bruteforce(RowDetector):
    """Many brief, small, alike connections of one client to one service."""

    name = "bruteforce"
    table = "flows"
    reads = (
        "part", "state", "start", "resp_p", "proto", "orig_bytes", "resp_bytes",
    )  # fmt: skip
    entity: ClassVar[Entity] = "pair"
    kind = "bruteforce"
    technique = "T1110"
    facts = ("guesses", "bytes_each", "alike", "per_minute")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "calls": ("f4", ()),
        "ended": ("f4", ()),
        "carried": ("f4", ()),
        "sizes": ("f4", (_SIZES,)),
        "ends": ("i4", ()),
        "alike": ("f4", ()),
    }

    share = 1 / 12
    expected = (2.6, 0.5)
    half_life_s = 180.0
    """Guessing lasts minutes, a page load seconds."""
    small_bytes = 8000.0
    """A login takes a few kilobytes at most, keys and banners included."""
    brief_s = 30.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each connection as it ends."""
        _fold(
            _columns(rows), _memory(state),
            self.half_life_s * 1e6, self.small_bytes, self.brief_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how often it was tried."""
        many = round(facts["guesses"])
        return Explanation(
            f"{{src}} is guessing passwords of {{dst}} (port {{port}}): about {many} tries in a few minutes.",
            f"{{src}} raadt wachtwoorden van {{dst}} (poort {{port}}): ongeveer {many} pogingen in enkele minuten.",
            "A program tries one password after the other. Check that the login of {dst} cannot be "
            "reached from the internet, and that its password is long and used nowhere else. If {src} "
            "is your own device, disconnect it: someone may be using it.",
            "Een programma probeert het ene wachtwoord na het andere. Zorg dat het inlogscherm van "
            "{dst} niet vanaf internet bereikbaar is en dat het wachtwoord lang is en nergens anders "
            "voor dient. Is {src} uw eigen apparaat, koppel het dan los: mogelijk gebruikt iemand het.",
        )


@njit(cache=True, nogil=True, inline="always")
def _login(port):  # type: ignore[no-untyped-def]
    """Weight of a port: 1 where people log in, far below where programs poll by design."""
    if port in (
        21, 22, 23, 445, 1433, 1521, 2222, 2323, 3306, 3389, 5432, 5900, 5985, 5986,
    ):  # fmt: skip
        return 1.0
    if port in (25, 110, 143, 465, 587, 993, 995, 389, 636):
        return 0.5
    if port in (
        53, 80, 88, 123, 443, 631, 853, 1080, 1883, 3128, 5222, 5228, 8000, 8008, 8009, 8080, 8081,
        8086, 8443, 8883, 8888, 9090, 9100, 10050, 10051,
    ):  # fmt: skip
        return 0.01
    return 0.35


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    state: NDArray[np.int64]
    start: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    calls: NDArray[np.float32]
    ended: NDArray[np.float32]
    carried: NDArray[np.float32]
    sizes: NDArray[np.float32]
    ends: NDArray[np.int32]
    alike: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True)
def _fold(columns, memory, half_life, small, brief, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        if rows.proto[i] != _TCP:
            continue
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.calls[e] = state.ended[e] = state.carried[e] = 0.0
            state.sizes[e] = -1.0
            state.ends[e] = 0
            state.alike[e] = 0.5
        elapsed = t - state.last[e]
        if elapsed > 100_000:
            kept = remaining(elapsed, half_life)
            state.calls[e] *= kept
            state.ended[e] *= kept
            state.carried[e] *= kept
            state.last[e] = t
        sent, received, first = rows.orig_bytes[i], rows.resp_bytes[i], rows.part[i] == 0
        moved = min(max(sent + received, 0), 1_000_000_000_000)
        state.carried[e] += moved
        if first:
            state.calls[e] += 1.0
        if rows.state[i] != _END or (first and (sent <= 0 or received <= 0)):
            continue
        if t - rows.start[i] < brief:
            state.ended[e] += 1.0
        # was one of the last as large? What is compared is the last part of each
        size = math.log(16.0 + moved)
        near = 0.0
        for k in range(_SIZES):
            if abs(state.sizes[e, k] - size) < 0.1:
                near = 1.0
        state.sizes[e, state.ends[e] % _SIZES] = size
        state.ends[e] = min(state.ends[e] + 1, 1 << 30)
        state.alike[e] += (near - state.alike[e]) / min(4.0 + state.ends[e], 16.0)
        if state.ended[e] <= 0.0:
            continue
        each = state.carried[e] / max(state.calls[e], state.ended[e])
        little = 1.0 / (1.0 + (each / small) ** 2)
        guesses = state.ended[e] * little * state.alike[e] * _login(rows.resp_p[i])
        scores[i] = math.log2(1.0 + guesses)
        facts[i, 0] = state.ended[e]
        facts[i, 1] = each
        facts[i, 2] = state.alike[e]
        facts[i, 3] = state.ended[e] * 60e6 * 0.693 / half_life
