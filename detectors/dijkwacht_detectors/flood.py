"""Flooding: so much arrives at one machine that ordinary visitors no longer get through.

Looks at what arrives unanswered at each responder, within seconds: new flows to one port, new flows
from many sources at once (forged ones, or a botnet), and packets without end. The score is log₂ of
that; fifty packets a second weigh as much as one new flow.

Limits: one source trying many ports is scanning, and left to `scan`. Large downloads and calls are
answered; a camera that streams one way weighs as its packet rate, which is far below a flood's.
What is sent to groups, or to a whole subnet, arrives at nobody in particular.
Answered requests count for a tenth, so a flood of whole web requests must be ten times as large.

>>> from dijkwacht_detectors.checks import score_rows
>>> syns = [{"table": "flows", "time": i * 1000, "orig_h": i, "resp_p": 80, "conn_state": 1}
...         for i in range(1, 2001)]
>>> float(score_rows(Flood(), syns)[-1].round(1))
10.8
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, Reads, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_no_host
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker

_ICMP, _TCP, _UDP = 1, 6, 17
_PACKETS_A_FLOW = 50.0
_S0, _REJ = 1, 4


class Flood(RowDetector):
    """Unanswered flows and packets at one responder, within seconds."""

    name = "flood"
    reads: ClassVar[Reads] = {
        "flows": (
            "part", "start", "orig_h", "resp_h", "resp_p", "proto", "conn_state", "orig_pkts",
            "resp_pkts", "resp_bytes",
        ),
        "floods": (
            "start", "orig_h", "resp_h", "resp_p", "proto", "flows", "origs", "resps", "orig_pkts",
        ),
    }  # fmt: skip
    entity: ClassVar[Entity] = "resp"
    kind = "dos"
    technique = "T1498"
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "dst"
    facts = ("unanswered_flows", "packets_per_s", "other_sources")
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "flows": ("f4", ()),
        "packets": ("f4", ()),
        "port": ("i4", ()),
        "port_votes": ("f4", ()),
        "source": ("u8", ()),
        "source_votes": ("f4", ()),
    }

    share = 7 / 240
    expected = (4.4, 1.0)
    half_life_s = 5.0
    """A flood shows within seconds, and a burst of an application is over by then."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each part that was not answered."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how many new connections came."""
        many = round(max(facts["unanswered_flows"], facts["packets_per_s"]))
        own, eigen = _OWN
        if facts["other_sources"] >= facts["unanswered_flows"] > 0:  # none that stands out
            title = f"{{dst}} is flooded with traffic from many sides: {many} attempts in seconds."
            titel = f"{{dst}} wordt van vele kanten overspoeld met verkeer: {many} pogingen in enkele seconden."
            own = eigen = ""
        elif facts["other_sources"] < 1.0:
            title = f"{{src}} floods {{dst}} with traffic: {many} attempts in seconds."
            titel = f"{{src}} overspoelt {{dst}} met verkeer: {many} pogingen in enkele seconden."
        else:
            title = f"{{dst}} is flooded with traffic, from {{src}} among others: {many} attempts in seconds."
            titel = f"{{dst}} wordt overspoeld met verkeer, onder meer van {{src}}: {many} pogingen in enkele seconden."
        return Explanation(
            title,
            titel,
            f"Your line or {{dst}} can become so busy that nothing else works. {own}If it comes from the "
            "internet, ask your internet provider to filter this traffic: they see where it comes from. "
            "Do not pay whoever offers to make it stop.",
            f"Uw lijn of {{dst}} kan zo druk worden dat niets anders meer werkt. {eigen}Komt het van internet, "
            "vraag uw internetprovider dan dit verkeer te filteren: die ziet waar het vandaan komt. Betaal "
            "niemand die aanbiedt het te laten stoppen.",
        )


_OWN = (
    "If {src} is a device of yours, disconnect it from the network and have it looked at. ",
    "Is {src} een apparaat van u, haal het dan van het netwerk en laat ernaar kijken. ",
)
"""What to do about one source that stands out."""


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    start: NDArray[np.int64]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    conn_state: NDArray[np.int64]
    orig_pkts: NDArray[np.int64]
    resp_pkts: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    flows: NDArray[np.int64]
    origs: NDArray[np.int64]
    resps: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    flows: NDArray[np.float32]
    packets: NDArray[np.float32]
    port: NDArray[np.int32]
    port_votes: NDArray[np.float32]
    source: NDArray[np.uint64]
    source_votes: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t, first, proto = rows.slot[i], rows.time[i], rows.part[i] == 0, rows.proto[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.flows[e] = state.packets[e] = state.port_votes[e] = state.source_votes[e] = 0.0
            state.port[e] = -1
            state.source[e] = 0
        # a row of `floods` stands for many flows, of which each is the first part
        many = min(max(rows.flows[i], 1), 1_000_000)
        if rows.resps[i] > 1 or is_no_host(rows.resp_h[i, 0], rows.resp_h[i, 1]):
            continue
        elapsed = t - state.last[e]
        if elapsed > 10_000:
            kept = remaining(elapsed, half_life)
            state.flows[e] *= kept
            state.packets[e] *= kept
            state.port_votes[e] *= kept
            state.source_votes[e] *= kept
            state.last[e] = t
        unanswered = rows.resp_pkts[i] == 0 and rows.resp_bytes[i] == 0
        conn = rows.conn_state[i]
        refused = proto == _TCP and conn in (_S0, _REJ)
        if not unanswered and not refused and proto != _ICMP:
            if rows.part[i] > 0:
                continue
            state.flows[e] += 0.1
        else:
            # later parts come every 15 s and hold as much
            lasted = 15.0 if rows.part[i] > 0 else max(1.0, (t - rows.start[i]) / 1e6)
            # the first few packets of a flow are an attempt, which is counted below
            beyond = min(max(rows.orig_pkts[i] - 3 * many, 0), 1_000_000_000)
            state.packets[e] += beyond / lasted / _PACKETS_A_FLOW
            if first:
                state.flows[e] += many
                if rows.flows[i] > 0 and rows.resp_p[i] == 0 and proto in (_TCP, _UDP):
                    state.port_votes[e] = max(0.0, state.port_votes[e] - many)  # no single one
                elif state.port[e] == rows.resp_p[i]:
                    state.port_votes[e] += many
                elif state.port_votes[e] < many:
                    state.port[e] = rows.resp_p[i]
                    state.port_votes[e] = many
                else:
                    state.port_votes[e] -= many
                who = mix(rows.orig_h[i, 0], rows.orig_h[i, 1])
                if rows.origs[i] > 1:
                    state.source_votes[e] = max(0.0, state.source_votes[e] - many)
                elif state.source[e] == who:
                    state.source_votes[e] += many
                elif state.source_votes[e] < many:
                    state.source[e] = who
                    state.source_votes[e] = many
                else:
                    state.source_votes[e] -= many
        others = max(0.0, state.flows[e] - state.source_votes[e])
        scores[i] = math.log2(1.0 + max(state.port_votes[e], others, state.packets[e]))
        facts[i, 0], facts[i, 2] = state.flows[e], others
        facts[i, 1] = state.packets[e] * _PACKETS_A_FLOW
