"""Patient search of the networks inside: one machine calls, little by little, addresses that nobody has.

Looks at calls from a machine inside to addresses inside that nobody answered and from which nothing was heard
in 30 to 60 days: how many different ones did it try within one to two weeks? A program is told where to
go, and of those addresses few are gone; a search guesses, and most of what it guesses is dark. At an address a
minute that takes half an hour, at one an hour a day and a half. The score is log₂(1 + that number), of which
less counts in the first hours of a site, when silence means nothing yet (half after an hour).

Who calls one dead server for ever calls one address. Who tries many at once counts twelve, and four more
a minute: that is `scan`'s. An address that is heard later, as a machine that wakes up, is taken back. Datagrams to a port at which no
service is looked for count nothing: calls, games and private networks of colleagues' machines (a mesh) knock so at
every private address that a peer may have.

Limits: in the machine's own network an address that nobody has is asked for by ARP and never called; that is
`dark_neighbours`'. Only what crosses the sensor is seen: between networks, where the router is watched. A machine
that is off for a day is forgotten. A firewall that refuses in the name of others makes their addresses look alive;
a sensor that sees one direction only makes servers look dark that never call. Searches beyond the site are `scan`'s
alone. Some 0.6 KB a machine that tried a dark address.

>>> import numpy as np
>>> from dijkwacht_detectors.checks import score_rows
>>> calls = [{"time": 120_000_000 * n, "resp_h": n, "resp_p": 445, "conn_state": 1, "local_resp": 1}
...          for n in range(2, 66)]
>>> float(np.nanmax(score_rows(DarkAddresses(), calls)).round(1))
5.5
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_no_host, is_private
from dijkwacht_detectors.knowledge.datagrams import SERVICES
from dijkwacht_detectors.state.dark_space import DARK_SPACE, forget, hear, known, tried_dark, watch
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_records.tables import ConnState

_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_TRIED: Final = tuple(int(c) for c in (ConnState.S0, ConnState.RSTOS0, ConnState.SH))
_HOUR_US = 3_600e6


class DarkAddresses(RowDetector):
    """Addresses inside that nobody has, and that one machine called."""

    name = "dark_addresses"
    table = "flows"
    reads = (
        "part", "orig_h", "resp_h", "orig_p", "resp_p", "proto", "conn_state", "resp_pkts", "local_orig",
        "local_resp",
    )  # fmt: skip
    entity: ClassVar[Entity] = "orig"
    kind = "scan"
    technique = "T1018"
    facts = ("dark_addresses", "dark_hours")
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = DARK_SPACE

    share = 1 / 120
    expected = (3.8, 0.1)
    """In a week of ten a laptop looks for a dozen more servers of its other office than any does here."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score a dark address that is called for the first time, if there are a fifth more than were scored."""
        _fold(_columns(rows), rows.site, _memory(state), scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how many addresses it tried, and in what time."""
        many = max(2, round(facts["dark_addresses"]))
        hours = max(1, round(facts["dark_hours"]))
        return Explanation(
            f"{{src}} tried about {many} addresses of your networks that no device has, over {hours} h.",
            f"{{src}} probeerde in {hours} uur ongeveer {many} adressen van uw netwerken die geen enkel apparaat heeft.",
            "Whoever searches a network so slowly does not want to be noticed. Inventory and monitoring programs "
            "can do so too. If nobody you know has set up such a program on {src}, disconnect {src} and have it "
            "looked at.",
            "Wie een netwerk zo langzaam afzoekt, wil niet opvallen. Inventarisatie- en bewakingsprogramma's doen "
            "het soms ook. Heeft niemand die u kent zo'n programma op {src} gezet, koppel {src} dan los en laat er "
            "iemand naar kijken.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    orig_p: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    conn_state: NDArray[np.int64]
    resp_pkts: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]


class _State(NamedTuple):
    begun: NDArray[np.int64]
    turned: NDArray[np.int64]
    at: NDArray[np.int64]
    spare: NDArray[np.float32]
    told: NDArray[np.float32]
    pooled_place: NDArray[np.int32]
    pooled_used: NDArray[np.int32]
    pooled_tried: NDArray[np.uint64]
    pooled_counted: NDArray[np.uint64]
    samples_heard: NDArray[np.uint64]
    samples_turned: NDArray[np.int64]
    samples_watched: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _is_try(proto, conn_state, orig_p, resp_p):  # type: ignore[no-untyped-def]
    """Whether an unanswered flow was a call, and not the half of one whose begin was not seen."""
    if proto == _TCP:
        return conn_state in _TRIED
    if proto == _UDP:
        return SERVICES[resp_p & 0xFFFF] and not orig_p < 1024 <= resp_p
    if proto == _ICMP:
        return orig_p in (8, 13, 17)
    return proto != _ICMP6 or orig_p == 128


@njit_lean
def _fold(columns, sites, memory, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t, site = rows.slot[i], rows.time[i], sites[i]
        if rows.fresh[i]:
            forget(state, e, t)
        watch(state, site, t)
        inside = rows.local_resp[i] or is_private(rows.resp_h[i, 0], rows.resp_h[i, 1])
        if rows.local_orig[i]:
            hear(state, site, rows.orig_h[i, 0], rows.orig_h[i, 1])
        if not inside:
            continue
        target = rows.resp_h[i, 0], rows.resp_h[i, 1]
        if rows.resp_pkts[i] > 0:
            hear(state, site, target[0], target[1])
            continue
        if rows.part[i] != 0 or not rows.local_orig[i] or is_no_host(target[0], target[1]):
            continue
        if not _is_try(rows.proto[i], rows.conn_state[i], rows.orig_p[i], rows.resp_p[i]):
            continue
        dark = tried_dark(state, e, site, t, target)
        if dark > 0.0:
            scores[i] = math.log2(1.0 + dark * known(state, site, t))
            facts[i, 0], facts[i, 1] = dark, (t - state.begun[e]) / _HOUR_US
