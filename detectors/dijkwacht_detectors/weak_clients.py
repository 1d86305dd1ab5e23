"""What a site's own machines use that somebody should know of: programs for remote help, tunnels, open and old ways out.

Two closed lists. A program of the first (`remote_tools`) is told of the machine inside that asks for, or calls, a name at
which only the program itself works, or is answered at a port that is the program's own. A way of the second
(`unsafe_ways`) is told of the machine inside that goes out by it: Telnet, a password taken in the clear (FTP, mail, HTTP,
LDAP), SMB with a machine on the internet, a program that knows no TLS newer than 1.1. What is told is a fact, not a guess
that something is wrong, so nobody is called: it is kept as context, once a week for each machine and rule.
Who was asked for such a name itself within the last minute asks for somebody else, and is not counted.
The score is log₂ of one more than the number of rules that the machine broke within the week.

Innocents: the IT supplier's own program. It is true of the machine all the same; "this is normal" ends it.

Limits: programs that the list lacks, those that call a server of the supplier's own, and names that are not seen (DNS
over TLS, encrypted hellos); logs of sensors that tell which version of TLS was agreed on, and not which was offered. Where only a resolver's own questions are seen, it is what is told. A site has 512 pairs of
machine and rule a week. A site takes 17 kB.

>>> from dijkwacht_detectors.checks import score_rows
>>> till = bytes(10) + bytes((255, 255, 192, 168, 1, 20))
>>> asks = {"table": "dns", "time": 10**6, "orig_h": till, "resp_p": 53, "question": 1}
>>> rows = [asks | {"query": name} for name in ("www.anydesk.com", "relay-5.net.anydesk.com")]
>>> score_rows(WeakClients(), rows).tolist()
[nan, 1.0]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Explanation, Reads, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.addresses import is_no_host, is_private
from dijkwacht_detectors.knowledge.remote_tools import TOOLS, tool_at, tool_of
from dijkwacht_detectors.knowledge.unsafe_ways import (
    OLD_TLS,
    SMB_OUT,
    TELNET,
    WAYS,
    clear_password,
    is_old,
)
from dijkwacht_detectors.state import weekly
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.shortlist import name_of
from dijkwacht_detectors.state.weekly import Weekly, say
from dijkwacht_records.tables import ConnState
from dijkwacht_records.vocabulary import HelloFlag

_FLOWS, _DNS, _TLS = range(3)  # the places of these tables in ``reads``; the fourth is auth
_TCP: Final = 6
_UNSEEN: Final = (int(ConnState.OTH), int(ConnState.SHR), int(ConnState.RSTRH))
"""Connections of which the SYN was not seen: who called whom is not sure."""
_SMB_PORTS: Final = (139, 445)
_TELNET_PORT, _DNS_PORT = 23, 53
_CUT: Final = int(HelloFlag.CUT)
_ONE_QUESTION_US: Final = 60e6


class WeakClients(RowDetector):
    """What machines inside use against good practice, each once a week, as context."""

    name = "weak_clients"
    reads: ClassVar[Reads] = {
        "flows": ("orig_h", "resp_h", "resp_p", "proto", "conn_state", "resp_bytes", "local_orig", "local_resp"),
        "dns": ("orig_h", "resp_h", "resp_p", "query", "question"),
        "tls": ("orig_h", "resp_h", "resp_p", "proto", "version", "server_name", "hello_flags", "ja4"),
        "auth": ("orig_h", "resp_h", "resp_p", "service", "method", "succeeded"),
    }  # fmt: skip
    entity = "site"
    passes_over = True
    kind = "policy"
    technique = "T1219"
    facts = weekly.FACTS
    who = Who()
    interrupts = False
    entities_per_site = 1
    forget_after_s = weekly.FORGET_AFTER_S
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        **weekly.REMEMBERED,
        "asked": ("u8", ()),
        "asked_at": ("i8", ()),
    }

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score the first row of the week that shows a rule broken."""
        query, server, client = rows["query"], rows["server_name"], rows["ja4"]
        _fold(
            _columns(rows), rows.table, (query.offsets, query.blob, server.offsets, server.blob, client.offsets),
            _memory(state), _asked(state), scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what is used, why it matters and what to do."""
        rule = round(min(facts["rule"], 1e6))
        also = round(min(facts["rules"], 1e6))
        more_en = f" It is one of {also} such things of {{src}} this week." if also > 1 else ""
        more_nl = f" Dit is een van {also} zulke dingen van {{src}} deze week." if also > 1 else ""
        tool = TOOLS.get(rule)
        if tool is not None:
            does_en, does_nl = (
                ("opens a way from the internet into your network, past the router", "een weg van internet uw netwerk in opent, langs de router")
                if tool.tunnels
                else ("lets somebody elsewhere see and steer this machine", "iemand elders dit apparaat laat zien en besturen")
            )  # fmt: skip
            return Explanation(
                f"{tool.name} is at work on {{src}}: a program that {does_en}.",
                f"{tool.name} is actief op {{src}}: een programma dat {does_nl}.",
                "Suppliers of IT use such programs, and so do swindlers who telephone and intruders who want to come back. "
                "If nobody here or at your IT supplier knows of it, disconnect {src} and have it removed; if it is theirs, "
                "make sure that it asks for a second factor." + more_en,
                "IT-leveranciers gebruiken zulke programma's, maar ook oplichters die opbellen en indringers die willen "
                "terugkomen. Weet niemand hier of bij uw IT-leverancier ervan, koppel {src} dan los en laat het verwijderen; is het van "
                "hen, zorg dan dat het om een tweede factor vraagt." + more_nl,
                "T1572" if tool.tunnels else "T1219",
            )
        way = WAYS.get(rule, WAYS[TELNET])
        return Explanation(
            f"{{src}} uses {way.en}.",
            f"{{src}} gebruikt {way.nl}.",
            f"It did so with {{dst}}, at port {{port}}. {way.why_en}" + more_en,
            f"Dat was met {{dst}}, op poort {{port}}. {way.why_nl}" + more_nl,
            way.technique,
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    conn_state: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    question: NDArray[np.int64]
    version: NDArray[np.int64]
    hello_flags: NDArray[np.int64]
    service: NDArray[np.int64]
    method: NDArray[np.int64]
    succeeded: NDArray[np.int64]


class _Asked(NamedTuple):
    """Of each site: who was last asked for a name of the list, and when."""

    asked: NDArray[np.uint64]
    asked_at: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(Weekly._fields)
_asked = picker(_Asked._fields)


@njit(cache=True, nogil=True, inline="always")
def _is_for_another(rows, last, i, e):  # type: ignore[no-untyped-def]
    """Whether row ``i``, a question for a listed name, passes on what was asked; and remember who is asked now."""
    since = float(rows.time[i]) - float(last.asked_at[e])
    asker = name_of(rows.orig_h[i, 0], rows.orig_h[i, 1])
    passed_on = last.asked[e] == asker and since < _ONE_QUESTION_US
    if not passed_on:
        last.asked[e] = name_of(rows.resp_h[i, 0], rows.resp_h[i, 1])
        last.asked_at[e] = rows.time[i]
    return passed_on


@njit(cache=True, nogil=True, inline="always")
def _goes_out(rows, i):  # type: ignore[no-untyped-def]
    """The rule that flow ``i``, answered from outside, breaks; 0 for none."""
    tcp, port = rows.proto[i] == _TCP, rows.resp_p[i]
    high, low = rows.resp_h[i, 0], rows.resp_h[i, 1]
    unsure = tcp and rows.conn_state[i] in _UNSEEN
    if unsure or is_private(high, low) or is_no_host(high, low):
        return 0
    if tcp and port == _TELNET_PORT:
        return TELNET
    return SMB_OUT if tcp and port in _SMB_PORTS else tool_at(rows.proto[i], port)


@njit(cache=True, nogil=True, inline="always")
def _asks(rows, texts, last, i):  # type: ignore[no-untyped-def]
    """The tool whose name row ``i``, of DNS, asks for; 0 for none."""
    if rows.question[i] <= 0 or rows.resp_p[i] != _DNS_PORT:
        return 0
    tool = tool_of(texts[1], texts[0][i], texts[0][i + 1])
    return tool if tool and not _is_for_another(rows, last, i, rows.slot[i]) else 0


@njit(cache=True, nogil=True, inline="always")
def _greets(rows, texts, i):  # type: ignore[no-untyped-def]
    """The rule that a hello of TLS breaks, by whom it names or by how old it is; 0 for none."""
    tool = tool_of(texts[3], texts[2][i], texts[2][i + 1])
    if tool:
        return tool
    offer = texts[4][i + 1] > texts[4][i]  # else its version is what was agreed on
    whole = offer and rows.proto[i] == _TCP and not rows.hello_flags[i] & _CUT
    return OLD_TLS if whole and is_old(rows.version[i]) else 0


@njit(cache=True, nogil=True, inline="always")
def _rule(rows, table, texts, last, i):  # type: ignore[no-untyped-def]
    """The rule that row ``i`` shows broken, 0 for none."""
    if table == _FLOWS:
        out = rows.local_orig[i] and not rows.local_resp[i] and rows.resp_bytes[i] > 0
        return _goes_out(rows, i) if out else 0
    if not is_private(rows.orig_h[i, 0], rows.orig_h[i, 1]):
        return 0
    if table == _DNS:
        return _asks(rows, texts, last, i)
    if table == _TLS:
        return _greets(rows, texts, i)
    if is_private(rows.resp_h[i, 0], rows.resp_h[i, 1]):
        return 0
    return clear_password(rows.service[i], rows.method[i], rows.succeeded[i], rows.resp_p[i])


@njit_lean
def _fold(columns, tables, texts, memory, asked, scores, facts):  # type: ignore[no-untyped-def]
    rows, week, last = _Rows(*columns), Weekly(*memory), _Asked(*asked)
    for i in range(len(rows.time)):
        if tables[i] < 0:
            continue
        e = rows.slot[i]
        if rows.fresh[i]:
            weekly.forget(week, e)
            last.asked[e] = 0
            last.asked_at[e] = 0
        rule = _rule(rows, tables[i], texts, last, i)
        if rule == 0:
            continue
        machine = name_of(rows.orig_h[i, 0], rows.orig_h[i, 1])
        scores[i] = say(week, e, machine, rule, rows.time[i], facts[i])
