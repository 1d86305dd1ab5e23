"""Password guessing: the same client calls the same service again and again, each time briefly.

Looks at the TCP connections between two machines to one port, of any number. A guess is a
connection that carries little, both ways, and ends soon; guessing tools make many of them in quick
succession, each as large as the last. The score is log₂ of the guesses of the last minutes, counted
for less where connections are large or differ, and where the port is one that ordinary programs
poll by design (web, proxies, DNS, messaging).

Limits: guessing over web forms or inside one long connection looks like ordinary use from here.
Slow guessing, less than one in a minute, stays below ordinary mail polling.

>>> from dijkwacht_detectors.checks import score_rows
>>> calls = [{"time": i * 500_000, "resp_p": 22, "conn_state": 3, "orig_pkts": 12, "resp_pkts": 13,
...           "orig_bytes": 1500, "resp_bytes": 1700} for i in range(64)]
>>> float(score_rows(Bruteforce(), calls)[-1].round(1))
5.6
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from numba import njit

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.state.decay import remaining

_TCP = 6
_END = 2
_SIZES = 6  # sizes of the last connections, to hold the next one against


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
    """Guessing goes on for minutes; a page load is over in seconds."""
    small_bytes = 8000.0
    """A login takes a few kilobytes at most, keys and banners included."""
    brief_s = 30.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each connection as it ends."""
        _fold(
            rows.time, rows.slot, rows.fresh, rows["part"], rows["state"], rows["start"],
            rows["resp_p"], rows["proto"], rows["orig_bytes"], rows["resp_bytes"], state["last"], state["calls"], state["ended"],
            state["carried"], state["sizes"], state["ends"], state["alike"],
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


@njit(cache=True, nogil=True)
def _fold(  # type: ignore[no-untyped-def]
    time, slot, fresh, part, part_state, start, resp_p, proto, orig_bytes, resp_bytes, last, calls, ended, carried, sizes, ends, alike, half_life, small, brief,
    scores, facts,
):  # fmt: skip
    for i in range(len(time)):
        if proto[i] != _TCP:
            continue
        e = slot[i]
        if fresh[i]:
            last[e] = time[i]
            calls[e] = ended[e] = carried[e] = 0.0
            sizes[e] = -1.0
            ends[e] = 0
            alike[e] = 0.5
        elapsed = time[i] - last[e]
        if elapsed > 100_000:
            kept = remaining(elapsed, half_life)
            calls[e] *= kept
            ended[e] *= kept
            carried[e] *= kept
            last[e] = time[i]
        moved = min(max(orig_bytes[i] + resp_bytes[i], 0), 1_000_000_000_000)
        carried[e] += moved
        if part[i] == 0:
            calls[e] += 1.0
        if part_state[i] != _END or (part[i] == 0 and (orig_bytes[i] <= 0 or resp_bytes[i] <= 0)):
            continue
        if time[i] - start[i] < brief:
            ended[e] += 1.0
        # was one of the last as large? What is compared is the last part of each
        size = math.log(16.0 + moved)
        near = 0.0
        for k in range(_SIZES):
            if abs(sizes[e, k] - size) < 0.1:
                near = 1.0
        sizes[e, ends[e] % _SIZES] = size
        ends[e] = min(ends[e] + 1, 1 << 30)
        alike[e] += (near - alike[e]) / min(4.0 + ends[e], 16.0)
        if ended[e] <= 0.0:
            continue
        each = carried[e] / max(calls[e], ended[e])
        little = 1.0 / (1.0 + (each / small) ** 2)
        guesses = ended[e] * little * alike[e] * _login(resp_p[i])
        scores[i] = math.log2(1.0 + guesses)
        facts[i, 0] = ended[e]
        facts[i, 1] = each
        facts[i, 2] = alike[e]
        facts[i, 3] = ended[e] * 60e6 * 0.693 / half_life
