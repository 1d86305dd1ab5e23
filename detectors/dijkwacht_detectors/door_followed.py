"""What follows a visit at an open door: a machine that answers the Internet calls somewhere it never called.

Looks at machines inside that answer callers from outside, and at whom they call themselves. Whoever gets in
through such a service lets the machine fetch his tools or call him back. Scored is the first call to a network
outside (of 256 addresses, /48 in IPv6) that the machine never called, within ten minutes of a flow from
outside that it answered. The score is log₂ of how rare that is: days watched (one more than there were, at most
fourteen) over the square of (1 + hours in which it lately called somewhere new, half-life three days, but for the first two). That counts
four times if no DNS answer had named the address, half if one had; twice at a port where no program is at
home; eight times if the one called came in within those ten minutes, over the square of (1 + earlier hours in
which the machine so called back: partners that exchange orders or mail do it for a living); half if nobody answers at once.

A machine is watched from the first answer on that it gives to a caller from outside, and nothing is said of it
for a day. A workstation hardly ever answers one; where it does, as it plays or shares files, it calls new
networks in most of its hours, which keeps it mute. So do servers that call new ones daily: mail, proxies,
resolvers. Questions of names and time do not count, nor does what FTP sends its callers from port 20.

Innocents: who looks after a server logs in from home and installs something: named, and mostly one hour in a week.
An update that comes from a network of its own each time, daily, is a habit within days.

Limits: callers from outside come all day at most doors, so that what came in tells little and the machine's
habits nearly all. What is fetched from a network that it calls anyway (a content network, a forge) is not seen,
nor is a second tool within the hour as clearly as the first. Of datagrams only QUIC counts. Sixty-four machines
a site; calls to others inside are left to those who look for scans and log-ins. 25 KB a site.

>>> from dijkwacht_detectors.checks import score_rows
>>> DAY = 86_400_000_000
>>> visit = {"resp_h": 7, "resp_p": 22, "local_orig": 0, "local_resp": 1, "orig_bytes": 900, "resp_bytes": 900, "conn_state": 3}
>>> rows = [visit | {"time": at * DAY // 2, "orig_h": 900 + at} for at in range(15)]
>>> call = {"orig_h": 7, "resp_h": 0xC6336407, "resp_p": 443, "resp_pkts": 3, "conn_state": 3}
>>> float(score_rows(DoorFollowed(), [*rows, call | {"time": 7 * DAY + 60_000_000}])[-1].round(1))
3.2
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, Reads, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_no_host, is_private, is_v4
from dijkwacht_detectors.knowledge.hinted import named_by
from dijkwacht_detectors.knowledge.ports import FREE, port_use
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.novelty import is_new
from dijkwacht_records.hints import Named
from dijkwacht_records.tables import ConnState

_MACHINES = 64  # watched a site
_TOGETHER = 4  # places that a machine may have, one beside the other
_VISITORS = 8  # the last of each machine
_BEGUN, _CAME, _NEWS_AT, _NEWS_HOUR, _NEWS_HOURS, _VISITS, _BACK_HOUR, _BACKS = range(8)
"""Marks: event times, and counts."""
_TCP, _UDP, _QUIC, _FILES_OF_FTP = 6, 17, 443, 20
_NO_DESTINATIONS = (53, 853, 123)
_OTH, _S0, _REJ = int(ConnState.OTH), int(ConnState.S0), int(ConnState.REJ)
_NOBODY, _UNKNOWN = int(Named.NOBODY), int(Named.UNKNOWN)
_AFTER_US = 600_000_000
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000
_ENOUGH_DAYS = 1.0
_FIRST_HOURS = 2  # in which a machine shows what it calls anyway
_MOST_DAYS = 14.0
_HALF_LIFE_US = 3.0 * 86_400e6
_GONE_US = 7 * _DAY_US
"""A machine that answered nobody for so long gives way to another."""


class DoorFollowed(RowDetector):
    """A machine that answers callers from outside calls, soon after one came, where it never called."""

    name = "door_followed"
    reads: ClassVar[Reads] = {
        "flows": (
            "part", "orig_h", "resp_h", "orig_p", "resp_p", "proto", "conn_state", "resp_pkts",
            "orig_bytes", "resp_bytes", "local_orig", "local_resp", "hints",
        ),
    }  # fmt: skip
    entity: ClassVar[Entity] = "site"
    kind = "c2"
    technique = "T1105"
    entered = True
    facts = ("days_watched", "new_hours", "since_visit_s", "came_in", "unnamed", "odd_port")
    entities_per_site = 1
    forget_after_s = 30 * 24 * 3600
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "machine": ("u8", (_MACHINES,)),
        "marks": ("i8", (_MACHINES, 8)),
        "news": ("f4", (_MACHINES,)),
        "held": ("i4", (_MACHINES,)),
        "seen": ("u8", (_MACHINES, 2, 16)),
        "visitors": ("u8", (_MACHINES, _VISITORS)),
    }

    share = 2 / 240
    expected = (2.0, 0.2)
    """Somebody who looks after a server logs in from home and fetches a program from a bare address."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score the first call of a watched machine to a network that is new to it."""
        _fold(_columns(rows), _memory(state), scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say where the machine went, and after what."""
        minutes = max(1, round(facts["since_visit_s"] / 60))
        some, enige = ("a minute", "een minuut") if minutes == 1 else (f"{minutes} minutes", f"{minutes} minuten")  # fmt: skip
        days = max(1, round(facts["days_watched"]))
        a_day, dagen = ("a day", "een dag") if days == 1 else (f"{days} days", f"{days} dagen")
        if facts["came_in"] >= 0.5:
            title = f"{{src}} called {{dst}}, which had come in to it from the internet within {some} before."
            titel = f"{{src}} belde {{dst}}, dat hooguit {enige} eerder vanaf internet bij dit apparaat binnenkwam."
        else:
            title = f"{{src}} called {{dst}}, where it never went, within {some} of a visit from the internet."
            titel = f"{{src}} belde {{dst}}, waar dit apparaat nooit kwam, hooguit {enige} na een bezoek vanaf internet."
        return Explanation(
            title,
            titel,
            f"{{src}} can be reached from the internet, and in the {a_day} that it was watched it hardly ever "
            "called anywhere new. Who breaks in through such a door lets the machine fetch his tools or call him back. "
            "If somebody just installed or changed something on it, nothing is wrong. If not, take {src} off the "
            "network, leave it switched on, and have your IT supplier see who logged in and what runs on it.",
            f"{{src}} is vanaf internet bereikbaar, en belde in de {dagen} dat het werd gevolgd vrijwel nooit een nieuwe "
            "plek. Wie door zo'n deur inbreekt, laat het apparaat zijn gereedschap ophalen of hem terugbellen. "
            "Heeft iemand er zojuist iets op geïnstalleerd of gewijzigd, dan is er niets mis. Zo niet, haal {src} dan "
            "van het netwerk, laat het aanstaan, en laat uw IT-leverancier nagaan wie er inlogde en wat er draait.",
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
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]


class _State(NamedTuple):
    machine: NDArray[np.uint64]
    marks: NDArray[np.int64]
    news: NDArray[np.float32]
    held: NDArray[np.int32]
    seen: NDArray[np.uint64]
    visitors: NDArray[np.uint64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _named(address):  # type: ignore[no-untyped-def]
    """The name of a machine, never 0."""
    return mix(address[0], address[1]) | np.uint64(1)


@njit(cache=True, nogil=True, inline="always")
def _network(address):  # type: ignore[no-untyped-def]
    """What of an address outside is taken for one destination."""
    high, low = address[0], address[1]
    if is_v4(high, low):
        return mix(high, low >> np.uint64(8))
    return mix(high >> np.uint64(16), np.uint64(0))


@njit(cache=True, nogil=True, inline="always")
def _find(state, s, name):  # type: ignore[no-untyped-def]
    """Place of a machine that is watched, else -1."""
    home = np.int64(name >> np.uint64(1)) % _MACHINES
    for k in range(_TOGETHER):
        p = (home + k) % _MACHINES
        if state.machine[s, p] == name:
            return p
    return -1


@njit_lean
def _watch(state, s, name, t):  # type: ignore[no-untyped-def]
    """Place of a machine from now on; -1 if those that could have it are all still called."""
    home = np.int64(name >> np.uint64(1)) % _MACHINES
    place = np.int64(-1)
    for k in range(_TOGETHER):
        p = (home + k) % _MACHINES
        if state.machine[s, p] == 0:
            place = p
            break
        quiet = t - state.marks[s, p, _CAME] > _GONE_US
        if quiet and (place < 0 or state.marks[s, p, _CAME] < state.marks[s, place, _CAME]):
            place = p
    if place >= 0:
        _clear(state, s, place)
        state.machine[s, place] = name
        for mark in (_BEGUN, _CAME, _NEWS_AT):
            state.marks[s, place, mark] = t
        state.marks[s, place, _NEWS_HOUR] = state.marks[s, place, _BACK_HOUR] = -1
    return place


@njit_lean
def _clear(state, s, p):  # type: ignore[no-untyped-def]
    state.machine[s, p] = np.uint64(0)
    state.news[s, p], state.held[s, p] = 0.0, 0
    for mark in range(8):
        state.marks[s, p, mark] = 0
    for page in range(2):
        for word in range(16):
            state.seen[s, p, page, word] = np.uint64(0)
    for k in range(_VISITORS):
        state.visitors[s, p, k] = np.uint64(0)


@njit_lean
def _visit(rows, i, state, s, t):  # type: ignore[no-untyped-def]
    """Somebody from outside is answered."""
    name = _named(rows.resp_h[i])
    p = _find(state, s, name)
    if p < 0:
        p = _watch(state, s, name, t)
        if p < 0:
            return
    state.marks[s, p, _CAME] = max(state.marks[s, p, _CAME], t)
    visitor = _named(rows.orig_h[i])
    n = state.marks[s, p, _VISITS]
    if state.visitors[s, p, (n - 1) % _VISITORS] != visitor:
        state.visitors[s, p, n % _VISITORS] = visitor
        state.marks[s, p, _VISITS] = n + 1


@njit(cache=True, nogil=True, inline="always")
def _is_destination(rows, i):  # type: ignore[no-untyped-def]
    """Whether a row begins a call to a single machine outside for something else than names or time."""
    proto, port = rows.proto[i], rows.resp_p[i]
    return (
        rows.part[i] == 0
        and (proto == _TCP or (proto == _UDP and port == _QUIC))
        and port not in _NO_DESTINATIONS
        and rows.conn_state[i] != _OTH  # its beginning was not seen, and who began it is a guess
        and rows.orig_p[i] != _FILES_OF_FTP
        and not is_no_host(rows.resp_h[i, 0], rows.resp_h[i, 1])
        and not is_private(rows.resp_h[i, 0], rows.resp_h[i, 1])
    )


@njit_lean
def _came_in(state, s, p, name):  # type: ignore[no-untyped-def]
    came = False
    for k in range(_VISITORS):
        came |= state.visitors[s, p, k] == name
    return came


@njit_lean
def _call(rows, i, state, s, p, t, scores, facts):  # type: ignore[no-untyped-def]
    """The machine at ``p`` calls outside."""
    if not is_new(state.seen[s], state.held[s], p, _network(rows.resp_h[i])):
        return
    news = state.news[s, p] * remaining(t - state.marks[s, p, _NEWS_AT], _HALF_LIFE_US)
    state.marks[s, p, _NEWS_AT] = max(state.marks[s, p, _NEWS_AT], t)
    hour = t // _HOUR_US
    state.news[s, p] = news
    if hour != state.marks[s, p, _NEWS_HOUR]:  # a page or an update goes to many: one occasion
        state.marks[s, p, _NEWS_HOUR] = hour
        state.marks[s, p, _NEWS_HOURS] += 1
        if state.marks[s, p, _NEWS_HOURS] > _FIRST_HOURS:
            state.news[s, p] = news + 1.0
    days, since = (t - state.marks[s, p, _BEGUN]) / _DAY_US, t - state.marks[s, p, _CAME]
    came = since <= _AFTER_US and _came_in(state, s, p, _named(rows.resp_h[i]))
    backs = state.marks[s, p, _BACKS] - (hour == state.marks[s, p, _BACK_HOUR])
    if came and hour != state.marks[s, p, _BACK_HOUR]:
        state.marks[s, p, _BACK_HOUR] = hour
        state.marks[s, p, _BACKS] += 1
    if days < _ENOUGH_DAYS or not 0 <= since <= _AFTER_US:
        return
    evidence = (1.0 + min(days, _MOST_DAYS)) / (1.0 + news) ** 2
    named = named_by(rows.hints[i])
    odd = port_use(rows.resp_p[i]) == FREE
    if named == _NOBODY:
        evidence *= 4.0
    elif named != _UNKNOWN:
        evidence *= 0.5
    if odd:
        evidence *= 2.0
    if came:
        evidence *= 8.0 / (1.0 + backs) ** 2
    if rows.resp_pkts[i] <= 0 or rows.conn_state[i] in (_S0, _REJ):
        evidence *= 0.5
    scores[i] = math.log2(1.0 + evidence)
    facts[i, 0], facts[i, 1], facts[i, 2] = days, news, since / 1e6
    facts[i, 3], facts[i, 4], facts[i, 5] = came, named == _NOBODY, odd


@njit_lean
def _fold(columns, memory, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        s, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            for p in range(_MACHINES):
                if state.machine[s, p] != 0:
                    _clear(state, s, p)
        if rows.local_orig[i] == rows.local_resp[i]:
            continue
        if rows.local_resp[i]:
            if rows.orig_bytes[i] > 0 and rows.resp_bytes[i] > 0 and rows.conn_state[i] != _OTH:
                _visit(rows, i, state, s, t)
        elif _is_destination(rows, i):
            p = _find(state, s, _named(rows.orig_h[i]))
            if p >= 0:
                _call(rows, i, state, s, p, t, scores, facts)
