"""DHCP flooding and scanning: so many clients ask for an address that the pool runs out.

Looks at requests of clients that were not seen before, a site at a time: a hardware address with
the address it has or wants. Visitors come one by one; a starvation tool invents a new client, or a
new address of the same client, with every packet. The score is log₂ of the new clients of the last
minutes, or of all their messages over four if that is more.

Limits: after a power cut all devices ask at once, each known from before unless the site is new;
phones that change their hardware address daily are new clients again, but one by one.

>>> from dijkwacht_detectors.checks import score_rows
>>> asks = [{"time": n * 10_000, "client_mac": n, "msg_type": 1} for n in range(1, 201)]
>>> float(score_rows(DhcpFlood(), asks)[-1].round(1))
7.6
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
from dijkwacht_detectors.state.novelty import is_new


class DhcpFlood(RowDetector):
    """New clients that ask for an address, within minutes."""

    name = "dhcp_flood"
    table = "dhcp"
    reads = ("client_mac", "msg_type", "client_h", "requested_h")
    entity: ClassVar[Entity] = "site"
    kind = "dhcp"
    technique = "T1499"
    facts = ("new_clients", "messages")
    who = Who(src="client_h", mac="client_mac", dst="server_h", port="", name="host_name")
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "agent"
    entities_per_site = 1
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "clients": ("f4", ()),
        "messages": ("f4", ()),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
    }

    share = 6 / 240
    expected = (4.0, 1.0)
    half_life_s = 120.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each request."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how many asked."""
        many = round(facts["new_clients"])
        return Explanation(
            f"About {many} unknown devices asked your network for an address within minutes.",
            f"Ongeveer {many} onbekende apparaten vroegen binnen enkele minuten om een adres.",
            "So many visitors are unlikely: one device may pretend to be all of them, so that nobody "
            "else gets in. If the power was out just now, this is normal. Otherwise disconnect "
            "guests' devices until it stops.",
            "Zoveel bezoekers is onwaarschijnlijk: mogelijk doet één apparaat zich voor als al deze, "
            "zodat niemand anders er nog op kan. Was er zojuist een stroomstoring, dan is dit normaal. "
            "Koppel anders apparaten van gasten los tot het stopt.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    client_mac: NDArray[np.int64]
    msg_type: NDArray[np.int64]
    client_h: NDArray[np.uint64]
    requested_h: NDArray[np.uint64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    clients: NDArray[np.float32]
    messages: NDArray[np.float32]
    seen: NDArray[np.uint64]
    held: NDArray[np.int32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.clients[e] = state.messages[e] = 0.0
            state.seen[e] = 0
            state.held[e] = 0
        if rows.msg_type[i] not in (1, 3, 8):  # discover, request, inform
            continue
        kept = remaining(t - state.last[e], half_life)
        state.last[e] = t
        state.messages[e] = state.messages[e] * kept + 1.0
        state.clients[e] *= kept
        key = mix(np.uint64(rows.client_mac[i]), mix(rows.client_h[i, 1], rows.requested_h[i, 1]))
        if is_new(state.seen, state.held, e, key):
            state.clients[e] += 1.0
        scores[i] = math.log2(1.0 + max(state.clients[e], state.messages[e] / 4.0))
        facts[i, 0], facts[i, 1] = state.clients[e], state.messages[e]
