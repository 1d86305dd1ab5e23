"""Password guessing, told by the log-ins themselves: one machine is refused again and again.

Looks at the log-ins that can be read (SSH, Windows shares, Kerberos, remote desktop, LDAP, FTP, mail, web), by who
makes them and where. The score is log₂ of how often a machine was refused: lately (half-life half an hour), and for
one that tries several accounts over the day (half-life eight hours), so that a guess a minute adds up. It counts for
more where each of many accounts is tried once or twice, and where one is accepted after all, unless they come as
evenly as a program's; for less where log-ins mostly succeed, as behind a gateway. Tickets made to be cracked count
too: of accounts that need no proof, and many weak ones for services at once, far less where several machines are
given as many, or the site knows no strong ones. A source has six targets, in 500 bytes.

Innocents: an old password that a program tries again and again, for weeks. It has one account, one or two targets, a
fairly even period of some seconds or more and few tries at a time: bounded evidence, which never reaches what
interrupts. People who mistype are refused a few times at each target, which counts little; keys that SSH offers
before the right one are forgiven with the log-in. No password is guessed by who is asked for a proof first
(Kerberos), by anonymous log-ins, nor by tickets for services.

Limits: a guesser with one account and the even, unhurried pace of such a program is taken for it, unless it comes
from outside over SSH or remote desktop. A guess an hour, or each guess from another machine, does not add up; nor
does one account tried once on each of many machines. What is inside TLS (mail, web forms) is not read: `bruteforce`
sees that by its shape, if at all.

>>> from dijkwacht_detectors.checks import score_rows
>>> tries = [{"time": i * 61_000_000 + i * i % 7 * 9_000_000, "service": 4, "method": 2, "status": 7,
...           "failed": 1, "accounts": min(1 + i, 30)} for i in range(60)]
>>> score_rows(Guessing(), tries)[[0, 9, 29, 59]].round(1).tolist()
[0.3, 4.2, 6.3, 7.3]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_private
from dijkwacht_detectors.knowledge.refusals import worth_of_refusal
from dijkwacht_detectors.knowledge.ticket_words import TICKETS
from dijkwacht_detectors.knowledge.tickets import MONTH_US, worth_of_tickets
from dijkwacht_detectors.state.crowd import custom, member
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.pace import UNEVEN, keep_pace
from dijkwacht_detectors.state.proportion import capped, proportion
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

_TARGETS = 6
_MOST = 1e6  # tries that one row is believed
_AT_TARGETS = (
    "fast", "slow", "good", "asked", "accounts", "in_flow", "burst", "tries", "gap", "uneven",
)  # fmt: skip
_OF_SOURCE = ("all_slow", "all_good", "let_in", "weak", "strong", "unproven")

_SSH, _RDP, _HTTP = int(AuthService.SSH), int(AuthService.RDP), int(AuthService.HTTP)
_AS, _TGS = int(AuthMethod.KERBEROS_AS), int(AuthMethod.KERBEROS_TGS)
_ANONYMOUS, _TICKET = int(AuthMethod.ANONYMOUS), int(AuthMethod.KERBEROS)
_ASKED, _UNPROVEN = int(AuthStatus.PREAUTH_REQUIRED), int(AuthStatus.NO_PREAUTH)
_RC4, _AES = map(int, (EtypeClass.RC4, EtypeClass.AES))


class Guessing(RowDetector):
    """Log-ins of one machine that are refused, far more often than people and programs err."""

    name = "guessing"
    table = "auth"
    reads = (
        "flow_id", "orig_h", "resp_h", "resp_p", "service", "method", "etype", "status", "failed",
        "succeeded", "unknown", "accounts",
    )  # fmt: skip
    entity: ClassVar[Entity] = "orig"
    kind = "bruteforce"
    technique = "T1110.001"
    facts = ("refused", "accounts", "an_hour", "let_in", "tickets")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "target": ("u8", (_TARGETS,)),
        "service": ("i4", (_TARGETS,)),
        "flow": ("i8", (_TARGETS,)),
        "event": ("i8", (_TARGETS,)),
        "events": ("i4", (_TARGETS,)),
        **dict.fromkeys(_AT_TARGETS, ("f4", (_TARGETS,))),
        **dict.fromkeys(_OF_SOURCE, ("f4", ())),
        "samples_weakly": ("u8", (2,)),
        "samples_week": ("i4", ()),
        "samples_strong": ("i8", ()),
    }

    share = 1 / 40
    expected = (4.4, 0.25)
    """Some twenty refusals that count: a drive whose password is old, touched by hand all day."""
    fast_half_life_s = 1800.0
    slow_half_life_s = 8 * 3600.0  # a working day

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each row that tells of a refusal, of a log-in behind many, or of odd tickets."""
        _fold(
            _columns(rows), rows.site, _memory(state),
            self.fast_half_life_s * 1e6, self.slow_half_life_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what was tried, and whether it succeeded."""
        if facts["tickets"] > facts["refused"]:
            return TICKETS
        many, accounts = int(float(f"{facts['refused']:.2g}")), round(facts["accounts"])
        title = f"{{src}} tried to log in about {many} times and was refused, last at {{dst}}"
        titel = f"{{src}} probeerde ongeveer {many} keer in te loggen en werd geweigerd, het laatst op {{dst}}"
        if accounts > 4:
            more, meer = ("", "") if accounts < 60 else ("more than ", "meer dan ")
            title += f", with {more}{accounts} different accounts"
            titel += f", met {meer}{accounts} verschillende accounts"
        if facts["let_in"] >= 0.5:
            return Explanation(
                f"{title}, and then got in.",
                f"{titel}, en kwam daarna binnen.",
                "Someone may have guessed a password: after many refusals one log-in was accepted. "
                "Change that password at once, from another machine, and check what was done with the "
                "account. If you find a device of yours that had an old password and was given the new "
                "one just now, nothing is wrong.",
                "Mogelijk heeft iemand een wachtwoord geraden: na veel weigeringen werd één inlogpoging "
                "aanvaard. Wijzig dat wachtwoord meteen, vanaf een ander apparaat, en kijk wat er met het "
                "account is gedaan. Vindt u een eigen apparaat dat een oud wachtwoord had en zojuist het "
                "nieuwe kreeg, dan is er niets mis.",
            )
        return Explanation(
            f"{title}.",
            f"{titel}.",
            "A program is trying passwords, or a device of yours has an old one. Look at {src} first: "
            "does a program, scanner or phone there still use a password that was changed? If not, "
            "disconnect it, because someone may be using it. If {src} is no device of yours, it has no "
            "business at {dst}: have your IT supplier close {dst} to the internet.",
            "Een programma probeert wachtwoorden, of een apparaat van u heeft een oud wachtwoord. Kijk "
            "eerst naar {src}: gebruikt een programma, scanner of telefoon daar nog een wachtwoord dat is "
            "gewijzigd? Zo niet, koppel het los, want mogelijk gebruikt iemand het. Is {src} "
            "geen apparaat van u, dan heeft het bij {dst} niets te zoeken: laat uw IT-leverancier {dst} "
            "afsluiten voor internet.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    flow_id: NDArray[np.int64]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    service: NDArray[np.int64]
    method: NDArray[np.int64]
    etype: NDArray[np.int64]
    status: NDArray[np.int64]
    failed: NDArray[np.int64]
    succeeded: NDArray[np.int64]
    unknown: NDArray[np.int64]
    accounts: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    target: NDArray[np.uint64]
    service: NDArray[np.int32]
    fast: NDArray[np.float32]
    slow: NDArray[np.float32]
    good: NDArray[np.float32]
    asked: NDArray[np.float32]
    accounts: NDArray[np.float32]
    flow: NDArray[np.int64]
    in_flow: NDArray[np.float32]
    event: NDArray[np.int64]
    events: NDArray[np.int32]
    burst: NDArray[np.float32]
    tries: NDArray[np.float32]
    gap: NDArray[np.float32]
    uneven: NDArray[np.float32]
    all_slow: NDArray[np.float32]
    all_good: NDArray[np.float32]
    let_in: NDArray[np.float32]
    weak: NDArray[np.float32]
    strong: NDArray[np.float32]
    unproven: NDArray[np.float32]
    samples_weakly: NDArray[np.uint64]
    samples_week: NDArray[np.int32]
    samples_strong: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _tried(rows, i):  # type: ignore[no-untyped-def]
    """Guesses that row ``i`` is worth; those whose outcome is hidden count for half."""
    service = rows.service[i]
    tries = capped(rows.failed[i], _MOST)
    if service in (_SSH, _RDP):
        tries += 0.5 * capped(rows.unknown[i], _MOST)
    if rows.accounts[i] == 1 and 1.0 < tries <= 4.0:
        tries = 0.75 + 0.25 * tries  # a drive that is touched once asks three times
    return tries * worth_of_refusal(service, rows.method[i], rows.status[i], rows.resp_p[i])


@njit_lean
def _place(state, e, key, service, t):  # type: ignore[no-untyped-def]
    """The place of target ``key``; if it is new, that of the one with the least to be said of it."""
    place = 0
    for k in range(_TARGETS):
        if state.target[e, k] == key:
            return k
        if state.slow[e, k] + state.good[e, k] < state.slow[e, place] + state.good[e, place]:
            place = k
    _clear(state, e, place, t)
    state.target[e, place], state.service[e, place] = key, service
    return place


@njit_lean
def _clear(state, e, k, t):  # type: ignore[no-untyped-def]
    state.target[e, k] = np.uint64(0)
    state.fast[e, k] = state.slow[e, k] = state.good[e, k] = state.asked[e, k] = 0.0
    state.accounts[e, k] = state.in_flow[e, k] = state.burst[e, k] = state.tries[e, k] = 0.0
    state.flow[e, k], state.event[e, k], state.events[e, k] = 0, t, 0
    state.gap[e, k], state.uneven[e, k] = 0.0, UNEVEN


@njit_lean
def _decay(state, e, elapsed, fast_life, slow_life):  # type: ignore[no-untyped-def]
    fast, slow = remaining(elapsed, fast_life), remaining(elapsed, slow_life)
    for k in range(_TARGETS):
        state.fast[e, k] *= fast
        state.slow[e, k] *= slow
        state.good[e, k] *= slow
        state.asked[e, k] *= fast
    state.all_slow[e] *= slow
    state.all_good[e] *= slow
    state.strong[e] *= slow
    state.unproven[e] *= fast
    state.let_in[e] *= fast
    state.weak[e] *= remaining(elapsed, fast_life / 3.0)


@njit_lean
def _occur(state, e, k, t, tries):  # type: ignore[no-untyped-def]
    """Learn how evenly refusals come; those within two seconds are of one occasion."""
    since = (t - state.event[e, k]) / 1e6
    if state.events[e, k] > 0 and since <= 2.0:
        state.burst[e, k] += tries
        return
    n = min(state.events[e, k], 8)
    if n > 0:
        state.tries[e, k] += (state.burst[e, k] - state.tries[e, k]) / n
        paced = keep_pace(since, n, state.gap[e, k], state.uneven[e, k])
        state.gap[e, k], state.uneven[e, k] = paced
    state.events[e, k] = min(state.events[e, k] + 1, 1 << 30)
    state.event[e, k], state.burst[e, k] = t, tries


@njit(cache=True, nogil=True, inline="always")
def _patience(state, e, k, outside):  # type: ignore[no-untyped-def]
    """0 to 1: how far the refusals come as those of a program with an old password."""
    service = state.service[e, k]
    if outside and service in (_SSH, _RDP):
        return 0.0
    targets = 0
    for other in range(_TARGETS):
        targets += state.fast[e, other] >= 1.0
    alone = proportion(state.accounts[e, k], 5.0, 2.0) * proportion(targets, 4.0, 2.0)
    if service == _HTTP:
        return 0.95 * alone  # a program says it with each request, at any pace
    even = proportion(state.uneven[e, k], 0.4, 0.2)
    unhurried = proportion(state.gap[e, k], 1.4, 2.3)  # 4 to 10 s, as logarithms
    few = proportion(max(state.tries[e, k], state.burst[e, k]), 8.0, 4.0)
    return even * unhurried * few * alone


@njit(cache=True, nogil=True, inline="always")
def _evidence(state, e, outside):  # type: ignore[no-untyped-def]
    """Refusals against this source, at all targets that it still has a place for."""
    found, most, explained = 0.0, 0.0, 0.0
    for k in range(_TARGETS):
        slow, accounts = state.slow[e, k], state.accounts[e, k]
        if slow + state.asked[e, k] <= 0.0:
            continue
        many = proportion(accounts, 1.0, 5.0) if accounts > 0 else 0.5
        most = max(most, accounts)
        fast = state.fast[e, k]
        # older refusals of one account are bounded: an old drive, a scanner, used by hand
        tries = many * slow + (1.0 - many) * (fast + min(max(slow - fast, 0.0), 16.0))
        if accounts > 0:
            tries += many * max(state.asked[e, k] - 3.0, 0.0)
        if tries > 16.0:
            patience = _patience(state, e, k, outside)
            tries -= (tries - 16.0) * patience
            explained += slow * patience
        share = slow / (slow + 2.0 * state.good[e, k]) if slow > 0.0 else 1.0
        # many accounts, each tried once or twice, count threefold
        each = proportion(fast / max(accounts, 1.0), 3.0, 2.0)
        spread = 1.0 + 2.0 * proportion(accounts, 4.0, 12.0) * each
        # the first few refusals at a target are somebody's slips
        found += share**2 * tries**2 / (tries + 4.0) * spread
    slow = state.all_slow[e] - explained
    if most > 1.0 and slow > 0.0:  # a few at each of very many targets
        share = slow / (slow + 2.0 * state.all_good[e])
        found = max(found, share**2 * proportion(most, 1.0, 5.0) * slow**2 / (slow + 4.0))
    return found


@njit_lean
def _forgive(state, e, k):  # type: ignore[no-untyped-def]
    """A log-in that succeeds takes back the keys or passwords tried on its own connection."""
    back = min(state.in_flow[e, k], 6.0)
    state.fast[e, k] = max(state.fast[e, k] - back, 0.0)
    state.slow[e, k] = max(state.slow[e, k] - back, 0.0)
    state.all_slow[e] = max(state.all_slow[e] - back, 0.0)
    state.in_flow[e, k] = 0.0


@njit_lean
def _fold(columns, sites, memory, fast_life, slow_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t, service, method = rows.slot[i], rows.time[i], rows.service[i], rows.method[i]
        if rows.fresh[i]:
            state.last[e] = t
            for k in range(_TARGETS):
                _clear(state, e, k, t)
            state.all_slow[e] = state.all_good[e] = state.let_in[e] = 0.0
            state.weak[e] = state.strong[e] = state.unproven[e] = 0.0
        if method in (_ANONYMOUS, _TICKET):
            continue
        if t - state.last[e] > 100_000:
            _decay(state, e, t - state.last[e], fast_life, slow_life)
            state.last[e] = t
        key = mix(mix(rows.resp_h[i, 0], rows.resp_h[i, 1]), np.uint64(service + 1))
        k = _place(state, e, key, min(max(service, 0), 255), t)
        accounts = min(max(rows.accounts[i], 0), 64)
        state.accounts[e, k] = accounts
        good, etype = capped(rows.succeeded[i], _MOST), rows.etype[i]
        ticket = good > 0 and etype == _RC4 and (method == _TGS or rows.status[i] == _UNPROVEN)
        if method == _TGS:
            state.weak[e] = min(state.weak[e] + good * (etype == _RC4), _MOST)
            state.strong[e] = min(state.strong[e] + good * (etype == _AES), _MOST)
        elif method == _AS and rows.status[i] == _UNPROVEN:
            state.unproven[e] = min(state.unproven[e] + good * (etype == _RC4), _MOST)
        elif method == _AS and etype == _AES and good > 0:
            state.strong[e] = min(state.strong[e] + good, _MOST)
        elif method == _AS and rows.status[i] == _ASKED:
            state.asked[e, k] = min(state.asked[e, k] + capped(rows.unknown[i], _MOST), _MOST)
        site, weakly = sites[i], 1
        if etype == _AES and good > 0:
            state.samples_strong[site] = t
        if state.weak[e] > 3.0:
            # a few tell of no custom, and are part of one
            own = member(rows.orig_h[i, 0], rows.orig_h[i, 1]) * np.uint64(state.weak[e] >= 8.0)
            weakly = custom(state.samples_weakly[site], state.samples_week, site, own, t)
        tries = _tried(rows, i)
        if method == _AS and rows.status[i] not in (_ASKED, _UNPROVEN):
            state.asked[e, k] = max(state.asked[e, k] - good - capped(rows.failed[i], _MOST), 0.0)
        if rows.flow_id[i] != state.flow[e, k]:
            state.flow[e, k], state.in_flow[e, k] = rows.flow_id[i], 0.0
        if tries > 0:
            _occur(state, e, k, t, tries)
            state.in_flow[e, k] += tries
            state.fast[e, k] = min(state.fast[e, k] + tries, _MOST)
            state.slow[e, k] = min(state.slow[e, k] + tries, _MOST)
            state.all_slow[e] = min(state.all_slow[e] + tries, _MOST)
        entered = good > 0 and method != _TGS
        if entered:
            # the first that is accepted behind many refusals: that it was is the news, not their ratio
            if state.good[e, k] < 0.5 and state.fast[e, k] - min(state.in_flow[e, k], 6.0) >= 8.0:
                state.let_in[e] = 1.0
            _forgive(state, e, k)
            state.good[e, k] = min(state.good[e, k] + good, _MOST)
            state.all_good[e] = min(state.all_good[e] + good, _MOST)
        news = entered and state.let_in[e] >= 0.5
        if not (tries > 0 or ticket or news or state.asked[e, k] > 3.0):
            continue
        outside = not is_private(rows.orig_h[i, 0], rows.orig_h[i, 1])
        is_old = state.samples_strong[site] == 0 or t - state.samples_strong[site] > MONTH_US
        tickets = worth_of_tickets(state.weak[e], state.strong[e], weakly, is_old)
        tickets += 6.0 * state.unproven[e] * proportion(accounts, 1.0, 4.0)
        let_in = 2.0 - _patience(state, e, k, outside) if state.let_in[e] >= 0.5 else 1.0
        scores[i] = math.log2(1.0 + _evidence(state, e, outside) * let_in + tickets)
        facts[i, 0], facts[i, 1] = state.all_slow[e], accounts
        facts[i, 2] = state.fast[e, k] * 0.693 * 3600e6 / fast_life
        facts[i, 3], facts[i, 4] = state.let_in[e], tickets
