"""Amplification: unsolicited answers arrive, from services whose answers are large.

Whoever floods this way sends requests to many open services (SNMP, NTP, DNS, memcached ...) with the
victim's address as source, and the answers go there. A meter that knows such a service by its port
makes it the responder of a flow in which the originator sent nothing. Looks at those flows of each
originator, within seconds, from many responders. The score is log₂ of the answers.

Limits: to a sensor that sees one direction only, every answer is unsolicited; those of ordinary use
come a few in a second. Where the meter could not tell the service, `flood` sees the same.

>>> from dijkwacht_detectors.checks import score_rows
>>> answers = [{"time": n * 1000, "resp_h": n, "resp_p": 161, "proto": 17, "orig_pkts": 0,
...             "resp_pkts": 1, "resp_bytes": 1300} for n in range(2, 514)]
>>> float(score_rows(Amplification(), answers)[-1].round(1))
8.9
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker

_UDP = 17


class Amplification(RowDetector):
    """Unsolicited answers over UDP to one machine, from many."""

    name = "amplification"
    table = "flows"
    reads = (
        "part", "resp_h", "resp_p", "proto", "orig_pkts", "resp_pkts", "orig_bytes", "resp_bytes",
    )  # fmt: skip
    entity: ClassVar[Entity] = "orig"
    kind = "dos"
    technique = "T1498.002"
    who = Who(src="resp_h", dst="orig_h", port="resp_p")
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "dst"
    facts = ("answers", "bytes", "one_source")
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "answers": ("f4", ()),
        "bytes": ("f4", ()),
        "source": ("u8", ()),
        "votes": ("f4", ()),
    }

    share = 5 / 240
    expected = (4.0, 1.0)
    half_life_s = 5.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each unsolicited answer."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how many answers came."""
        many = round(facts["answers"])
        return Explanation(
            f"{{dst}} is flooded with answers that it never asked for: {many} in seconds.",
            f"{{dst}} wordt overspoeld met antwoorden waar het niet om vroeg: {many} in enkele seconden.",
            "Someone uses other people's computers to fill your line. Ask your internet provider to "
            "filter this traffic (they see where it comes from), and pay nobody who offers to make "
            "it stop.",
            "Iemand gebruikt computers van anderen om uw lijn te vullen. Vraag uw internetprovider dit "
            "verkeer te filteren (die ziet waar het vandaan komt) en betaal niemand die aanbiedt het "
            "te laten stoppen.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    resp_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    orig_pkts: NDArray[np.int64]
    resp_pkts: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    answers: NDArray[np.float32]
    bytes: NDArray[np.float32]
    source: NDArray[np.uint64]
    votes: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.answers[e] = state.bytes[e] = state.votes[e] = 0.0
            state.source[e] = 0
        if rows.proto[i] != _UDP or rows.part[i] != 0 or rows.resp_p[i] > 49151:
            continue
        asked = rows.orig_pkts[i] > 0 or rows.orig_bytes[i] > 0
        if asked or rows.resp_pkts[i] <= 0:
            continue
        kept = remaining(t - state.last[e], half_life)
        state.last[e] = t
        many = min(rows.resp_pkts[i], 1_000_000)
        state.answers[e] = state.answers[e] * kept + many
        state.bytes[e] = state.bytes[e] * kept + min(max(rows.resp_bytes[i], 0), 1_000_000_000)
        state.votes[e] *= kept
        who = mix(rows.resp_h[i, 0], rows.resp_h[i, 1])
        if state.source[e] == who:
            state.votes[e] += many
        elif state.votes[e] < many:
            state.source[e] = who
            state.votes[e] = many
        else:
            state.votes[e] -= many
        # many answers of one server: the capture began after the request
        spread = max(0.0, state.answers[e] - state.votes[e])
        scores[i] = math.log2(1.0 + spread + 0.1 * state.votes[e])
        facts[i, 0], facts[i, 1], facts[i, 2] = state.answers[e], state.bytes[e], state.votes[e]
