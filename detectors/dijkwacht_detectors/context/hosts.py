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
    columns: ClassVar = {
        "dest_first": "int", "dest_rows": "int", "dest_machines": "int", "dest_serves": "int",
        "orig_first": "int", "orig_serves": "int", "orig_news": "float", "orig_nameless": "float",
        "orig_strangers": "float", "orig_awake": "int", "dest_habit": "float", "orig_habit": "float",
    }  # fmt: skip
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "first": ("i8", ()),
        "rows": ("i8", ()),
        "callers": ("u8", ()),
        "served": ("u8", ()),
        "news": ("f4", ()),
        "nameless": ("f4", ()),
        "strangers": ("f4", ()),
        "news_at": ("i8", ()),
        "hours": ("u4", ()),
        "today": ("u4", ()),
        "day": ("i4", ()),
        "days": ("i4", ()),
        "sent": ("f4", (2,)),
        "most": ("f4", (2,)),
        "sent_day": ("i4", ()),
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
    first: NDArray[np.int64]
    rows: NDArray[np.int64]
    callers: NDArray[np.uint64]
    served: NDArray[np.uint64]
    news: NDArray[np.float32]
    nameless: NDArray[np.float32]
    strangers: NDArray[np.float32]
    news_at: NDArray[np.int64]
    hours: NDArray[np.uint32]
    today: NDArray[np.uint32]
    day: NDArray[np.int32]
    days: NDArray[np.int32]
    sent: NDArray[np.float32]
    most: NDArray[np.float32]
    sent_day: NDArray[np.int32]


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
    state.first[e] = state.news_at[e] = t
    state.rows[e] = 0
    state.callers[e] = state.served[e] = np.uint64(0)
    state.news[e] = state.nameless[e] = state.strangers[e] = 0.0
    state.hours[e] = state.today[e] = np.uint32(0)
    state.day[e] = state.days[e] = -1
    state.sent[e] = state.most[e] = 0.0
    state.sent_day[e] = np.int32(t // (24 * _HOUR_US))


@njit_lean
def _turn_day(state, e, day):  # type: ignore[no-untyped-def]
    """What was sent until yesterday becomes habit."""
    passed = day - state.sent_day[e]
    if passed <= 0:
        return
    for way in range(2):
        most = max(state.sent[e, way], state.most[e, way])
        state.most[e, way] = most * _A_DAY_LESS**passed
        state.sent[e, way] = 0.0
    state.sent_day[e] = day


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
    out.dest_habit[i] = state.most[d, 0] + state.most[d, 1]
    out.orig_habit[i] = state.most[e, way]
    state.sent[e, way] += bulk
    if d != e:
        state.sent[d, way] += bulk


@njit_lean
def _fold(columns, memory, table, told):  # type: ignore[no-untyped-def]
    rows, state, out = _Rows(*columns), _State(*memory), _Told(*told)
    for i in range(len(rows.time)):
        e, d, t = rows.slot[i], rows.resp_slot[i], rows.time[i]
        if rows.fresh[i]:
            _forget(state, e, t)
        if rows.resp_fresh[i]:
            _forget(state, d, t)
        hour = np.uint32(1) << np.uint32((t // _HOUR_US) % 24)
        day = np.int32(t // (24 * _HOUR_US))
        if day > state.day[e]:  # rows of two agents mix at midnight
            state.hours[e] |= state.today[e]
            state.today[e] = np.uint32(0)
            state.day[e] = day
            state.days[e] += 1
        if t > state.news_at[e]:
            kept = remaining(t - state.news_at[e], _NEWS_HALF_LIFE_US)
            state.news[e] *= kept
            state.nameless[e] *= kept
            state.strangers[e] *= kept
            state.news_at[e] = t
        out.dest_first[i] = state.first[d]
        out.dest_rows[i] = state.rows[d]
        out.dest_machines[i] = count(state.callers[d])
        out.dest_serves[i] = count(state.served[d])
        out.orig_first[i] = state.first[e]
        out.orig_serves[i] = count(state.served[e])
        out.orig_news[i] = state.news[e]
        out.orig_nameless[i] = state.nameless[e]
        out.orig_strangers[i] = state.strangers[e]
        known = state.days[e] >= _FEWEST_DAYS
        out.orig_awake[i] = np.int64((state.hours[e] & hour) != 0) if known else -1
        state.today[e] |= hour
        if table[i] != _FLOWS:
            continue
        if rows.local_orig[i]:
            caller = member(rows.orig_h[i, 0], rows.orig_h[i, 1])
            if rows.part[i] == 0:
                state.callers[d] |= caller
            if rows.resp_bytes[i] > 0:
                state.served[d] |= caller
        if rows.part[i] == 0:
            state.rows[d] += 1
            if rows.resp_fresh[i]:
                state.news[e] += 1.0
                unnamed = named_by(rows.hints[i]) == _NOBODY
                if unnamed and not rows.local_resp[i]:
                    state.nameless[e] += 1.0
                    if rows.resp_p[i] not in (80, 443):
                        state.strangers[e] += 1.0
        if rows.orig_bytes[i] > _BULK and rows.local_orig[i] and not rows.local_resp[i]:
            _send(rows, state, out, i, (e, d), day)
