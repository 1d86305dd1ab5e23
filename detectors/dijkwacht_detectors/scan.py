"""Scanning: one machine knocks on many doors, and most stay shut.

Looks at the first part of every flow and asks: is this (address, port) new for its originator, and
did anyone answer? Ordinary programs are told where to go, so nearly all of their first contacts
succeed (Jung, Paxson et al., "Fast portscan detection using sequential hypothesis testing", 2004);
a scanner guesses. The score is log₂ of the number of new targets that failed, counted for less
where most of its new targets answer.

Limits: peer-to-peer programs also try dead addresses, each at another port; so outside the site
failures count fully only if they keep to one port or one host. Multicast, ICMP errors, traceroute's
ports and answers whose question was not seen are no knocking. A scan of open doors only, each left
without a byte, counts for half.

>>> from dijkwacht_detectors.checks import score_rows
>>> knocks = [{"resp_p": port, "conn_state": 4, "local_resp": 1} for port in range(1, 101)]
>>> float(score_rows(Scan(), knocks)[-1].round(1))
6.6
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numba import njit

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_no_host
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.novelty import is_new

_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_SYN, _RST = 2, 4
_END = 2
_S0, _REJ, _RSTOS0, _SH = 1, 4, 9, 11


class Scan(RowDetector):
    """Many new targets of one originator that refuse, stay silent or are left at once."""

    name = "scan"
    table = "flows"
    reads = (
        "part", "state", "resp_h", "orig_p", "resp_p", "proto", "conn_state", "resp_flags",
        "orig_bytes", "resp_pkts", "resp_bytes", "local_resp",
    )  # fmt: skip
    entity: ClassVar[Entity] = "orig"
    kind = "scan"
    technique = "T1046"
    facts = ("failed_targets", "failed_share", "host_share", "port_share")
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "failed": ("f4", ()),
        "answered": ("f4", ()),
        "hosts": ("f4", (16,)),
        "ports": ("f4", (16,)),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
    }

    share = 1 / 12
    expected = (3.2, 0.5)
    half_life_s = 3600.0
    """Long enough for a scan of one probe a minute."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each new target that failed."""
        _fold(
            rows.time, rows.slot, rows.fresh, rows["part"], rows["state"], rows["resp_h"],
            rows["orig_p"], rows["resp_p"], rows["proto"], rows["conn_state"],
            rows["resp_flags"], rows["orig_bytes"], rows["resp_pkts"], rows["resp_bytes"],
            rows["local_resp"], state["last"], state["failed"], state["answered"], state["hosts"],
            state["ports"], state["seen"], state["held"], self.half_life_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say whether doors of one machine were tried, or doors of many machines."""
        many = round(facts["failed_targets"])
        meaning = (
            "Someone who knocks on every door wants to know which one opens. If you or your IT "
            "supplier are not testing the network now, disconnect {src} and have it looked at. "
            "If {src} is not one of your own devices, have your supplier block it."
        )
        betekenis = (
            "Wie aan elke deur voelt, wil weten welke er open gaat. Test u of uw IT-leverancier "
            "nu niet zelf het netwerk, koppel {src} dan los en laat er iemand naar kijken. "
            "Is {src} geen apparaat van uzelf, laat uw leverancier het dan blokkeren."
        )
        if facts["host_share"] >= 0.5:
            return Explanation(
                f"{{src}} tried about {many} doors of {{dst}} that stayed shut.",
                f"{{src}} voelde aan ongeveer {many} deuren van {{dst}} die dicht bleven.",
                meaning,
                betekenis,
            )
        return Explanation(
            f"{{src}} knocked on about {many} doors that stayed shut, of {{dst}} among others.",
            f"{{src}} voelde aan ongeveer {many} deuren die dicht bleven, onder meer van {{dst}}.",
            meaning,
            betekenis,
        )


@njit(cache=True, nogil=True, inline="always")
def _is_peer(port):  # type: ignore[no-untyped-def]
    """Usual ports of programs whose peers come and go: file sharing and crypto-coins."""
    return port in (
        411, 412, 1214, 2234, 4001, 4661, 4662, 4672, 6346, 6347, 6699, 6969, 8333, 9333, 9735,
        16881, 18080, 30303, 51413,
    ) or 6881 <= port <= 6999  # fmt: skip


@njit(cache=True, nogil=True, inline="always")
def _knock(  # type: ignore[no-untyped-def]  # noqa: PLR0911  # one line a rule
    local_resp,
    proto,
    part_state,
    conn,
    orig_p,
    resp_p,
    resp_flags,
    orig_bytes,
    resp_pkts,
    resp_bytes,
):
    """How much a first contact failed: 1 fully, 0 not, below 0 it is no contact at all."""
    empty = orig_bytes == 0 and resp_bytes == 0
    if proto == _TCP:
        if conn in (_S0, _REJ, _RSTOS0, _SH):
            return 1.0 if local_resp or not _is_peer(resp_p) else 0.25
        if conn == 0:  # its beginning was not seen, or it never had one: FIN, NULL and ACK scans
            if not empty:
                return -1.0
            if resp_pkts == 0 or resp_flags & _RST:
                return 1.0 if part_state == _END else 0.5
            return -1.0
        return 0.5 if empty and part_state == _END else 0.0
    if proto == _UDP:
        if resp_pkts or resp_bytes:
            return 0.0
        if orig_p < 1024 <= resp_p:
            return -1.0  # an answer whose question was not seen
        if 33434 <= resp_p <= 33600:
            return 0.1  # traceroute's ports
        # games, calls and peer-to-peer try servers outside that way and expect silence
        if local_resp:
            return 1.0
        return 0.05 if _is_peer(resp_p) else 0.25
    if proto in (_ICMP, _ICMP6):
        if orig_p != 128 if proto == _ICMP6 else orig_p not in (8, 13, 17):
            return -1.0
        # few programs ping, fewer ping their neighbours: an answer tells the pinger enough
        weight = 2.0 if local_resp else 1.0
        return 0.75 * weight if resp_pkts else weight
    return 0.0 if resp_pkts else 1.0  # protocol scans


@njit(cache=True, nogil=True)
def _fold(  # type: ignore[no-untyped-def]
    time, slot, fresh, part, part_state, resp_h, orig_p, resp_p, proto, conn,
    resp_flags, orig_bytes, resp_pkts, resp_bytes, local_resp, last, failed, answered, hosts,
    ports, seen, held, half_life, scores, facts,
):  # fmt: skip
    one = np.uint64(1)
    for i in range(len(time)):
        e = slot[i]
        if fresh[i]:
            last[e] = time[i]
            failed[e] = 0.0
            answered[e] = 0.0
            hosts[e] = 0.0
            ports[e] = 0.0
            seen[e] = 0
            held[e] = 0
        if part[i] > 0:
            if part[i] == 1 and proto[i] == _TCP and resp_flags[i] & _SYN and conn[i] != _REJ:
                if failed[e] >= 1.0:  # it was slow to answer, but it did
                    failed[e] -= 1.0
                answered[e] += 1.0
            continue
        high, low = resp_h[i, 0], resp_h[i, 1]
        if is_no_host(high, low):
            continue
        outcome = _knock(
            local_resp[i], proto[i], part_state[i], conn[i], orig_p[i], resp_p[i], resp_flags[i],
            orig_bytes[i], resp_pkts[i], resp_bytes[i],
        )  # fmt: skip
        if outcome < 0.0:
            continue
        host = mix(high, low)
        is_icmp = proto[i] == _ICMP or proto[i] == _ICMP6
        door = np.uint64(proto[i]) << np.uint64(16)
        if not is_icmp:
            door |= np.uint64(resp_p[i]) & np.uint64(0xFFFF)
        key = mix(host, door)
        if not is_new(seen, held, e, key):
            continue
        elapsed = time[i] - last[e]
        if elapsed > 1_000_000:
            kept = remaining(elapsed, half_life)
            failed[e] *= kept
            answered[e] *= kept
            for k in range(16):
                hosts[e, k] *= kept
                ports[e, k] *= kept
            last[e] = time[i]
        if outcome == 0.0:
            answered[e] += 1.0
            continue
        h, p = (host >> np.uint64(20)) & np.uint64(15), mix(door, one) & np.uint64(15)
        failed[e] += outcome
        hosts[e, h] += outcome
        ports[e, p] += outcome
        f = failed[e]
        host_share, port_share = min(1.0, hosts[e, h] / f), min(1.0, ports[e, p] / f)
        order = 1.0
        if not local_resp[i]:
            order = min(1.0, max(0.05, 2.0 * max(host_share, port_share) - 0.4))
        failed_share = f / (f + 0.5 * answered[e])
        scores[i] = math.log2(1.0 + f * failed_share * order)
        facts[i, 0], facts[i, 1], facts[i, 2], facts[i, 3] = f, failed_share, host_share, port_share
