"""Beaconing by name: a machine says hello to one server name by the clock, whatever its addresses.

As `beacon`, but keyed by who calls and the name it asks for in TLS or QUIC, because the addresses of a
content network rotate, and malware hides behind one. Evidence are hellos on a timer, at most 48; hours
and pace count as there. All of that telemetry does, too, so by itself it stays low. What makes it odd is
that the name is new at a site that has watched this machine for three days, that one machine alone
calls it, and that the program that calls has a fingerprint which is seen with hardly any other server:
browsers and system libraries go everywhere.

Innocents: updaters, telemetry and dashboards, which are on timers as exact; most names are called by
several machines or were called last week. A program that was installed today is not told from malware.

Limits: a machine's first three days say nothing; a beacon that uses the system's TLS library needs a
device whose world was complete; hellos without a name are
left out; a beacon that keeps its connection open, or calls a name among a browser's calls to the same,
is not seen. 220 bytes an entity.

>>> from dijkwacht_detectors.checks import score_rows
>>> hellos = [{"time": i * 60_000_000, "server_name": "a.example"} for i in range(48)]
>>> float(score_rows(BeaconNames(), hellos)[-1].round(1))
2.6
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.timer import (
    TIMER,
    Timer,
    call,
    credit,
    hours_of,
    long_and_fast,
    pace,
    reset,
    say_interval,
    strangeness,
)

_DAY_US: Final = 86_400e6
_FEW: Final = 6
"""Addresses that a program of one purpose is seen with: a content network has several for a name."""


class BeaconNames(RowDetector):
    """Hellos of one machine to one server name, on a timer."""

    name = "beacon_names"
    table = "tls"
    reads = ("server_name",)
    context = (
        "name_first", "name_machines", "ja4_machines", "ja4_dests", "orig_first", "orig_news",
    )  # fmt: skip
    entity: ClassVar[Entity] = ("orig_h", "server_name")
    kind = "c2"
    technique = "T1071.001"
    facts = ("interval_s", "spread", "calls", "hours", "known_days")
    who = Who(name="server_name")
    entities_per_site = 2048
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = TIMER

    share = 1 / 48
    expected = (6.0, 0.2)
    """At one site in five somebody installs in a week what reports by the clock from one machine."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each hello that has a name."""
        offsets = rows["server_name"].offsets
        _fold(_columns(rows), _timer(state), offsets, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how often it calls, and since when."""
        often, vaak = say_interval(facts["interval_s"])
        calls = round(facts["calls"])
        since, sinds = "", ""
        if facts["known_days"] < 2.0:
            since = " Nobody on your network called that name before the last two days."
            sinds = " Tot twee dagen geleden belde niemand op uw netwerk met die naam."
        return Explanation(
            f"{{src}} keeps calling {{name}} like clockwork: about every {often}.",
            f"{{src}} belt met de regelmaat van de klok met {{name}}: ongeveer elke {vaak}.",
            f"It called at least {calls} times.{since} Programs that let a stranger steer a machine report "
            "like this; so does new software that tells its maker how it is used. If nobody "
            "installed anything on {src} lately, disconnect it from the network, and ask your IT supplier "
            "which program makes these calls.",
            f"Dat gebeurde minstens {calls} keer.{sinds} Programma's waarmee een vreemde een apparaat "
            "bestuurt melden zich zo; nieuwe software die haar maker vertelt hoe zij wordt gebruikt ook. "
            "Heeft niemand kort geleden iets op {src} geïnstalleerd? Koppel het dan los van het netwerk "
            "en vraag uw IT-leverancier welk programma dit doet.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    name_first: NDArray[np.int64]
    name_machines: NDArray[np.int64]
    ja4_machines: NDArray[np.int64]
    ja4_dests: NDArray[np.int64]
    orig_first: NDArray[np.int64]
    orig_news: NDArray[np.float64]


_columns, _timer = row_picker(_Rows._fields), picker(Timer._fields)


@njit(cache=True, nogil=True, inline="always")
def _of_program(acquainted, known, machines, ja4_machines, ja4_dests):  # type: ignore[no-untyped-def]
    """How much odder a timer is for a name that is new to one machine, and for a program of its own."""
    if acquainted < 3.0 * _DAY_US or machines > 1:
        return 1.0
    # a new name is a new program's or a new page's; pages are not asked by the clock for hours
    weight = 2.5 if known < 2.0 * _DAY_US else 1.0
    return weight * 3.0 if ja4_machines <= 1 and ja4_dests <= _FEW else weight


@njit_lean
def _fold(columns, timers, offsets, scores, facts):  # type: ignore[no-untyped-def]
    rows, timer = _Rows(*columns), Timer(*timers)
    for i in range(len(rows.slot)):
        e = rows.slot[i]
        if rows.fresh[i]:
            reset(timer, e)
        if offsets[i + 1] == offsets[i] or not call(timer, e, rows.time[i]):
            continue
        median, spread = pace(timer, e)
        if median <= 0.0:
            continue
        calls, hours, time = credit(timer, e, spread), hours_of(timer, e), float(rows.time[i])
        known, acquainted = time - float(rows.name_first[i]), time - float(rows.orig_first[i])
        machines = rows.name_machines[i]
        weight = 0.15 * _of_program(
            acquainted, known, machines, rows.ja4_machines[i], rows.ja4_dests[i]
        )
        weight *= strangeness(float(machines), known, acquainted, rows.orig_news[i])
        scores[i] = math.log2(1.0 + calls * weight * long_and_fast(hours, median))
        facts[i, 0] = median
        facts[i, 1] = spread
        facts[i, 2] = timer.calls[e]
        facts[i, 3] = hours
        facts[i, 4] = max(known, 0.0) / _DAY_US
