"""Logging in across: a machine opens sessions at other machines inside where it never did before.

Looks at SSH, remote desktop, VNC and WinRM (PowerShell), by port, between two machines of the site. The first
day of such a pair counts, as far as it was a session: four kilobytes both ways. A single one is ordinary,
and several from one machine within minutes are less so. People at a small office do not use WinRM: one
command by it takes three exchanges (a session, the command, its output), which weigh as much as a command by
remote procedure call, eight; four of them count at most. The score is log₂ of what one machine
opened, three times as much if within four hours before it first called the other somebody had come into it in
the same way, or it had been commanded by remote procedure calls within the minute, and twice if both are old acquaintances of the site.
At a server, or from one, it weighs a third, and less for each earlier day on which the machine opened new ones.

Innocents: a technician who sets up devices or helps colleagues, and the PC that somebody works at from another,
stay below the line, and what a server polled before its owner logged in to it is not the visitor's doing; a management tool that logs in everywhere is told of once at most.

Limits: a pair is known after its first day, so an intruder who goes where the owner goes is not seen; guesses
are left to `bruteforce`; services on other ports are not looked at. A site takes 8 KB.

>>> from dijkwacht_detectors.checks import score_rows
>>> posts = [{"time": i * 2_000_000, "resp_h": 7, "resp_p": 5985, "proto": 6, "local_orig": 1, "local_resp": 1,
...           "orig_bytes": 9000, "resp_bytes": 6000} for i in range(4)]
>>> float(score_rows(AdminLogon(), posts)[-1].round(1))
3.5
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.shortlist import find, name_of, place_of
from dijkwacht_records.hints import CALLED_BACK

_TCP = 6
_SSH, _RDP, _VNC, _WINRM = range(4)
_SESSION_BYTES = 4000.0
_TURNED = 2000.0  # bytes both ways that a command and its answer take, with all that wraps them
_MOST_PARTS = 4.0
_PART = 8.0 / 3.0  # of a command by WinRM, of which each part is a third
_DAY_US = 86_400_000_000
_LED_US = 4 * 3_600_000_000
_LONG_AGO = -(1 << 61)
_PAIRS, _MACHINES = 128, 64  # remembered a site
_CALLED_SHIFT, _CALLED_MASK = CALLED_BACK.shift, (1 << CALLED_BACK.width) - 1


class AdminLogon(RowDetector):
    """First sessions of one machine at others inside."""

    name = "admin_logon"
    table = "flows"
    reads = (
        "orig_h", "resp_h", "resp_p", "proto", "orig_bytes", "resp_bytes", "local_orig", "local_resp",
        "hints",
    )  # fmt: skip
    context = ("orig_first", "dest_first", "orig_serves", "dest_serves")
    entity: ClassVar[Entity] = "pair"
    kind = "lateral"
    technique = "T1021.006"
    facts = ("service", "machines", "led", "evidence")
    entities_per_site = 2048
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "samples_pairs": ("u8", (_PAIRS,)),
        "samples_pair_used": ("i8", (_PAIRS,)),
        "samples_pair_first": ("i8", (_PAIRS,)),
        "samples_sent": ("f4", (_PAIRS,)),
        "samples_received": ("f4", (_PAIRS,)),
        "samples_counted": ("f4", (_PAIRS,)),
        "samples_led": ("u1", (_PAIRS,)),
        "samples_machines": ("u8", (_MACHINES,)),
        "samples_used": ("i8", (_MACHINES,)),
        "samples_last": ("i8", (_MACHINES,)),
        "samples_evidence": ("f4", (_MACHINES,)),
        "samples_targets": ("f4", (_MACHINES,)),
        "samples_reached": ("i8", (_MACHINES,)),
        "samples_day": ("i4", (_MACHINES,)),
        "samples_days": ("i4", (_MACHINES,)),
    }

    share = 1 / 24
    expected = (1.6, 0.7)
    """In seven weeks of ten somebody logs in at a machine for the first time, or at two on one day."""
    half_life_s = 1200.0
    """Who moves on does so in minutes; a console polls its servers a few times an hour."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each part that makes a first session more of one."""
        _fold(
            _columns(rows), rows.site, _memory(state), self.half_life_s * 1e6, scores, facts
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say by what means, and at how many."""
        way, weg = _WAYS.get(round(facts["service"]), _WAYS[_RDP])
        others = round(facts["machines"]) - 1
        more, meer = "", ""
        if others == 1:
            more, meer = " and to another machine", " en op nog een apparaat"
        elif others > 1:
            more, meer = f" and to {others} other machines", f" en op {others} andere apparaten"
        led, geleid = (_LED_EN, _LED_NL) if facts["led"] else ("", "")
        return Explanation(
            f"Somebody logged in from {{src}} to {{dst}}{more}, as far as is known for the first time, by {way}.",
            f"Vanaf {{src}} is, voor zover bekend voor het eerst, ingelogd op {{dst}}{meer}, via {weg}.",
            f"{led}Whoever logs in so can work there as if sitting in front of it. Ask whether a colleague or whoever looks "
            "after your computers did this today. If nobody did, disconnect {src} from the network and change "
            "the passwords that were used on it.",
            f"{geleid}Wie zo inlogt, kan daar werken alsof hij ervoor zit. Vraag of een collega of wie uw computers beheert dit "
            "vandaag deed. Zo niet: haal {src} van het netwerk en wijzig de wachtwoorden die erop gebruikt zijn.",
            _TECHNIQUES.get(round(facts["service"]), self.technique),
        )


_WAYS: Final = {
    _SSH: ("a command line (SSH)", "een opdrachtregel (SSH)"),
    _RDP: ("remote desktop", "extern bureaublad"),
    _VNC: ("a shared screen (VNC)", "een gedeeld scherm (VNC)"),
    _WINRM: ("PowerShell commands (WinRM)", "PowerShell-opdrachten (WinRM)"),
}
_TECHNIQUES: Final = {
    _SSH: "T1021.004",
    _RDP: "T1021.001",
    _VNC: "T1021.005",
    _WINRM: "T1021.006",
}
_LED_EN: Final = "Not long before, {src} had itself been reached from another machine in such a way: so intruders move on. "
_LED_NL: Final = "Niet lang daarvoor was {src} zelf zo vanaf een ander apparaat benaderd: zo trekken indringers verder. "


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    orig_first: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    orig_serves: NDArray[np.int64]
    dest_serves: NDArray[np.int64]


class _State(NamedTuple):
    samples_pairs: NDArray[np.uint64]
    samples_pair_used: NDArray[np.int64]
    samples_pair_first: NDArray[np.int64]
    samples_sent: NDArray[np.float32]
    samples_received: NDArray[np.float32]
    samples_counted: NDArray[np.float32]
    samples_led: NDArray[np.uint8]
    samples_machines: NDArray[np.uint64]
    samples_used: NDArray[np.int64]
    samples_last: NDArray[np.int64]
    samples_evidence: NDArray[np.float32]
    samples_targets: NDArray[np.float32]
    samples_reached: NDArray[np.int64]
    samples_day: NDArray[np.int32]
    samples_days: NDArray[np.int32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _service(port):  # type: ignore[no-untyped-def]
    """What is behind a port, -1 for what nobody logs in by."""
    if port == 22:
        return _SSH
    if port == 3389:
        return _RDP
    if port in (5985, 5986):
        return _WINRM
    return _VNC if 5900 <= port <= 5905 else -1


@njit_lean
def _clear(state, site, m, t):  # type: ignore[no-untyped-def]
    """Take the machine at a place of the list for one that did nothing yet."""
    state.samples_last[site, m] = t
    state.samples_evidence[site, m] = state.samples_targets[site, m] = 0.0
    state.samples_reached[site, m] = _LONG_AGO
    state.samples_day[site, m] = -1
    state.samples_days[site, m] = 0


@njit(cache=True, nogil=True, inline="always")
def _worth(service, sent, received, sent_now, received_now, before):  # type: ignore[no-untyped-def]
    """How much of a session a pair has had, after a part: up to four where commands count, else one."""
    if service == _WINRM:
        turned = min(1.0, sent_now / _TURNED) * min(1.0, received_now / _TURNED)
        worth = min(before + turned, _MOST_PARTS)
    else:
        worth = min(1.0, sent / _SESSION_BYTES) * min(1.0, received / _SESSION_BYTES)
    return worth


@njit_lean
def _fold(columns, sites, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        service = _service(rows.resp_p[i])
        if service < 0 or rows.proto[i] != _TCP or not rows.local_orig[i] or not rows.local_resp[i]:
            continue
        sent = min(max(rows.orig_bytes[i], 0), 1_000_000_000)
        received = min(max(rows.resp_bytes[i], 0), 1_000_000_000)
        if sent == 0 or received == 0:
            continue
        t, site = min(max(rows.time[i], 0), 1 << 60), sites[i]
        orig = name_of(rows.orig_h[i, 0], rows.orig_h[i, 1])
        resp = name_of(rows.resp_h[i, 0], rows.resp_h[i, 1])
        # each list is walked here: a call that is handed all arrays costs more than the walk
        name = name_of(mix(orig, resp), service)
        p, is_new = place_of(state.samples_pairs, state.samples_pair_used, site, name, t)
        if is_new:
            state.samples_pair_first[site, p] = t
            state.samples_sent[site, p] = state.samples_received[site, p] = 0.0
            state.samples_counted[site, p] = 0.0
            own = find(state.samples_machines, site, orig)
            came = own >= 0 and 0 <= t - state.samples_reached[site, own] < _LED_US
            state.samples_led[site, p] = came
        target, is_new = place_of(state.samples_machines, state.samples_used, site, resp, t)
        if is_new:
            _clear(state, site, target, t)
        state.samples_reached[site, target] = t
        before = np.float64(state.samples_counted[site, p])
        if t - state.samples_pair_first[site, p] > _DAY_US or before >= _MOST_PARTS:
            continue
        state.samples_sent[site, p] = min(state.samples_sent[site, p] + sent, 1e9)
        state.samples_received[site, p] = min(state.samples_received[site, p] + received, 1e9)
        after = _worth(
            service, state.samples_sent[site, p], state.samples_received[site, p], sent, received, before
        )  # fmt: skip
        if after <= before:
            continue
        state.samples_counted[site, p] = after
        grown = (after - before) * (_PART if service == _WINRM else 1.0)
        own, is_new = place_of(state.samples_machines, state.samples_used, site, orig, t)
        if is_new:
            _clear(state, site, own, t)
        if rows.orig_serves[i] >= 3:
            grown /= 3.0
        if rows.dest_serves[i] >= 3:
            grown /= 3.0
        if t - max(rows.orig_first[i], rows.dest_first[i]) > 3 * _DAY_US:
            grown *= 2.0
        called = ((rows.hints[i] >> _CALLED_SHIFT) & _CALLED_MASK) != 0
        led = called or state.samples_led[site, p] != 0
        if t > state.samples_last[site, own]:
            kept = remaining(t - state.samples_last[site, own], half_life)
            state.samples_evidence[site, own] *= kept
            state.samples_targets[site, own] *= kept
            state.samples_last[site, own] = t
        state.samples_evidence[site, own] += grown
        state.samples_targets[site, own] += min(after, 1.0) - min(before, 1.0)
        day = np.int32(t // _DAY_US)
        if day != state.samples_day[site, own]:
            state.samples_days[site, own] += state.samples_day[site, own] >= 0
            state.samples_day[site, own] = day
        evidence = state.samples_evidence[site, own] / (1.0 + state.samples_days[site, own])
        if led:
            evidence *= 3.0
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0] = service
        facts[i, 1] = state.samples_targets[site, own]
        facts[i, 2] = led
        facts[i, 3] = evidence
