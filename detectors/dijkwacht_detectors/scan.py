"""Scanning: one machine tries many addresses and ports, and most refuse or do not answer.

Looks at the first part of every flow and asks: is this (address, port) new for its originator, and
did anyone answer? Ordinary programs are told where to go, so nearly all of their first contacts
succeed (Jung, Paxson et al., "Fast portscan detection using sequential hypothesis testing", 2004);
a scanner guesses. The score is log₂ of the number of new targets that failed, counted for less
where most of its new targets answer.

Limits: peer-to-peer programs also try dead addresses, each at another port; so outside the site
failures count fully only if they keep to one port or one host, for less (cubed) where many answer, and an eighth
where DNS had named the address: mail servers try hosts that are gone for days, and guess none. Datagrams to a port
at which no service is looked for count a tenth, unless they try one host port after port: private networks of
colleagues' machines (a mesh), calls and games knock so at every address that a peer may have, private ones too. Multicast, ICMP errors and answers
whose request was not seen are no first contacts, and traceroute's ports hardly count. A scan of open
ports only, each reset without a byte, counts for half, and for less where each is closed in good order:
so are FTP's data connections for empty folders. Of attempts that the agent only counts (`floods`), pings
are left out: their kind is not told.

Tools write their SYNs themselves: with a window of 1,024 to 4,096 and no options but a segment size, or with the
target's address for a sequence number. What fails and was asked so counts thrice; what is answered counts nothing,
so that a shape alone, which small devices come near to, says nothing.

>>> from dijkwacht_detectors.checks import score_rows
>>> probes = [{"table": "flows", "resp_p": port, "conn_state": 4, "local_resp": 1} for port in range(1, 101)]
>>> float(score_rows(Scan(), probes)[-1].round(1))
6.6
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, Reads, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_no_host
from dijkwacht_detectors.knowledge.datagrams import SERVICES
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.novelty import is_new
from dijkwacht_records.hints import (
    NAMED,
    OPTIONS,
    SEQ_IS_DST,
    WINDOW,
    Named,
    SynOptions,
    SynWindow,
)

_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_FIN, _SYN, _RST = 1, 2, 4
_END = 2
_S0, _REJ, _RSTOS0, _SH = 1, 4, 9, 11
_NAMED_SHIFT, _NAMED_MASK = NAMED.shift, (1 << NAMED.width) - 1
_LED_THERE = (int(Named.BY_ORIG), int(Named.BY_OTHER))
_TOLD = 0.125
_SYN_MASK = OPTIONS.put((1 << OPTIONS.width) - 1) | WINDOW.put((1 << WINDOW.width) - 1)
_TOOLS = tuple(
    OPTIONS.put(options) | WINDOW.put(SynWindow.SCANNER)
    for options in (SynOptions.NONE, SynOptions.FOUR)
)
_AIMED = SEQ_IS_DST.put(1)
_MORE_OF_A_TOOL = 2.0
"""What a failure counts on top if a tool wrote its SYN."""
_PEERS = 0.1
"""Of a datagram by which programs find each other."""


class Scan(RowDetector):
    """Many new targets of one originator that refuse, do not answer, or are left without a byte."""

    name = "scan"
    reads: ClassVar[Reads] = {
        "flows": (
            "part", "state", "resp_h", "orig_p", "resp_p", "proto", "conn_state", "orig_flags",
            "resp_flags", "orig_bytes", "resp_pkts", "resp_bytes", "local_resp", "hints",
        ),
        "floods": ("resp_h", "resp_p", "proto", "flows", "origs", "resps", "local_resp"),
    }  # fmt: skip
    entity: ClassVar[Entity] = "orig"
    kind = "scan"
    technique = "T1046"
    facts = ("failed_targets", "failed_share", "host_share", "port_share", "tool_share")
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "failed": ("f4", ()),
        "answered": ("f4", ()),
        "by_tool": ("f4", ()),
        "hosts": ("f4", (16,)),
        "ports": ("f4", (16,)),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
    }

    share = 1 / 30
    expected = (3.2, 0.5)
    half_life_s = 3600.0
    """Long enough for a scan of one probe a minute."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each new target that failed."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say whether ports of one machine were tried, or of many machines."""
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
        411, 412, 1214, 2234, 4001, 4661, 4662, 4672, 6346, 6347, 6699, 6969, 7680, 8333, 9333, 9735,
        16881, 18080, 30303, 51413,
    ) or 6881 <= port <= 6999  # fmt: skip


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    state: NDArray[np.int64]
    resp_h: NDArray[np.uint64]
    orig_p: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    conn_state: NDArray[np.int64]
    orig_flags: NDArray[np.int64]
    resp_flags: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_pkts: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    flows: NDArray[np.int64]
    origs: NDArray[np.int64]
    resps: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    failed: NDArray[np.float32]
    answered: NDArray[np.float32]
    by_tool: NDArray[np.float32]
    hosts: NDArray[np.float32]
    ports: NDArray[np.float32]
    seen: NDArray[np.uint64]
    held: NDArray[np.int32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _tcp_failure(  # type: ignore[no-untyped-def]
    conn, resp_p, orig_flags, resp_flags, resp_pkts, empty, ended, local_resp
):
    """How far a first contact failed: 1 fully, 0 not; below 0 it is no first contact."""
    if conn in (_S0, _REJ, _RSTOS0, _SH):
        return 1.0 if local_resp or not _is_peer(resp_p) else 0.25
    if conn == 0:  # its beginning was not seen, or it never had one: FIN, NULL and ACK scans
        if empty and (resp_pkts == 0 or resp_flags & _RST):
            return 1.0 if ended else 0.5
        return -1.0
    if not empty or not ended:
        return 0.0
    return 0.125 if orig_flags & (_FIN | _RST) == _FIN else 0.5


@njit(cache=True, nogil=True, inline="always")
def _udp_failure(orig_p, resp_p, answered, local_resp):  # type: ignore[no-untyped-def]
    """As `_tcp_failure`."""
    if answered:
        return 0.0
    if orig_p < 1024 <= resp_p:
        return -1.0  # an answer whose request was not seen
    if 33434 <= resp_p <= 33600:
        return 0.1  # traceroute's ports
    # games, calls and peer-to-peer try outside servers so, and expect that some do not answer
    if local_resp:
        return 1.0
    return 0.05 if _is_peer(resp_p) else 0.25


@njit(cache=True, nogil=True, inline="always")
def _icmp_failure(proto, message, answered, local_resp):  # type: ignore[no-untyped-def]
    """As `_tcp_failure`; ``message`` is the ICMP type, of which only requests are a contact."""
    if message != 128 if proto == _ICMP6 else message not in (8, 13, 17):
        return -1.0
    # few programs ping, fewer ping their neighbours: an answer tells the pinger enough
    weight = 2.0 if local_resp else 1.0
    return 0.75 * weight if answered else weight


@njit(cache=True, nogil=True, inline="always")
def _targets(flows, resps, resp_p):  # type: ignore[no-untyped-def]
    """How many targets a row of `floods` stands for: beyond 64 addresses, and of ports, none are counted."""
    many = flows if resp_p == 0 or resps >= 64 else min(flows, max(resps, 1))
    return float(min(many, 1_000_000))


@njit(cache=True, nogil=True, inline="always")
def _is_of_a_tool(hints):  # type: ignore[no-untyped-def]
    """Whether a SYN was not written by a system."""
    return hints & _AIMED != 0 or hints & _SYN_MASK in _TOOLS


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    one = np.uint64(1)
    for i in range(len(rows.time)):
        e, t, proto = rows.slot[i], rows.time[i], rows.proto[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.failed[e] = 0.0
            state.answered[e] = 0.0
            state.by_tool[e] = 0.0
            state.hosts[e] = 0.0
            state.ports[e] = 0.0
            state.seen[e] = 0
            state.held[e] = 0
        if rows.part[i] > 0:
            synced = proto == _TCP and rows.resp_flags[i] & _SYN
            if rows.part[i] == 1 and synced and rows.conn_state[i] != _REJ:
                if state.failed[e] >= 1.0:  # it was slow to answer, but it did
                    state.failed[e] -= 1.0
                state.answered[e] += 1.0
            continue
        high, low = rows.resp_h[i, 0], rows.resp_h[i, 1]
        counted = rows.flows[i] > 0  # a row of `floods`: many attempts, none of them answered
        several = rows.resps[i] > 1
        if rows.origs[i] > 1 or (not several and is_no_host(high, low)):
            continue
        orig_p, resp_p, local_resp = rows.orig_p[i], rows.resp_p[i], rows.local_resp[i]
        resp_pkts, resp_bytes = rows.resp_pkts[i], rows.resp_bytes[i]
        is_icmp = proto in (_ICMP, _ICMP6)
        if counted:
            if is_icmp:
                continue  # of what kind is not told
            conn = _S0 if proto == _TCP else 0
            failure = (
                _tcp_failure(conn, resp_p, 0, 0, 0, True, True, local_resp) if proto == _TCP
                else _udp_failure(65535, resp_p, False, local_resp)
            )  # fmt: skip
            failure *= _targets(rows.flows[i], rows.resps[i], resp_p)
        elif proto == _TCP:
            failure = _tcp_failure(
                rows.conn_state[i], resp_p, rows.orig_flags[i], rows.resp_flags[i], resp_pkts,
                rows.orig_bytes[i] == 0 and resp_bytes == 0, rows.state[i] == _END, local_resp,
            )  # fmt: skip
        elif proto == _UDP:
            failure = _udp_failure(orig_p, resp_p, resp_pkts or resp_bytes, local_resp)
        elif is_icmp:
            failure = _icmp_failure(proto, orig_p, resp_pkts, local_resp)
        else:
            failure = 0.0 if resp_pkts else 1.0  # protocol scans
        if failure < 0.0:
            continue
        host = mix(high, low)
        service = np.uint64(proto) << np.uint64(16)
        if not is_icmp:
            service |= np.uint64(resp_p) & np.uint64(0xFFFF)
        key = mix(host, service)
        if not several and not is_new(state.seen, state.held, e, key):
            continue
        elapsed = t - state.last[e]
        if elapsed > 1_000_000:
            kept = remaining(elapsed, half_life)
            state.failed[e] *= kept
            state.answered[e] *= kept
            state.by_tool[e] *= kept
            for k in range(16):
                state.hosts[e, k] *= kept
                state.ports[e, k] *= kept
            state.last[e] = t
        if failure == 0.0:
            state.answered[e] += 1.0
            continue
        h, p = (host >> np.uint64(20)) & np.uint64(15), mix(service, one) & np.uint64(15)
        told = not local_resp and (rows.hints[i] >> _NAMED_SHIFT) & _NAMED_MASK in _LED_THERE
        knocks = proto == _UDP and not SERVICES[resp_p & 0xFFFF]
        # unless this is the one host of which port after port is tried
        if (told or knocks) and state.hosts[e, h] + failure <= 0.5 * (state.failed[e] + failure):
            if knocks:
                failure = min(failure, _PEERS)
            if told:
                failure *= _TOLD
        state.failed[e] += failure
        if proto == _TCP and _is_of_a_tool(rows.hints[i]):
            state.by_tool[e] += failure
        state.hosts[e, h] += failure
        state.ports[e, p] += failure
        f = state.failed[e]
        host_share, port_share = min(1.0, state.hosts[e, h] / f), min(1.0, state.ports[e, p] / f)
        order = 1.0
        failed_share = f / (f + 0.5 * state.answered[e])
        if not local_resp:
            order = min(1.0, max(0.05, 2.0 * max(host_share, port_share) - 0.4)) * failed_share**2
        tool_share = min(1.0, state.by_tool[e] / f)
        weight = f * (1.0 + _MORE_OF_A_TOOL * tool_share)
        scores[i] = math.log2(1.0 + weight * failed_share * order)
        facts[i, 0], facts[i, 1], facts[i, 2], facts[i, 3] = f, failed_share, host_share, port_share
        facts[i, 4] = tool_share
