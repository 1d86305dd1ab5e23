"""What a site's own machines offer that they should not: services open to the internet, and old or open ways to log in.

Two closed lists. A service of the first (`exposed_services`: desktops, files, databases, controls, management) is told
when it answered somebody outside with data: by TCP in a connection of which the beginning was seen, by UDP one that
called from no service's own port. A way of the second (`unsafe_ways`) is told of the machine inside that is logged in to
or called: Telnet and remote shells of old, a password taken in the clear (FTP, mail, HTTP, LDAP), SMB1, TLS 1.1 and
older with a client that can do better or whose offer is not told, ciphers that protect nothing, an expired certificate. What is told is a fact, not
a guess that something is wrong, so nobody is called: it is kept as context, once a week for each machine and rule.
The score is log₂ of one more than the number of rules that the machine broke within the week.

Innocents: a site that offers such a service on purpose. It is true of it all the same; "this is normal" ends it.

Limits: a port says what usually listens there; where the first payload is HTTP, TLS or SSH at a port of something else,
nothing is told. What a router answers itself, before the sensor, is not seen; nor which certificate TLS 1.3 shows, nor
NTLM's version. A site has 512 pairs of machine and rule a week. A site takes 17 kB.

>>> from dijkwacht_detectors.checks import score_rows
>>> outsider, till = (bytes(10) + bytes((255, 255, *v4)) for v4 in ((203, 0, 113, 9), (192, 168, 1, 20)))
>>> answer = {"table": "flows", "orig_h": outsider, "resp_h": till, "resp_p": 3389, "proto": 6, "resp_bytes": 900}
>>> rows = [answer | {"time": at, "conn_state": 3, "local_orig": 0, "local_resp": 1} for at in (10**6, 2 * 10**6)]
>>> score_rows(WeakServices(), rows).tolist()
[1.0, nan]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Explanation, Reads, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.addresses import is_no_host, is_private
from dijkwacht_detectors.knowledge.exposed_services import EXPOSED, exposed_at, speaks_web
from dijkwacht_detectors.knowledge.hinted import speech_of
from dijkwacht_detectors.knowledge.unsafe_ways import (
    BROKEN_CIPHER,
    EXPIRED,
    OLD_TLS,
    RSHELL,
    SMB1,
    TELNET,
    WAYS,
    clear_password,
    is_broken,
    is_old,
)
from dijkwacht_detectors.state import weekly
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.shortlist import name_of
from dijkwacht_detectors.state.weekly import Weekly, say
from dijkwacht_records.hints import Speech
from dijkwacht_records.tables import ConnState
from dijkwacht_records.vocabulary import CertFlag, RpcKind, RpcVia

_FLOWS, _TLS, _RPC = range(3)  # the places of these tables in ``reads``; the fourth is auth
_TCP, _UDP = 6, 17
_BEGUN: Final = tuple(
    int(state)
    for state in (
        ConnState.S1, ConnState.SF, ConnState.S2, ConnState.S3, ConnState.RSTO, ConnState.RSTR,
    )
)  # fmt: skip
"""Connections of which the SYN and its answer were seen: who called whom is sure."""
_WEB_SPEECH: Final = (int(Speech.HTTP), int(Speech.TLS), int(Speech.SSH))
_SMB1: Final = int(RpcVia.SMB1)
_USED: Final = (int(RpcKind.SESSION), int(RpcKind.TREE), int(RpcKind.PIPE), int(RpcKind.FILES))
_SEEN, _EXPIRED = int(CertFlag.SEEN), int(CertFlag.EXPIRED)
_FIRST_FREE_PORT: Final = 1024
_TELNET_PORT: Final = 23
_RSHELL_PORTS: Final = (512, 513, 514)


class WeakServices(RowDetector):
    """What machines inside offer against good practice, each once a week, as context."""

    name = "weak_services"
    reads: ClassVar[Reads] = {
        "flows": (
            "orig_h", "resp_h", "orig_p", "resp_p", "proto", "conn_state", "resp_bytes", "local_orig",
            "local_resp", "hints",
        ),
        "tls": ("orig_h", "resp_h", "resp_p", "version", "server_version", "cipher", "cert_flags", "ja4"),
        "rpc": ("orig_h", "resp_h", "resp_p", "via", "kind"),
        "auth": ("orig_h", "resp_h", "resp_p", "service", "method", "succeeded"),
    }  # fmt: skip
    entity = "site"
    passes_over = True
    kind = "policy"
    technique = "T1133"
    facts = weekly.FACTS
    who = Who()
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "dst"
    interrupts = False
    entities_per_site = 1
    forget_after_s = weekly.FORGET_AFTER_S
    state = weekly.REMEMBERED

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score the first row of the week that shows a rule broken."""
        _fold(_columns(rows), rows.table, rows["ja4"].offsets, _memory(state), scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what is offered, why it matters and what to do."""
        rule = round(min(facts["rule"], 1e6))
        also = round(min(facts["rules"], 1e6))
        more_en = f" It is one of {also} such things of {{dst}} this week." if also > 1 else ""
        more_nl = f" Dit is een van {also} zulke dingen van {{dst}} deze week." if also > 1 else ""
        if rule in EXPOSED:
            service = EXPOSED[rule]
            return Explanation(
                f"{{dst}} can be reached from the internet by way of {service.en}.",
                f"{{dst}} is vanaf internet bereikbaar via {service.nl}.",
                f"Somebody outside, {{src}}, called it at port {{port}} and it answered. {service.risk.en} If nobody "
                "needs this from outside, close it in your router; else let people in by a VPN only, and ask your "
                "IT supplier." + more_en,
                f"Iemand van buiten, {{src}}, riep het aan op poort {{port}} en het antwoordde. {service.risk.nl} Heeft "
                "niemand dit van buiten nodig, sluit het dan af in uw router; laat mensen anders alleen via een VPN binnen, "
                "en vraag uw IT-leverancier." + more_nl,
                service.risk.technique,
            )
        way = WAYS.get(rule, WAYS[TELNET])
        return Explanation(
            f"{{dst}} offers {way.en}.",
            f"{{dst}} biedt {way.nl} aan.",
            f"{{src}} used it at port {{port}}. {way.why_en}" + more_en,
            f"{{src}} gebruikte het op poort {{port}}. {way.why_nl}" + more_nl,
            way.technique,
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    orig_p: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    conn_state: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    version: NDArray[np.int64]
    server_version: NDArray[np.int64]
    cipher: NDArray[np.int64]
    cert_flags: NDArray[np.int64]
    via: NDArray[np.int64]
    kind: NDArray[np.int64]
    service: NDArray[np.int64]
    method: NDArray[np.int64]
    succeeded: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(Weekly._fields)


@njit(cache=True, nogil=True, inline="always")
def _is_outsider(rows, i):  # type: ignore[no-untyped-def]
    """Whether flow ``i`` began outside, as far as that is sure."""
    high, low = rows.orig_h[i, 0], rows.orig_h[i, 1]
    if rows.local_orig[i] or is_private(high, low) or is_no_host(high, low):
        return False
    # From a service's own port come answers that outlived their question.
    return (
        rows.proto[i] == _TCP
        or rows.orig_p[i] >= _FIRST_FREE_PORT
        or rows.orig_p[i] == rows.resp_p[i]
    )


@njit(cache=True, nogil=True, inline="always")
def _offered(rows, i):  # type: ignore[no-untyped-def]
    """The rule that flow ``i``, answered by a machine inside, breaks; 0 for none."""
    tcp = rows.proto[i] == _TCP
    number = exposed_at(rows.proto[i], rows.resp_p[i]) if tcp or rows.proto[i] == _UDP else 0
    if (
        number == 0
        or (tcp and rows.conn_state[i] not in _BEGUN)
        or (speech_of(rows.hints[i]) in _WEB_SPEECH and not speaks_web(number))
    ):
        return 0
    if not rows.local_orig[i]:
        return number if _is_outsider(rows, i) else 0
    if tcp and rows.resp_p[i] == _TELNET_PORT:
        return TELNET
    return RSHELL if tcp and rows.resp_p[i] in _RSHELL_PORTS else 0


@njit(cache=True, nogil=True, inline="always")
def _sealed(rows, offers, i):  # type: ignore[no-untyped-def]
    """The rule that a server's answer to a TLS hello breaks; 0 for none."""
    known = offers[i + 1] > offers[i]  # else both versions are what was agreed on
    if is_old(rows.server_version[i]) and not (known and is_old(rows.version[i])):
        return OLD_TLS
    if is_broken(rows.cipher[i]):
        return BROKEN_CIPHER
    return EXPIRED if rows.cert_flags[i] & _SEEN and rows.cert_flags[i] & _EXPIRED else 0


@njit(cache=True, nogil=True, inline="always")
def _rule(rows, table, offers, i):  # type: ignore[no-untyped-def]
    """The rule that row ``i`` shows broken, 0 for none."""
    if table == _FLOWS:
        if not rows.local_resp[i] or rows.resp_bytes[i] <= 0:
            return 0
        return _offered(rows, i)
    if not is_private(rows.resp_h[i, 0], rows.resp_h[i, 1]):
        return 0
    if table == _TLS:
        return _sealed(rows, offers, i)
    if table == _RPC:
        return SMB1 if rows.via[i] == _SMB1 and rows.kind[i] in _USED else 0
    return clear_password(rows.service[i], rows.method[i], rows.succeeded[i], rows.resp_p[i])


@njit_lean
def _fold(columns, tables, offers, memory, scores, facts):  # type: ignore[no-untyped-def]
    rows, week = _Rows(*columns), Weekly(*memory)
    for i in range(len(rows.time)):
        if tables[i] < 0:
            continue
        e = rows.slot[i]
        if rows.fresh[i]:
            weekly.forget(week, e)
        rule = _rule(rows, tables[i], offers, i)
        if rule == 0:
            continue
        machine = name_of(rows.resp_h[i, 0], rows.resp_h[i, 1])
        scores[i] = say(week, e, machine, rule, rows.time[i], facts[i])
