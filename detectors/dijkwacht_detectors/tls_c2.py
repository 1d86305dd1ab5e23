"""Encrypted command and control: TLS to a server that has no name, and that nobody vouches for.

Looks at the hellos of each machine to each service outside. Software is told names: it looks one up,
says it in its hello, and is shown a certificate that others signed. Malware is told addresses, and its
masters make their certificates themselves. Each hello that names no server, or an address, counts;
for less where DNS had named the address, or was not seen to. The certificate multiplies, if it shows:
one that signs itself by 4, one of somebody's own authority by a half, each other oddity by 1.5 (valid
longer than the 398 days that browsers take, expired or not yet valid, without a subject or alternative
names). So do a port where TLS is unusual (2), a hello of before TLS 1.2 (1.5), and how many
destinations one machine greets in the same nameless way: what calls home has a list. The score is log₂
of the product; the number of hellos enters by its root, because many add little to a few, and no
further than sixteen where no certificate signs itself: a bank's program greets as often.

Innocents weigh less: services that machines share, signatures of several machines, what the site has
known for days, clients that offer a web protocol or refuse certificates (browsers, by address), push
messages, telephony, remote desktops and name services, and everything inside, where printers, cameras
and storage sign for themselves.

Limits: a server that is reached by its name and has an ordinary certificate says nothing here. A hello
that names its server counts only if the certificate signs itself, and little: abandoned web sites look
so. A gadget or an alarm panel that calls a bare address with a certificate of its maker's looks the same until
it is known; so one hello alone is weak. TLS 1.3 hides certificates: then the rest must do. 48 B an entity.

>>> from dijkwacht_detectors.checks import score_rows
>>> call = {"table": "flows", "resp_p": 4443, "hints": 3 << 6}  # an address that DNS did not name
>>> hello = {"table": "tls", "resp_p": 4443, "version": 0x0303, "ja4": "t12i19", "cert_flags": 3}
>>> float(score_rows(TlsC2(), [call] + [hello] * 9)[-1].round(1))
4.6
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, Reads, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.hinted import named_by
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.pool import give_back, place_of
from dijkwacht_records.hints import Named
from dijkwacht_records.vocabulary import Alpn, CertFlag, HelloFlag

_TLS = 1  # the place of this table in ``reads``
_TLS_1_2 = 0x0303
_CUT = int(HelloFlag.CUT)
_SEEN, _SELF_SIGNED = int(CertFlag.SEEN), int(CertFlag.SELF_SIGNED)
_EMPTY, _NO_ALTERNATIVE = int(CertFlag.EMPTY_SUBJECT), int(CertFlag.NO_ALTERNATIVE)
_UNTIMELY = int(CertFlag.EXPIRED | CertFlag.NOT_YET)
_OTHER_NAME = int(CertFlag.OTHER_NAME)
_NO_ALPN, _OTHER_ALPN = int(Alpn.NONE), int(Alpn.OTHER)
_BY_ORIG, _BY_OTHER, _NOBODY = int(Named.BY_ORIG), int(Named.BY_OTHER), int(Named.NOBODY)
_LONGEST_DAYS = 398
"""Browsers refuse a certificate that is valid for longer, since 2020."""
_MANY = 16.0
"""Hellos an hour beyond which more say little: who hands a bank its payments greets it as often as who asks
for orders."""
_SETTLED_US = 3 * 86_400e6
_REFUSALS = (43, 44, 46, 47, 49)
"""Alerts of bad, unsupported, expired, unknown certificates, and of an unknown authority."""
_CALLER_INSIDE, _SERVER_INSIDE, _MET = 1, 2, 4


class TlsC2(RowDetector):
    """Hellos of one machine to one service outside that has no name, and their certificates."""

    name = "tls_c2"
    reads: ClassVar[Reads] = {
        "flows": ("orig_h", "resp_h", "resp_p", "part", "local_orig", "local_resp", "hints"),
        "tls": (
            "orig_h", "resp_h", "resp_p", "version", "server_name", "hello_flags", "alpn",
            "cert_days", "cert_flags", "alert",
        ),
    }  # fmt: skip
    context = ("ja4_machines", "ja4_dests", "dest_first", "dest_machines")
    entity: ClassVar[Entity] = ("orig_h", "resp_h", "resp_p")
    passes_over = True
    kind = "c2"
    technique = "T1573.002"
    facts = ("hellos", "nameless", "unnamed", "self_signed", "destinations")
    # Both as `guessed_logon`'s, which names its entities alike: so they share a table of them.
    entities_per_site = 8192
    forget_after_s = 36 * 3600
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "times": ("i8", (2,)),
        "traits": ("i1", (8,)),
        "pooled_amounts": ("f4", (4,)),
    }

    share = 3 / 80
    expected = (3.5, 0.5)
    """A payment terminal in a busy shop: a fixed address and port, an authority of its bank's own."""
    half_life_s = 3600.0
    """Long enough for what calls every few minutes, short enough for what calls once an hour to stay one."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each hello, as soon as its flow was seen."""
        name = rows["server_name"]
        _fold(
            _columns(rows), name.offsets, name.blob, rows.table, _memory(state),
            self.half_life_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what is missing: a name, or someone who vouches for the server."""
        if facts["nameless"] < 0.5:
            return Explanation(
                "{src} holds encrypted conversations with {dst}, a server that only vouches for itself.",
                "{src} voert versleutelde gesprekken met {dst}, een server die alleen voor zichzelf instaat.",
                _WHAT_TO_DO,
                _WAT_TE_DOEN,
            )
        if facts["destinations"] >= 2:
            return Explanation(
                "{src} holds encrypted conversations with more than one server that it does not call "
                "by a name, {dst} among them.",
                "{src} voert versleutelde gesprekken met meerdere servers die het niet bij naam noemt, "
                "waaronder {dst}.",
                _WHAT_TO_DO,
                _WAT_TE_DOEN,
            )
        return Explanation(
            "{src} holds encrypted conversations with {dst}, which it does not call by a name.",
            "{src} voert versleutelde gesprekken met {dst}, dat het niet bij naam noemt.",
            _WHAT_TO_DO,
            _WAT_TE_DOEN,
        )


_WHAT_TO_DO = (
    "Programs normally call a server by its name, and check that someone else vouches for it. Malware "
    "that takes orders from a server often does neither. If you know what {src} does there (a payment "
    "terminal, an alarm, a colleague's own server), mark this as normal. If not, disconnect {src} and "
    "have it looked at."
)
_WAT_TE_DOEN = (
    "Programma's noemen een server gewoonlijk bij naam en gaan na of een ander ervoor instaat. "
    "Kwaadaardige programma's die hun opdrachten van een server halen, doen vaak geen van beide. Weet u "
    "wat {src} daar doet (een pinautomaat, een alarm, een eigen server van een collega), markeer dit dan "
    "als normaal. Zo niet, koppel {src} los en laat er iemand naar kijken."
)


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    resp_p: NDArray[np.int64]
    version: NDArray[np.int64]
    hello_flags: NDArray[np.int64]
    alpn: NDArray[np.int64]
    cert_days: NDArray[np.int64]
    cert_flags: NDArray[np.int64]
    alert: NDArray[np.int64]
    part: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    ja4_machines: NDArray[np.int64]
    ja4_dests: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    dest_machines: NDArray[np.int64]


class _State(NamedTuple):
    """Few arrays, because each costs a cache line a row. Who names whom it calls has no amounts (`pool`)."""

    times: NDArray[np.int64]
    traits: NDArray[np.int8]
    pooled_place: NDArray[np.int32]
    pooled_used: NDArray[np.int32]
    pooled_amounts: NDArray[np.float32]


_LAST, _FIRST = range(2)  # of times
_NAMELESS, _DOUBTFUL, _ODDITY, _OWN = range(
    4
)  # of amounts: hellos, weights of certificate and client
_MACHINES, _OTHERS, _CALLERS, _NAMED_BY, _PLACE, _VOUCHES, _TOLD, _PENDING = range(8)  # of traits

_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _port(port):  # type: ignore[no-untyped-def]
    """Twice where TLS is unusual, less where programs of good standing are told an address."""
    if port == 443:
        return 1.0
    if port in (853, 3389):  # name services; remote desktops, which all sign for themselves
        return 0.1
    if port in (3478, 5061, 5222, 5223, 5228, 5229, 5230, 5349, 8883):  # telephony, push messages
        return 0.3
    if port in (21, 25, 110, 143, 389, 465, 587, 636, 989, 990, 993, 995, 3269):  # mail, files
        return 0.5
    return 2.0


@njit(cache=True, nogil=True, inline="always")
def _certificate(flags, days):  # type: ignore[no-untyped-def]
    """How odd a certificate is that was seen."""
    odd = 4.0 if flags & _SELF_SIGNED else 0.5
    if days > _LONGEST_DAYS:
        odd *= 1.5
    for flaw in (_EMPTY, _NO_ALTERNATIVE, _UNTIMELY, _OTHER_NAME):
        if flags & flaw:
            odd *= 1.5
    return odd


@njit(cache=True, nogil=True, inline="always")
def _client(version, alpn):  # type: ignore[no-untyped-def]
    """Browsers offer a web protocol, current software TLS 1.2; what calls home often neither."""
    old = 1.5 if 0 < version < _TLS_1_2 else 1.0
    if alpn == _NO_ALPN:
        return old
    return (0.6 if alpn == _OTHER_ALPN else 0.3) * old


@njit(cache=True, nogil=True, inline="always")
def _knowledge(named):  # type: ignore[no-untyped-def]
    """What DNS says against the address."""
    if named == _NOBODY:
        return 1.0
    if named == _BY_ORIG:
        return 0.1
    return 0.25 if named == _BY_OTHER else 0.5


@njit(cache=True, nogil=True, inline="always")
def _names_nobody(blob, begin, end):  # type: ignore[no-untyped-def]
    """No server name, or an address as one."""
    for k in range(begin, end):
        if blob[k] == 58:  # a colon is in no name
            return True
        if blob[k] != 46 and not 48 <= blob[k] <= 57:
            return False
    return True


@njit(cache=True, nogil=True, inline="always")
def _forget(state, e, t):  # type: ignore[no-untyped-def]
    give_back(state.pooled_place, state.pooled_used, e)
    times, traits = state.times, state.traits
    times[e, _LAST] = times[e, _FIRST] = t
    traits[e, _MACHINES] = traits[e, _CALLERS] = 1
    traits[e, _OTHERS] = 0
    traits[e, _NAMED_BY] = traits[e, _PLACE] = traits[e, _VOUCHES] = 0
    traits[e, _TOLD] = traits[e, _PENDING] = 0


@njit(cache=True, nogil=True, inline="always")
def _amounts(state, e):  # type: ignore[no-untyped-def]
    """The amounts of an entity, which are what they are at first if it had none."""
    has_none = state.pooled_place[e] == 0
    place = place_of(state.pooled_place, state.pooled_used, e)
    amounts = state.pooled_amounts[place]
    if has_none:
        amounts[_NAMELESS] = amounts[_DOUBTFUL] = 0.0
        amounts[_ODDITY] = amounts[_OWN] = 1.0
    return amounts


@njit(cache=True, nogil=True, inline="always")
def _meet(rows, i, times, traits, e):  # type: ignore[no-untyped-def]
    """What a flow shows of the two ends."""
    named = named_by(rows.hints[i])
    if named and traits[e, _NAMED_BY] != _BY_ORIG:
        traits[e, _NAMED_BY] = named
    traits[e, _PLACE] = (
        _MET | (_CALLER_INSIDE if rows.local_orig[i] else 0)
        | (_SERVER_INSIDE if rows.local_resp[i] else 0)
    )  # fmt: skip
    times[e, _FIRST] = rows.dest_first[i]
    traits[e, _CALLERS] = min(max(rows.dest_machines[i], 1), 64)


@njit(cache=True, nogil=True, inline="always")
def _greet(rows, i, nobody, state, e):  # type: ignore[no-untyped-def]
    """Take a hello."""
    flags, traits = rows.cert_flags[i], state.traits
    if nobody or flags & (_SEEN | _SELF_SIGNED):
        amounts = _amounts(state, e)
        if flags & _SEEN:
            amounts[_ODDITY] = _certificate(flags, rows.cert_days[i])
            traits[e, _VOUCHES] = 1 if flags & _SELF_SIGNED else 0
        if nobody:
            known = 1 if amounts[_NAMELESS] > 0.0 else 0
            amounts[_NAMELESS] += 1.0
            amounts[_OWN] = _client(rows.version[i], rows.alpn[i])
            traits[e, _MACHINES] = min(max(rows.ja4_machines[i], 1), 64)
            traits[e, _OTHERS] = min(max(rows.ja4_dests[i] - known, 0), 3)
        elif flags & _SELF_SIGNED:
            amounts[_DOUBTFUL] += 1.0
    # who looks at certificates refuses some
    if not nobody or rows.alert[i] in _REFUSALS:
        traits[e, _TOLD] = 1
    traits[e, _PENDING] = 1


@njit_lean
def _fold(columns, offsets, blob, table, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    times, traits = state.times, state.traits
    for i in range(len(rows.time)):
        if table[i] < 0:
            continue
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            _forget(state, e, t)
        if table[i] == _TLS:
            if rows.hello_flags[i] & _CUT:
                continue  # whom it names is not known
            if t > times[e, _LAST]:
                if state.pooled_place[e]:
                    kept = remaining(t - times[e, _LAST], half_life)
                    amounts = state.pooled_amounts[state.pooled_place[e]]
                    amounts[_NAMELESS] *= kept
                    amounts[_DOUBTFUL] *= kept
                times[e, _LAST] = t
            nobody = _names_nobody(blob, offsets[i], offsets[i + 1])
            _greet(rows, i, nobody, state, e)
        elif rows.part[i] == 0:
            _meet(rows, i, times, traits, e)
        else:
            continue
        if not traits[e, _PENDING] or not traits[e, _PLACE] & _MET:
            continue
        traits[e, _PENDING] = 0
        if not traits[e, _PLACE] & _CALLER_INSIDE:
            continue  # who calls from outside is no machine of the site's
        if not state.pooled_place[e]:
            continue
        amounts = state.pooled_amounts[state.pooled_place[e]]
        nameless, doubtful = amounts[_NAMELESS], amounts[_DOUBTFUL]
        machines = traits[e, _MACHINES]
        lone = 1.0 + traits[e, _OTHERS] if machines == 1 else 1.0 / machines
        more = 0.0 if traits[e, _VOUCHES] else max(nameless - 1.0, 0.0)
        evidence = (
            math.sqrt(nameless / (1.0 + more / _MANY)) * _knowledge(traits[e, _NAMED_BY]) * amounts[_OWN] * lone
            * (0.25 if traits[e, _TOLD] else 1.0) + 0.2 * math.sqrt(doubtful)
        )  # fmt: skip
        evidence *= amounts[_ODDITY] * _port(rows.resp_p[i]) / traits[e, _CALLERS]
        evidence /= 1.0 + max(t - times[e, _FIRST], 0) / _SETTLED_US
        if traits[e, _PLACE] & _SERVER_INSIDE:
            evidence *= 0.05
        if evidence <= 0.0:
            continue
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0], facts[i, 1] = nameless + doubtful, 1.0 if nameless > doubtful else 0.0
        facts[i, 2] = 1.0 if traits[e, _NAMED_BY] == _NOBODY else 0.0
        facts[i, 3] = traits[e, _VOUCHES]
        facts[i, 4] = 1.0 + traits[e, _OTHERS] if nameless > doubtful else 1.0
