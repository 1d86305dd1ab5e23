"""Beaconing: a machine calls one address by the clock, as malware calls whoever steers it.

Looks at when flows of one machine to one service begin, and how much they send. Evidence are calls on
a timer (`timer`), at most 48: by then it is sure that it is one, and programs that poll are on a timer,
too. So what counts is what kind of timer it is. Each multiplies the evidence:

- the port: one where programs poll by design (time, mail, push) hardly counts; the web, which every
  program uses, little; any other counts;
- the name: an address outside that nobody asked DNS for counts for most, except at 443 for less, and
  except where a machine calls many such, for then its DNS is not seen. Where it is known not to be,
  the web counts if calls are a few seconds apart; twice as much for HTTP in the clear from a workstation;
- sizes alike; hours, twice as much if it called in each of the last 24; and pace, up to twice as much
  for calls a second apart;
- company: less for each other machine of the site that calls there, and after days of acquaintance;
  more for an address without a name that a known machine begins to call, most if its world was complete;
- inside the site hardly, and at a server of several not at all;
- calls minutes apart, each of which goes on until the next, hardly: that is a line, renewed by its time-out or a
  few minutes after it, as messengers and browsers keep one;
- of a device whose network code has a few KiB, a tenth: no stranger's program runs on an inverter's or a lock's
  microcontroller, which is told by the SYN it sends;
- calls that are never accepted hardly: a program whose server is gone keeps trying. Calls that are
  accepted and not answered a byte at once count half as much again, and a second apart, whatever port and name.

Innocents: telemetry, updaters, clocks, hubs and locks that call a dead server, infrastructure that
reports home every half minute, cameras that keep their NAT open, monitoring. Most of them have names,
poll at the web's ports, or do not get through.

Limits: a beacon that has a name is not told from what reports to its maker here (see `beacon_names`);
nor one among many other calls to the same server, one that keeps a connection open, or one inside
the site that asks a single machine, as a hub asks its lamps. Less than six calls have no score, and
an hour's timer takes a day. 61 bytes an entity, and 120 more of one that calls again.

>>> from dijkwacht_detectors.checks import score_rows
>>> from dijkwacht_records.hints import NAMED, Named
>>> calls = [{"time": i * 30_000_000, "start": i * 30_000_000, "resp_p": 4444, "orig_bytes": 300,
...           "resp_bytes": 200, "conn_state": 3, "resp_h": 0xC6336409,
...           "hints": NAMED.put(Named.NOBODY)} for i in range(20)]
>>> float(score_rows(Beacon(), calls)[-1].round(1))
6.5
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_no_host
from dijkwacht_detectors.knowledge.hinted import named_by
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.timer import (
    TIMER,
    Timer,
    call,
    credit,
    hours_of,
    long_and_fast,
    pace,
    reset,
    say_interval,
    strangeness,
)
from dijkwacht_records.hints import (
    OPTIONS,
    SPEECH,
    WINDOW,
    Named,
    Speech,
    SynOptions,
    SynWindow,
)
from dijkwacht_records.tables import ConnState

_TCP: Final = 6
_UDP: Final = 17
_REPORTS: Final = 0.25
_LONG_S: Final = (
    100.0  # between calls; of quicker ones an ordinary connection's time-out fills half
)
_NIGHT: Final = 1.6
"""Rests, by the timer's gap, from which on one is no rest of the timer's: it was switched off."""
_UNKNOWN, _NOBODY = int(Named.UNKNOWN), int(Named.NOBODY)
_S0, _REJ, _RSTOS0 = int(ConnState.S0), int(ConnState.REJ), int(ConnState.RSTOS0)


_SHAPE: Final = SPEECH.put(15) | OPTIONS.put(7) | WINDOW.put(3)
_PLAIN_PC: Final = (
    SPEECH.put(Speech.HTTP) | OPTIONS.put(SynOptions.TWELVE) | WINDOW.put(SynWindow.LARGE)
)
"""HTTP in the clear from what opens connections as Windows does: its programs call by name, devices need not."""
_SYN: Final = OPTIONS.put(7) | WINDOW.put(3)
_TINY: Final = OPTIONS.put(SynOptions.FOUR) | WINDOW.put(SynWindow.SMALL)
"""No word of acknowledging in part, and room for a few segments: no system on which one installs a program."""


class Beacon(RowDetector):
    """Connections of one machine to one service, on a timer."""

    name = "beacon"
    table = "flows"
    reads = (
        "part", "start", "resp_h", "resp_p", "proto", "conn_state", "orig_bytes", "resp_bytes",
        "resp_pkts", "local_orig", "local_resp", "hints",
    )  # fmt: skip
    context = (
        "dest_first", "dest_machines", "dest_serves", "orig_first", "orig_serves", "orig_news",
        "orig_nameless",
    )  # fmt: skip
    entity: ClassVar[Entity] = "pair"
    kind = "c2"
    technique = "T1071"
    facts = ("interval_s", "spread", "calls", "hours", "unnamed", "unanswered")
    entities_per_site = 2048
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        **TIMER,
        "named": ("i1", ()),
        "size": ("f4", ()),
        "unlike": ("f4", ()),
        "refused": ("f4", ()),
        "mute": ("f4", ()),
        "heard": ("u1", ()),
        "until": ("i8", ()),
        "rested": ("f4", ()),
    }

    share = 1 / 24
    expected = (4.3, 0.5)

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each call."""
        _fold(_columns(rows), _timer(state), _memory(state), scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how often it calls, and what is odd about that."""
        often, vaak = say_interval(facts["interval_s"])
        calls = round(facts["calls"])
        odd = vreemd = ""
        if facts["unanswered"] > 0.5:
            odd = " {dst} takes the calls and says nothing."
            vreemd = " {dst} neemt op en zegt niets terug."
        elif facts["unnamed"] > 0.5:
            odd = " It was not looked up by name, as programs nearly always do."
            vreemd = " Het adres is niet bij naam opgezocht, wat programma's bijna altijd doen."
        return Explanation(
            f"{{src}} keeps calling {{dst}} (port {{port}}) like clockwork: about every {often}.",
            f"{{src}} belt met de regelmaat van de klok met {{dst}} (poort {{port}}): ongeveer elke {vaak}.",
            f"It called at least {calls} times.{odd} Programs that let a stranger steer a machine report "
            "like this; so do some that look after a device. If you do not know what {dst} is for, "
            "disconnect {src} from the network, and ask your IT supplier which program makes these "
            "calls.",
            f"Dat gebeurde minstens {calls} keer.{vreemd} Programma's waarmee een vreemde een apparaat "
            "bestuurt melden zich zo; sommige die een apparaat onderhouden ook. Weet u niet waar {dst} "
            "voor dient, koppel {src} dan los van het netwerk en vraag uw IT-leverancier welk programma "
            "dit doet.",
        )


_WEB: Final = (80, 443, 8080, 8443)
_ASKS: Final = (53, 67, 68, 123, 137, 138, 161, 853, 1900, 3478, 3702, 5349, 5350, 5353, 5355)
_WAITS: Final = (25, 110, 143, 465, 500, 587, 993, 995, 1883, 4500, 5222, 5223, 5228, 8883)
"""Ports of the web; where names, time and groups are asked for; where mail and messages are waited for."""


def _weights_of_ports() -> NDArray[np.float32]:
    weights = np.ones(1 << 16, np.float32)
    weights[list(_WEB)], weights[list(_ASKS)], weights[list(_WAITS)] = 0.03, 0.01, 0.02
    return weights


_OF_PORT: Final = _weights_of_ports()
_ODD: Final = 1.0


@njit(cache=True, nogil=True, inline="always")
def _is_web(port):  # type: ignore[no-untyped-def]
    return port in (80, 443, 8080, 8443)


@njit(cache=True, nogil=True, inline="always")
def _of_port(port, proto, named, nameless, gap):  # type: ignore[no-untyped-def]
    """How odd a timer is at this port, towards an address of such a name."""
    weight = float(_OF_PORT[port & 0xFFFF])
    if weight < _ODD and not _is_web(port):
        return weight
    if weight == _ODD and named not in (_UNKNOWN, _NOBODY):
        # named, and yet at no port of a service: devices that report to their maker, and trojans
        weight = _REPORTS
    if named == _NOBODY:
        # in plain words to a bare address, or at no port of a service: hardly anybody's way.
        # Over TLS messengers, calls and what distrusts the site's DNS do so
        others = max(nameless - 1.0, 0.0)
        bare = (2.0 if port in (443, 8443) else 4.0) / (1.0 + others / 4.0)
        weight = max(bare, min(weight, _REPORTS))
    elif named == _UNKNOWN and weight < _ODD:
        # where DNS is not seen, telemetry has no name either; but it can wait for some seconds
        weight = max(weight, 1.0 / (1.0 + (gap / 4.0) ** 2))
    # calls, games and tunnels keep the way through NAT open
    return weight * 0.05 if proto == _UDP else weight


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    start: NDArray[np.int64]
    resp_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    conn_state: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    resp_pkts: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    dest_machines: NDArray[np.int64]
    dest_serves: NDArray[np.int64]
    orig_first: NDArray[np.int64]
    orig_serves: NDArray[np.int64]
    orig_news: NDArray[np.float64]
    orig_nameless: NDArray[np.float64]


class _State(NamedTuple):
    named: NDArray[np.int8]
    size: NDArray[np.float32]
    unlike: NDArray[np.float32]
    refused: NDArray[np.float32]
    mute: NDArray[np.float32]
    heard: NDArray[np.uint8]
    until: NDArray[np.int64]
    rested: NDArray[np.float32]


_columns, _memory, _timer = (
    row_picker(_Rows._fields),
    picker(_State._fields),
    picker(Timer._fields),
)


@njit_lean
def _traits(hints, proto, conn, sent, received, answers):  # type: ignore[no-untyped-def]
    """Of one call: how it is named, the logarithm of its size, and 0 or 1: refused, and answered by nothing."""
    size = math.log(16.0 + min(max(float(sent), 0.0), 1e15))
    unheard = conn in (_S0, _REJ, _RSTOS0)
    refused = unheard if proto == _TCP else answers <= 0
    mute = not refused and received <= 0
    return named_by(hints), size, refused, mute


@njit_lean
def _learn(state, e, traits, first):  # type: ignore[no-untyped-def]
    """What is known of a pair beside its timer: its name, its sizes, and how it is answered."""
    named, size, refused, mute = traits
    # a name holds: a program that goes on for days does not look up again
    if named != _UNKNOWN and (state.named[e] in (_UNKNOWN, _NOBODY)):
        state.named[e] = named
    rate = 1.0 if first else 0.15
    if first:
        state.size[e] = size
    off = min(abs(size - state.size[e]), 1.0)
    state.size[e] += rate * (size - state.size[e])
    state.unlike[e] += 0.15 * (off - state.unlike[e])
    state.refused[e] += rate * (refused - state.refused[e])
    state.mute[e] += rate * (mute - state.mute[e])


@njit_lean
def _weigh(named, refused, mute, service, median, nameless):  # type: ignore[no-untyped-def]
    """What a call on this timer is worth by how it is named and answered, and by the service."""
    port, proto, inside, serves = service
    weight = _of_port(port, proto, named, nameless, median)
    if inside:
        # hubs ask their lamps, browsers the printer's page, consoles their machines
        weight = 0.2 if serves <= 1 and _is_web(port) else min(weight, 0.1)
        if serves > 2:
            weight *= 0.1
    elif proto == _TCP:
        if median < 1.5:
            weight = max(weight, 1.5 * mute**2)  # a call a second, and never a word
        weight *= 1.0 + 0.5 * mute**2  # what is gone does not accept; what is sinkholed does
    return weight * ((1.0 - refused) ** 2 * 0.95 + 0.05)


@njit_lean
def _fold(columns, timers, memory, scores, facts):  # type: ignore[no-untyped-def]
    rows, timer, state = _Rows(*columns), Timer(*timers), _State(*memory)
    for i in range(len(rows.slot)):
        e = rows.slot[i]
        if rows.fresh[i]:
            reset(timer, e)
            state.named[e] = 0
            state.size[e] = state.unlike[e] = state.refused[e] = state.mute[e] = 0.0
            state.until[e], state.rested[e], state.heard[e] = 0, 1.0, 0
        proto = rows.proto[i]
        if rows.part[i] != 0 or proto not in (_TCP, _UDP):
            if timer.calls[e] > 0:
                state.until[e] = max(state.until[e], rows.time[i])
                if rows.resp_bytes[i] > 0:
                    state.heard[e] = 1  # it takes its time
            continue
        if rows.local_resp[i] and not rows.local_orig[i]:
            continue  # who calls in from outside is no machine of the site
        first = timer.calls[e] == 0
        if first and is_no_host(rows.resp_h[i, 0], rows.resp_h[i, 1]):
            continue
        if not call(timer, e, rows.start[i]):
            continue
        traits = _traits(
            rows.hints[i], proto, rows.conn_state[i],
            rows.orig_bytes[i], rows.resp_bytes[i], rows.resp_pkts[i],
        )  # fmt: skip
        _learn(state, e, traits, first)
        median, spread = pace(timer, e)
        if median > _LONG_S:
            rest = (float(rows.start[i]) - float(state.until[e])) / (1e6 * median)
            if rest < _NIGHT:
                state.rested[e] += 0.3 * (min(max(rest, 0.0), 1.0) - state.rested[e])
        state.until[e] = max(rows.start[i], rows.time[i])
        if median <= 0.0:
            continue
        calls = credit(timer, e, spread)
        hours = hours_of(timer, e)
        alike = 1.0 / (1.0 + 2.0 * state.unlike[e])
        named, mute, time = state.named[e], state.mute[e], float(rows.time[i])
        service = rows.resp_p[i], proto, rows.local_resp[i] != 0, rows.dest_serves[i]
        weight = _weigh(named, state.refused[e], mute, service, median, rows.orig_nameless[i])
        # behind a name addresses change, so that a new one says nothing
        acquainted = time - float(rows.orig_first[i]) if named == _NOBODY else 0.0
        weight = weight * strangeness(
            float(rows.dest_machines[i]), time - float(rows.dest_first[i]), acquainted,
            rows.orig_news[i],
        ) * long_and_fast(hours, median) * min(1.0, 0.02 + 6.0 * state.rested[e] ** 2)  # fmt: skip
        unnamed = named in (_NOBODY, _UNKNOWN)
        if unnamed and rows.orig_serves[i] == 0 and rows.hints[i] & _SHAPE == _PLAIN_PC:
            weight *= 2.0
        if proto == _TCP and rows.hints[i] & _SYN == _TINY:
            weight *= 0.1
        scores[i] = math.log2(1.0 + calls * alike * weight)
        facts[i, 0] = median
        facts[i, 1] = spread
        facts[i, 2] = timer.calls[e]
        facts[i, 3] = hours
        facts[i, 4] = named == _NOBODY
        facts[i, 5] = 0.0 if state.heard[e] else mute
