"""The site's acquaintance with the two ends of a flow: since when, whom they serve, when they wake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Rows, State
from dijkwacht_detectors.context_api import Context
from dijkwacht_detectors.knowledge.hinted import named_by
from dijkwacht_detectors.state.crowd import count, member
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_records.hints import Named

_HOUR_US = 3_600_000_000
_NEWS_HALF_LIFE_US = 86_400e6
_FLOWS = 0  # the place of this table in ``reads``
_FEWEST_DAYS = 3
_NOBODY = int(Named.NOBODY)
_TCP = 6
_BULK = 16_384.0  # bytes of a row that are talk, not an upload
_A_DAY_LESS = 0.95  # of a habit: two weeks halve it
_FIRST, _ROWS, _CALLERS, _SERVED, _NEWS_AT = range(5)  # marks; callers and those served are bits
_NEWS, _NAMELESS, _STRANGERS, _SENT, _MOST = 0, 1, 2, 3, 5  # amounts; the last two by way
_HOURS, _TODAY, _DAY, _DAYS, _SENT_DAY = range(5)  # days; hours and today's are bits


class Hosts(Context):
    """Who the ends of a flow are to the site, inside or out, before the row.

    Of the responder:

    - ``dest_first``: event time µs UTC at which the site met it, the row's own if it is new;
    - ``dest_rows``: flows to it, counted at part 0;
    - ``dest_machines``, ``dest_serves``: inside machines that called it, and that it answered.

    Of the originator:

    - ``orig_first``; ``orig_serves``, which is 0 for a workstation;
    - ``orig_news``: hosts new to the site that it called lately (half-life a day), which stays near 0
      for a device whose world is complete;
    - ``orig_nameless``: how many of those lay outside and no DNS answer named them: of a machine that
      asks where nobody sees it, most; ``orig_strangers``: of these, called at no web port: whoever
      shares files calls hundreds, a workstation hardly one;
    - ``orig_awake``: 1 if on an earlier day it was seen within this hour of the day (UTC), 0 if not,
      -1 before it was seen on three.

    Of a row that sends more than 16 KiB out of the site, 0 in all others: ``dest_habit`` and
    ``orig_habit``, the most bytes beyond those 16 KiB of each row that the responder got from the site,
    and that the originator sent out, on an earlier day (UTC), 5 % less for each day since; the
    originator's by the row's own way only, which is encrypted by rule (443, mail, datagrams) or not.

    Numbers of machines are sets of 64 hashed bits (`crowd`).

    >>> from dijkwacht_detectors.harness import context_columns
    >>> calls = [{"time": t, "table": "flows", "resp_h": host} for t, host in [(10, 7), (20, 7), (30, 8)]]
    >>> known = context_columns(Hosts(), calls)
    >>> known["dest_first"].tolist(), known["dest_rows"].tolist(), known["dest_machines"].tolist()
    ([10.0, 10.0, 30.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0])
    """

    name = "hosts"
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "flows": (
            "part", "orig_h", "local_orig", "local_resp", "resp_p", "proto", "orig_bytes", "resp_bytes",
            "hints",
        ),
        "rpc": ("orig_h",),
        "auth": ("orig_h",),
        "tls": ("orig_h",),
    }  # fmt: skip
    entity = "ends"
    passes_over = True
    columns: ClassVar = {
        "dest_first": "int", "dest_rows": "int", "dest_machines": "int", "dest_serves": "int",
        "orig_first": "int", "orig_serves": "int", "orig_news": "float", "orig_nameless": "float",
        "orig_strangers": "float", "orig_awake": "int", "dest_habit": "float", "orig_habit": "float",
    }  # fmt: skip
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "marks": ("i8", (5,)),
        "amounts": ("f4", (7,)),
        "days": ("i4", (5,)),
    }

    entities_per_site = 16_384
    """An office of 250 meets some thousands of addresses a week; 1.3 MB a site at most."""
    forget_after_s = 30 * 24 * 3600
    """What is called once a month is still known."""

    def fold(self, rows: Rows, state: State, out: Mapping[str, NDArray[Any]]) -> None:
        """Say what is known of both ends, then take the row."""
        _fold(_columns(rows), _memory(state), rows.table, _told(out))


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    resp_slot: NDArray[np.int32]
    resp_fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    orig_h: NDArray[np.uint64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    hints: NDArray[np.int64]


class _State(NamedTuple):
    """What is known of an entity lies together: a row meets two of them anywhere in memory."""

    marks: NDArray[np.int64]
    amounts: NDArray[np.float32]
    days: NDArray[np.int32]


class _Told(NamedTuple):
    dest_first: NDArray[np.int64]
    dest_rows: NDArray[np.int64]
    dest_machines: NDArray[np.int64]
    dest_serves: NDArray[np.int64]
    orig_first: NDArray[np.int64]
    orig_serves: NDArray[np.int64]
    orig_news: NDArray[np.float64]
    orig_nameless: NDArray[np.float64]
    orig_strangers: NDArray[np.float64]
    orig_awake: NDArray[np.int64]
    dest_habit: NDArray[np.float64]
    orig_habit: NDArray[np.float64]


_columns, _memory, _told = row_picker(_Rows._fields), picker(_State._fields), picker(_Told._fields)


@njit_lean
def _forget(state, e, t):  # type: ignore[no-untyped-def]
    state.marks[e, _FIRST] = state.marks[e, _NEWS_AT] = t
    state.marks[e, _ROWS] = state.marks[e, _CALLERS] = state.marks[e, _SERVED] = 0
    state.amounts[e] = 0.0
    state.days[e, _HOURS] = state.days[e, _TODAY] = 0
    state.days[e, _DAY] = state.days[e, _DAYS] = -1
    state.days[e, _SENT_DAY] = np.int32(t // (24 * _HOUR_US))


@njit_lean
def _turn_day(state, e, day):  # type: ignore[no-untyped-def]
    """What was sent until yesterday becomes habit."""
    passed = day - state.days[e, _SENT_DAY]
    if passed <= 0:
        return
    for way in range(2):
        most = max(state.amounts[e, _SENT + way], state.amounts[e, _MOST + way])
        state.amounts[e, _MOST + way] = most * _A_DAY_LESS**passed
        state.amounts[e, _SENT + way] = 0.0
    state.days[e, _SENT_DAY] = day


@njit(cache=True, nogil=True, inline="always")
def _way(port, proto):  # type: ignore[no-untyped-def]
    """0 where encryption is the rule, 1 by all other ways."""
    return 1 if proto == _TCP and port not in (443, 25, 465, 587, 993, 995) else 0


@njit_lean
def _send(rows, state, out, i, ends, day):  # type: ignore[no-untyped-def]
    e, d = ends
    bulk = min(float(rows.orig_bytes[i]), 1e15) - _BULK
    way = _way(rows.resp_p[i], rows.proto[i])
    _turn_day(state, e, day)
    _turn_day(state, d, day)
    out.dest_habit[i] = state.amounts[d, _MOST] + state.amounts[d, _MOST + 1]
    out.orig_habit[i] = state.amounts[e, _MOST + way]
    state.amounts[e, _SENT + way] += bulk
    if d != e:
        state.amounts[d, _SENT + way] += bulk


@njit_lean
def _fold(columns, memory, table, told):  # type: ignore[no-untyped-def]
    rows, state, out = _Rows(*columns), _State(*memory), _Told(*told)
    for i in range(len(rows.time)):
        if table[i] < 0:
            continue
        e, d, t = rows.slot[i], rows.resp_slot[i], rows.time[i]
        if rows.fresh[i]:
            _forget(state, e, t)
        if rows.resp_fresh[i]:
            _forget(state, d, t)
        hour = np.int32(1) << np.int32((t // _HOUR_US) % 24)
        day = np.int32(t // (24 * _HOUR_US))
        if day > state.days[e, _DAY]:  # rows of two agents mix at midnight
            state.days[e, _HOURS] |= state.days[e, _TODAY]
            state.days[e, _TODAY] = 0
            state.days[e, _DAY] = day
            state.days[e, _DAYS] += 1
        if t > state.marks[e, _NEWS_AT]:
            if state.amounts[e, _NEWS] > 0.0:  # the others are never more
                kept = remaining(t - state.marks[e, _NEWS_AT], _NEWS_HALF_LIFE_US)
                state.amounts[e, _NEWS] *= kept
                state.amounts[e, _NAMELESS] *= kept
                state.amounts[e, _STRANGERS] *= kept
            state.marks[e, _NEWS_AT] = t
        out.dest_first[i] = state.marks[d, _FIRST]
        out.dest_rows[i] = state.marks[d, _ROWS]
        out.dest_machines[i] = count(state.marks[d, _CALLERS])
        out.dest_serves[i] = count(state.marks[d, _SERVED])
        out.orig_first[i] = state.marks[e, _FIRST]
        out.orig_serves[i] = count(state.marks[e, _SERVED])
        out.orig_news[i] = state.amounts[e, _NEWS]
        out.orig_nameless[i] = state.amounts[e, _NAMELESS]
        out.orig_strangers[i] = state.amounts[e, _STRANGERS]
        known = state.days[e, _DAYS] >= _FEWEST_DAYS
        out.orig_awake[i] = np.int64((state.days[e, _HOURS] & hour) != 0) if known else -1
        state.days[e, _TODAY] |= hour
        if table[i] != _FLOWS:
            continue
        if rows.local_orig[i]:
            caller = np.int64(member(rows.orig_h[i, 0], rows.orig_h[i, 1]))
            if rows.part[i] == 0:
                state.marks[d, _CALLERS] |= caller
            if rows.resp_bytes[i] > 0:
                state.marks[d, _SERVED] |= caller
        if rows.part[i] == 0:
            state.marks[d, _ROWS] += 1
            if rows.resp_fresh[i]:
                state.amounts[e, _NEWS] += 1.0
                unnamed = named_by(rows.hints[i]) == _NOBODY
                if unnamed and not rows.local_resp[i]:
                    state.amounts[e, _NAMELESS] += 1.0
                    if rows.resp_p[i] not in (80, 443):
                        state.amounts[e, _STRANGERS] += 1.0
        if rows.orig_bytes[i] > _BULK and rows.local_orig[i] and not rows.local_resp[i]:
            _send(rows, state, out, i, (e, d), day)
