"""Remote control inside: one machine makes another run, hand over or change something from a distance.

Looks at remote procedure calls and at the system folders (``ADMIN$``, ``C$``) that one machine opens on another. Each
operation weighs as much as it is rare among innocents (`knowledge.remote_operations`): by services, planned tasks,
WMI, remote objects, printer drivers; passwords copied, log-ins forced or forged, settings, accounts or logs changed;
accounts, groups, sessions and services listed, where a distinct question weighs more than a repeated one, and more
than four different ones up to half as much again, halved in all: a sign-in asks as well. The score is log₂ of what one
machine did to one other within minutes. It weighs three times as much if the machine was itself so controlled within
the hour, which is how intruders move. A command weighs twice if both are old acquaintances of the site that never did
this. All weighs half from a server, and less for each earlier day with the same habit, as inventory and backup have.

Innocents: a sign-in to a domain and the copying of files to ``C$`` stay below a single command. Replication counts
only where the caller is no directory server, and as a command only after both questions that tools ask: which servers
there are, and for whom. Who asks a print server for notices has opened the printer as Windows does; who opens it in
the old way, prints nothing and asks for notices makes the server log in elsewhere. What is said encrypted is not
seen, but who is visited so and within three seconds opens a session at the visitor was made to, above all if it reads
a file there: half a command each. Methods of WMI are capped where queries abound; what many ask is a custom.

Limits: nothing else shows inside encrypted SMB 3; a few questions, a registry that is only read, and an
interface that no list names stay below the line. Who works by day where a management tool works is hidden by its
habit. An entity takes 110 bytes, a site 5 KB on top.

>>> from dijkwacht_detectors.checks import score_rows
>>> from dijkwacht_records.rpc_interfaces import RpcInterface
>>> from dijkwacht_records.vocabulary import RpcKind
>>> calls = [{"time": op, "kind": RpcKind.CALL, "iface": RpcInterface.SVCCTL, "op": op, "status": 1,
...           "count": 1} for op in (12, 15, 19)]
>>> score_rows(RemoteExecution(), calls).round(1)
array([3.2, nan, 3.7])
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.remote_deeds import Deed, worded
from dijkwacht_detectors.knowledge.remote_operations import ABOUT, DEEDS, ENUMERATES, WEIGHTS
from dijkwacht_detectors.state.crowd import count, custom, member
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.shortlist import find, name_of, place_of
from dijkwacht_detectors.state.visits import FIELDS, follow
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.vocabulary import RpcKind, RpcStatus, RpcVia, ShareKind

_DEEDS: Final = len(Deed)
_SERVICES, _METHODS, _DRIVERS, _COPIES, _FORCED, _FOLDERS, _QUESTIONS = map(
    int,
    (
        Deed.SERVICES, Deed.METHODS, Deed.DRIVERS, Deed.COPIES, Deed.FORCED, Deed.FOLDERS,
        Deed.QUESTIONS,
    ),
)  # fmt: skip
_CALL, _TREE, _PIPE, _FILES = map(int, (RpcKind.CALL, RpcKind.TREE, RpcKind.PIPE, RpcKind.FILES))
_SESSION, _ENCRYPTED = int(RpcKind.SESSION), int(RpcKind.ENCRYPTED)
_ADMIN, _DRIVE, _TCP = int(ShareKind.ADMIN), int(ShareKind.DRIVE), int(RpcVia.TCP)
_WMI, _NETLOGON, _DRSUAPI, _EVENTLOG, _TOOL, _SPOOLSS = map(
    int,
    (
        RpcInterface.WMI, RpcInterface.NETLOGON, RpcInterface.DRSUAPI, RpcInterface.EVENTLOG,
        RpcInterface.REMOTE_TOOL, RpcInterface.SPOOLSS,
    ),
)  # fmt: skip
_OLD_WAY, _AS_WINDOWS = 1, 2  # how a printer was opened
_DONE = (int(RpcStatus.UNANSWERED), int(RpcStatus.SUCCESS), int(RpcStatus.CONTINUED))
_SUCCESS = int(RpcStatus.SUCCESS)
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000
_WHOM: Final = np.uint64(1 << 63)  # DRSCrackNames: for whom to ask
_MACHINES = 64  # that command, are commanded or keep a directory, remembered a site
_MOST, _ASKED = 64.0, 12.0  # of one deed, of questions: beyond it more of them say no more


class RemoteExecution(RowDetector):
    """What one machine makes another do by remote procedure calls."""

    name = "remote_execution"
    table = "rpc"
    reads = (
        "orig_h", "resp_h", "via", "kind", "iface", "op", "share", "status", "count", "reads", "writes",
    )  # fmt: skip
    context = ("orig_first", "dest_first", "orig_serves")
    entity: ClassVar[Entity] = "pair"
    kind = "lateral"
    technique = "T1569.002"
    facts = (*(deed.name.lower() for deed in Deed), "refused", "led", "days", "about")
    entities_per_site = 1024
    forget_after_s = 60 * 24 * 3600
    """What is done once a month is a habit in the end."""
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "did": ("f4", (_DEEDS,)),
        "refused": ("f4", ()),
        "asked": ("u8", ()),
        "about": ("i1", ()),
        "about_weight": ("f4", ()),
        "printer": ("u1", ()),
        "queries": ("f4", ()),
        "today": ("u1", (2,)),
        "day": ("i4", ()),
        "days": ("i4", (2,)),
        "samples_machines": ("u8", (_MACHINES,)),
        "samples_used": ("i8", (_MACHINES,)),
        "samples_reached": ("i8", (_MACHINES,)),
        "samples_day": ("i4", (_MACHINES,)),
        "samples_days": ("i4", (_MACHINES,)),
        "samples_directory": ("u1", (_MACHINES,)),
        "samples_askers": ("u8", (2,)),
        "samples_week": ("i4", ()),
        **FIELDS,
    }

    share = 1 / 24
    expected = (1.6, 0.6)
    """Two machines of another's are opened by ``C$`` or asked for sessions in three weeks; starting a
    service there is four times as rare, making it run a program more than twenty times."""
    half_life_s = 600.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each operation that has a weight."""
        # weights are handed over: a compiled kernel would keep those that it was compiled with
        _fold(
            _columns(rows), rows.site, _memory(state), (DEEDS, WEIGHTS, ABOUT),
            self.half_life_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what was done most of all."""
        return worded(facts)


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    via: NDArray[np.int64]
    kind: NDArray[np.int64]
    iface: NDArray[np.int64]
    op: NDArray[np.int64]
    share: NDArray[np.int64]
    status: NDArray[np.int64]
    count: NDArray[np.int64]  # type: ignore[assignment]  # the column's name is a tuple's method too
    reads: NDArray[np.int64]
    writes: NDArray[np.int64]
    orig_first: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    orig_serves: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    did: NDArray[np.float32]
    refused: NDArray[np.float32]
    asked: NDArray[np.uint64]
    about: NDArray[np.int8]
    about_weight: NDArray[np.float32]
    printer: NDArray[np.uint8]
    queries: NDArray[np.float32]
    today: NDArray[np.uint8]
    day: NDArray[np.int32]
    days: NDArray[np.int32]
    samples_machines: NDArray[np.uint64]
    samples_used: NDArray[np.int64]
    samples_reached: NDArray[np.int64]
    samples_day: NDArray[np.int32]
    samples_days: NDArray[np.int32]
    samples_directory: NDArray[np.uint8]
    samples_askers: NDArray[np.uint64]
    samples_week: NDArray[np.int32]
    samples_visits: NDArray[np.uint64]
    samples_visit_used: NDArray[np.int64]
    samples_visit_begun: NDArray[np.int64]
    samples_visit_back: NDArray[np.int64]
    samples_visit_returned: NDArray[np.float32]
    samples_visit_came: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _machine(state, site, name, t):  # type: ignore[no-untyped-def]
    """Place of a machine in the site's short list."""
    m, is_new = place_of(state.samples_machines, state.samples_used, site, name, t)
    if is_new:
        state.samples_reached[site, m] = -(1 << 62)
        state.samples_day[site, m] = -1
        state.samples_days[site, m] = 0
        state.samples_directory[site, m] = 0
    return m


@njit(cache=True, nogil=True, inline="always")
def _ask_anew(state, e):  # type: ignore[no-untyped-def]
    state.asked[e] = np.uint64(0)
    state.about[e] = state.printer[e] = 0
    state.about_weight[e] = 0.0


@njit_lean
def _forget(state, e, t):  # type: ignore[no-untyped-def]
    state.last[e] = t
    state.did[e, :] = 0.0
    state.refused[e] = state.queries[e] = 0.0
    _ask_anew(state, e)
    state.today[e, :] = 0
    state.days[e, :] = 0
    state.day[e] = t // _DAY_US


@njit_lean
def _age(state, e, t, half_life):  # type: ignore[no-untyped-def]
    """Let what was done fade, and a day that has ended count."""
    if t <= state.last[e]:
        return
    elapsed = t - state.last[e]
    kept = remaining(elapsed, half_life)
    for deed in range(_DEEDS):
        state.did[e, deed] *= kept
    state.refused[e] *= kept
    state.queries[e] *= kept
    if elapsed > _HOUR_US:
        _ask_anew(state, e)
    day = t // _DAY_US
    if day != state.day[e]:
        for which in range(2):
            state.days[e, which] += state.today[e, which]
            state.today[e, which] = 0
        state.day[e] = day
    state.last[e] = t


@njit(cache=True, nogil=True, inline="always")
def _is_idle(kind, iface, op, share, writes, deeds):  # type: ignore[no-untyped-def]
    """Whether a row says nothing, as nearly all do: what follows costs far more."""
    if kind == _CALL:
        is_listed = 0 < iface < deeds.shape[0] and 0 <= op < deeds.shape[1]
        idle = not is_listed or deeds[iface, op] == -1
    elif kind == _PIPE:
        idle = iface != _TOOL
    else:
        idle = share not in (_ADMIN, _DRIVE) or not (
            kind == _TREE or (kind == _FILES and writes > 0)
        )
    return idle


@njit_lean
def _weigh(rows, i, state, e, operations):  # type: ignore[no-untyped-def]
    """The deed of a row, negative for none, and what it adds to that deed."""
    kind, iface, op = rows.kind[i], rows.iface[i], rows.op[i]
    many = min(max(rows.count[i], 1), 1000)
    if kind == _TREE:
        return _FOLDERS, 1.0
    if kind == _FILES:
        return _FOLDERS, (4.0 if rows.share[i] == _ADMIN else 2.0)
    if kind == _PIPE:
        return _SERVICES, 8.0 * many
    deeds, weights, about = operations
    deed, weight = int(deeds[iface, op]), float(weights[iface, op]) * many
    if deed == _QUESTIONS:
        if weights[iface, op] > state.about_weight[e]:
            state.about[e], state.about_weight[e] = about[iface, op], weights[iface, op]
        bit = _bit(iface, op)
        first = 0.02 if state.asked[e] & bit else float(weights[iface, op])
        weight = first + 0.02 * (many - 1)
        state.asked[e] |= bit
    elif iface == _WMI and op == 20:
        state.queries[e] += many
    elif iface == _DRSUAPI and op == 12:
        state.asked[e] |= _WHOM
    elif deed == _COPIES and state.asked[e] & _WHOM and state.asked[e] & _bit(_DRSUAPI, 16):
        weight *= 2.0
    elif iface == _SPOOLSS and deed == -2:
        state.printer[e] |= _OLD_WAY if op == 1 else _AS_WINDOWS
    elif iface == _SPOOLSS and op == 65 and state.printer[e] == _OLD_WAY:
        weight = 8.0
    elif iface == _EVENTLOG and op != (6 if rows.via[i] == _TCP else 0):
        # the operation that clears has another number in the interface that comes over TCP
        deed = -1
    return deed, weight


@njit(cache=True, nogil=True, inline="always")
def _bit(iface, op):  # type: ignore[no-untyped-def]
    """The bit, uint64, of a question in the set of those that were asked; the highest is `_WHOM`'s."""
    return np.uint64(1) << np.uint64((17 * iface + op) % 63)


@njit_lean
def _most(rows, i, state, e, deed):  # type: ignore[no-untyped-def]
    """How much of a deed counts at most."""
    if deed == _FOLDERS:
        # connected to and no more, copied to a disk as people do, copied to where Windows lies
        writes, admin = rows.writes[i] > 0, rows.share[i] == _ADMIN
        return max(state.did[e, deed], (5.0 if admin else 3.0) if writes else 2.0)
    if deed == _QUESTIONS:
        return _ASKED
    if deed == _METHODS:
        return _MOST / (1.0 + state.queries[e] / 2.0)
    if deed == _COPIES:
        # tools look up whom to ask (16) and for whom (12) first; servers that replicate do not
        return _MOST if state.asked[e] & (_WHOM | _bit(_DRSUAPI, 16)) else 4.0
    return _MOST


@njit_lean
def _fold(columns, sites, memory, operations, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    deeds = operations[0]
    for i in range(len(rows.time)):
        e, t, site = rows.slot[i], min(max(rows.time[i], 0), 1 << 60), sites[i]
        if rows.fresh[i]:
            _forget(state, e, t)
        returns = 0.0
        if rows.kind[i] in (_SESSION, _FILES, _ENCRYPTED):
            returns = follow(rows, i, state, site, t)
        if returns == 0.0 and _is_idle(
            rows.kind[i], rows.iface[i], rows.op[i], rows.share[i], rows.writes[i], deeds
        ):
            continue
        iface = rows.iface[i]
        if iface == _NETLOGON and rows.kind[i] == _CALL and rows.status[i] == _SUCCESS:
            resp = name_of(rows.resp_h[i, 0], rows.resp_h[i, 1])
            state.samples_directory[site, _machine(state, site, resp, t)] = 1
        _age(state, e, t, half_life)
        deed, weight = _FORCED, 4.0 * returns
        if returns == 0.0:
            deed, weight = _weigh(rows, i, state, e, operations)
        if deed < 0:
            continue
        orig = name_of(rows.orig_h[i, 0], rows.orig_h[i, 1])
        source = find(state.samples_machines, site, orig)
        if iface == _DRSUAPI and source >= 0 and state.samples_directory[site, source]:
            continue
        is_refused = rows.status[i] not in _DONE
        if is_refused:
            weight *= 0.5
        before = state.did[e, deed]
        after = max(before, min(before + weight, _most(rows, i, state, e, deed)))
        state.did[e, deed] = after
        if is_refused and deed != _QUESTIONS:
            state.refused[e] += after - before
        day = np.int32(t // _DAY_US)
        habit, led = 0, False
        if source >= 0:
            led = 0 <= t - state.samples_reached[site, source] < _HOUR_US
            habit = state.samples_days[site, source] + (0 <= state.samples_day[site, source] < day)
        commands = 0.0
        for d in range(_QUESTIONS):
            commands += state.did[e, d]
        questions = np.float64(state.did[e, _QUESTIONS])
        askers = 1
        if deed == _QUESTIONS and weight >= ENUMERATES:
            own = member(rows.orig_h[i, 0], rows.orig_h[i, 1])
            askers = custom(state.samples_askers[site], state.samples_week, site, own, t)
        else:
            askers = count(state.samples_askers[site, 0] | state.samples_askers[site, 1])
        commands /= (1.0 + state.days[e, 0]) ** 3 * (1.0 + habit)
        questions /= (1.0 + state.days[e, 1]) ** 3 * max(1.0, askers - 1.0)
        variety = count(state.asked[e] & ~_WHOM)
        questions = min(questions * (1.0 + min(max(variety - 4.0, 0.0) / 4.0, 0.5)), _ASKED)
        acquainted = t - max(rows.orig_first[i], rows.dest_first[i]) > 3 * _DAY_US
        used_to = habit or state.days[e, 0] or state.days[e, 1]
        if acquainted and not used_to and rows.orig_serves[i] < 3:
            commands *= 2.0  # a first question is ordinary: a new program
        evidence = commands + 0.5 * questions
        if led:
            evidence *= 3.0
        if rows.orig_serves[i] >= 3:
            evidence *= 0.5
        scores[i] = math.log2(1.0 + evidence)
        for d in range(_DEEDS):
            facts[i, d] = state.did[e, d]
        facts[i, _DEEDS] = state.refused[e]
        facts[i, _DEEDS + 1] = led
        facts[i, _DEEDS + 2] = state.days[e, 0]
        facts[i, _DEEDS + 3] = state.about[e]
        if deed == _QUESTIONS:
            state.today[e, 1] = 1
        elif weight >= 2.0:
            state.today[e, 0] = 1
            if deed == _FOLDERS:
                continue
            if not is_refused and _SERVICES <= deed <= _DRIVERS:
                resp = name_of(rows.resp_h[i, 0], rows.resp_h[i, 1])
                target = _machine(state, site, resp, t)
                state.samples_reached[site, target] = t
            own = _machine(state, site, orig, t)
            if state.samples_day[site, own] != day:
                state.samples_days[site, own] += state.samples_day[site, own] >= 0
                state.samples_day[site, own] = day
