"""Stealers: a machine asks where in the world it is, and then hands something in without encryption.

Programs that steal passwords report whose they are: they ask a service on the internet for their own
outside address, gather what browsers and mail programs have stored, and deliver it with an account of
their master's: by FTP, by mail, or to a bot of a messenger. Looks at who asks such a service (by name,
over DNS or in a TLS hello), and at who then logs in outside with a password that can be read, to FTP
or to a mail server, or calls the messenger's service for bots. Each delivery is worth sixteen, half of
that for each two minutes since the question; a sixteenth of it if the site knew the server before the
question, a quarter from a machine that serves others, half if whether it was let in is not
seen, and less each time the machine has asked within a day. The score is log₂ of one more than what was
delivered, which halves in an hour; a delivery that is hardly a part of it has none.

Innocents: a page asks for its visitor's address, and its visitor sends a mail by an old program: to the
server that all mail goes by. A storage server that keeps a name on the internet for itself asks by the
clock, and mails its reports. Recorders, meters and scanners that mail or use FTP do not ask.

Limits: nothing shows inside TLS, so neither does mail that is delivered so; nor without a question, by a name that is
not on the list. What is delivered a quarter of an hour later weighs a tenth. Who builds websites, asks for their address to have it let in, and logs in to a new
server by plain FTP looks the same. An entity takes 24 bytes.

>>> from dijkwacht_detectors.checks import score_rows
>>> from dijkwacht_records.vocabulary import AuthMethod, AuthService
>>> asks = {"table": "dns", "time": 10**6, "query": "api.ipify.org", "question": 1}
>>> mails = {"table": "auth", "time": 9 * 10**6, "resp_h": bytes([9] * 16), "service": AuthService.SMTP,
...          "method": AuthMethod.PASSWORD, "succeeded": 1}
>>> [float(score_rows(Stealer(), rows)[-1].round(1)) for rows in ([asks, mails], [mails])]
[4.0, 0.0]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, Reads, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_no_host, is_private
from dijkwacht_detectors.knowledge.own_address import TELLERS, beginnings_of, hashes_of, is_among
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_records.vocabulary import AuthMethod, AuthService

_DNS, _TLS, _AUTH = 0, 1, 2  # places of the tables in ``reads``
_FTP, _SMTP = int(AuthService.FTP), int(AuthService.SMTP)
_PASSWORD: Final = int(AuthMethod.PASSWORD)
_BOTS: Final = ("api.telegram.org",)
_TELLERS, _BOT_HOSTS = hashes_of(TELLERS), hashes_of(_BOTS)
_BEGINNINGS: Final = beginnings_of((*TELLERS, *_BOTS))
_NONE, _MAIL, _FILES, _BOT = range(4)
_WORTH: Final = 16.0
_ITS_PART: Final = 0.25
"""Of what was delivered: what a server must have had of it to be named for it."""
_ONE_QUESTION_US: Final = 2e6
"""A name is asked for by several types at once, and then called."""


class Stealer(RowDetector):
    """A log-in in the clear, or a call to a bot, from who has just asked for its own address."""

    name = "stealer"
    reads: ClassVar[Reads] = {
        "dns": ("query", "question"),
        "tls": ("resp_h", "server_name"),
        "auth": ("resp_h", "service", "method", "succeeded", "unknown"),
    }
    context = ("dest_first", "orig_serves")
    entity: ClassVar[Entity] = "orig"
    kind = "exfil"
    technique = "T1048.003"
    facts = ("after_s", "times_asked", "known_before", "by_ftp", "by_bot")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "asked": ("i8", ()),
        "questions": ("f4", ()),
        "last": ("i8", ()),
        "delivered": ("f4", ()),
    }

    share = 1 / 60
    expected = (2.0, 0.1)
    """A website's builder who was let in just now; a mail in the clear, as a page asks for the address."""
    half_life_s = 3600.0
    recent_s = 120.0
    day_s = 86_400.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Note each question, and score each delivery behind one."""
        query, server = rows["query"], rows["server_name"]
        _fold(
            _columns(rows), rows.table, (query.offsets, query.blob, server.offsets, server.blob),
            _memory(state), (self.half_life_s * 1e6, self.recent_s * 1e6, self.day_s * 1e6),
            scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what was asked, and how it was delivered."""
        way = _BOT if facts["by_bot"] > 0.0 else _FILES if facts["by_ftp"] > 0.0 else _MAIL
        how, wijze = _WAYS[way]
        return Explanation(
            f"{{src}} asked the internet for its own address, and then {how} {{dst}}.",
            f"{{src}} vroeg het internet naar zijn eigen adres en {wijze} {{dst}}.",
            "Programs that steal passwords do these two things right after another: so their master knows whose "
            "they are. If whoever uses {src} did not do it themselves, for example to work on a website, "
            "disconnect {src} and leave it switched on. Change, from another machine, all passwords that were "
            "stored on it, mail and bank first, and ask your IT supplier to look at it.",
            "Programma's die wachtwoorden stelen doen deze twee dingen vlak na elkaar: zo weet hun baas van wie ze "
            "zijn. Deed wie {src} gebruikt het niet zelf, bijvoorbeeld om aan een website te werken, koppel "
            "{src} dan los en laat het aanstaan. Wijzig vanaf een ander apparaat alle wachtwoorden die erop "
            "bewaard zijn, die van mail en bank het eerst, en laat uw IT-leverancier ernaar kijken.",
        )


_WAYS: Final[Mapping[int, tuple[str, str]]] = {
    _MAIL: (
        "logged in, without encryption, to send mail through",
        "logde daarna onversleuteld in om mail te versturen via",
    ),
    _FILES: (
        "logged in, without encryption, to the file server",
        "logde daarna onversleuteld in op de bestandsserver",
    ),
    _BOT: (
        "called Telegram's service for automatic messages at",
        "belde daarna de dienst van Telegram voor automatische berichten op",
    ),
}


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    question: NDArray[np.int64]
    resp_h: NDArray[np.uint64]
    service: NDArray[np.int64]
    method: NDArray[np.int64]
    succeeded: NDArray[np.int64]
    unknown: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    orig_serves: NDArray[np.int64]


class _State(NamedTuple):
    asked: NDArray[np.int64]
    questions: NDArray[np.float32]
    last: NDArray[np.int64]
    delivered: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _ask(state, e, t, day):  # type: ignore[no-untyped-def]
    """Count a question, unless it is the last one, asked in another way."""
    if state.questions[e] > 0.0:
        since = t - state.asked[e]
        if since < _ONE_QUESTION_US:
            return
        state.questions[e] *= remaining(since, day)
    state.questions[e] += 1.0
    state.asked[e] = t


@njit_lean
def _way_of(rows, i, table, texts):  # type: ignore[no-untyped-def]
    """By which way something is delivered, and how sure that is."""
    if table == _TLS:
        return (
            (_BOT, 1.0)
            if is_among(_BOT_HOSTS, _BEGINNINGS, texts[2], texts[3], i)
            else (_NONE, 0.0)
        )
    service = rows.service[i]
    if (service not in (_FTP, _SMTP)) or rows.method[i] != _PASSWORD:
        return _NONE, 0.0
    way = _FILES if service == _FTP else _MAIL
    if rows.succeeded[i] > 0:
        return way, 1.0
    return (way, 0.5) if rows.unknown[i] > 0 else (_NONE, 0.0)


@njit_lean
def _fold(columns, tables, texts, memory, lives, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    half_life, recent, day = lives
    for i in range(len(rows.time)):
        e, t, table = rows.slot[i], rows.time[i], tables[i]
        if rows.fresh[i]:
            state.asked[e] = state.last[e] = t
            state.questions[e] = state.delivered[e] = 0.0
        if table == _DNS:
            if rows.question[i] > 0 and is_among(_TELLERS, _BEGINNINGS, texts[0], texts[1], i):
                _ask(state, e, t, day)
            continue
        if table == _TLS and is_among(_TELLERS, _BEGINNINGS, texts[2], texts[3], i):
            _ask(state, e, t, day)
            continue
        way, sure = _way_of(rows, i, table, texts)
        if way == _NONE:
            continue
        high, low = rows.resp_h[i, 0], rows.resp_h[i, 1]
        if is_no_host(high, low) or is_private(high, low):
            continue
        if t > state.last[e]:
            state.delivered[e] *= remaining(t - state.last[e], half_life)
            state.last[e] = t
        since, known_before = max(t - state.asked[e], 0), rows.dest_first[i] < state.asked[e]
        questions, worth = float(state.questions[e]), 0.0
        if questions > 0.0:
            worth = _WORTH * sure * remaining(since, recent) / max(questions, 1.0)
            worth *= 0.0625 if known_before else 1.0
            worth *= 0.25 if rows.orig_serves[i] >= 2 else 1.0
            state.delivered[e] += worth
        if worth < _ITS_PART * state.delivered[e]:
            continue
        scores[i] = math.log2(1.0 + state.delivered[e])
        facts[i, 0], facts[i, 1] = since / 1e6, questions
        facts[i, 2] = 1.0 if known_before else 0.0
        facts[i, 3] = 1.0 if way == _FILES else 0.0
        facts[i, 4] = 1.0 if way == _BOT else 0.0
