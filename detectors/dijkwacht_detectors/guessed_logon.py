"""A guessed password: a log-in that is accepted from where it had been refused again and again.

Looks at the log-ins of one machine at one service of another. Each refusal of the last days counts (half-life
a day), by what it is worth as a sign of guessing; when a log-in is accepted, the score is log₂ of those
refusals, the first few of which are somebody's slips. They count four times from outside and half from inside,
up to three times where several accounts were tried, and for a quarter or less of whoever was let in before, these
days. What was refused on the very connection that is then accepted are keys offered in turn, and does not count.

Where log-ins cannot be read, as in flows of a router, sessions of SSH, remote desktop and remote screens are told
by their shape: short ones that carry little are refusals, and one that lasts a minute and still carries
something, or that is told more than any log-in takes, was accepted. It counts for half.

Innocents: people who mistype before they get it right. A program with an old password that is then given the new
one, which has one account and an even, unhurried pace: little is left of its refusals, unless they come from
outside at SSH or remote desktop, where no program of one's own should. A gateway, behind which many people
log in. A check of a server that opens a session and closes it, by the clock, before its owner opens a long one.

Limits: a guess that is right within some five tries; guesses that come from a new address each; one of a
program with an old password's pace from inside; a password that was found elsewhere. Without log-ins in
the rows, who gets in and is gone within a minute is not told from who is refused. Each caller of a
service takes 12 bytes, and 84 more once it logs in or opens a session there, and is forgotten after a day and a half without a row.

>>> from dijkwacht_detectors.checks import score_rows
>>> tries = [{"table": "auth", "time": n * 40_000_000 + n * n % 7 * 9_000_000, "flow_id": n, "orig_h": 0xC6336407, "service": 1,
...           "resp_p": 22, "status": 7, "failed": int(n < 30), "succeeded": int(n == 30)} for n in range(31)]
>>> score_rows(GuessedLogon(), tries)[[0, 29, 30]].round(1)
array([nan, nan, 6.7])
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, Reads, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_private
from dijkwacht_detectors.knowledge.hinted import speech_of
from dijkwacht_detectors.knowledge.refusals import worth_of_refusal
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.pace import UNEVEN, keep_pace
from dijkwacht_detectors.state.pool import give_back, place_of
from dijkwacht_detectors.state.proportion import capped, proportion
from dijkwacht_records.hints import Speech
from dijkwacht_records.tables import FlowState
from dijkwacht_records.vocabulary import AuthMethod, AuthService

_FLOWS = 0  # the place of this table in ``reads``
_LAST, _FIRST, _EVENT, _FLOW, _LONG = range(5)  # marks: event times and ids of flows
_REFUSED, _SHORT, _GOOD, _IN_FLOW, _BURST, _TRIES, _GAP, _UNEVEN, _ACCOUNTS = range(9)  # amounts
_EVENTS, _IS_READ = range(2)  # counts
_END, _TCP = int(FlowState.END), 6
_SSH, _RDP = int(AuthService.SSH), int(AuthService.RDP)
_SPEAKS_SSH, _SPEAKS_RDP = int(Speech.SSH), int(Speech.RDP)
_TGS, _ANONYMOUS = int(AuthMethod.KERBEROS_TGS), int(AuthMethod.ANONYMOUS)
_TICKET = int(AuthMethod.KERBEROS)
_DESKS = (3389, 5900)
_HALF_LIFE_US = 24 * 3600e6
_GOOD_HALF_LIFE_US = 7 * 86_400e6
_MOST = 1e6
_KEYS = 6.0  # offered on one connection
_SMALL = 12_000  # bytes of a session that is refused, keys and a few tries included
_BRIEF_US = 45_000_000
_LONG_US = 180_000_000  # servers hang up on who has not logged in by then
_MUCH, _SCREENS = (
    16_384,
    400_000,
)  # bytes that no server sends to whom it has not let in: SSH, and pictures
_A_MINUTE_OF_PARTS = 4
_NEXT_TO_NOTHING = 0.2


class GuessedLogon(RowDetector):
    """A log-in that succeeds behind many that were refused to the same machine at the same service."""

    name = "guessed_logon"
    reads: ClassVar[Reads] = {
        "flows": (
            "flow_id", "part", "state", "start", "orig_h", "resp_p", "proto", "orig_bytes", "resp_bytes",
            "hints",
        ),
        "auth": (
            "flow_id", "orig_h", "resp_p", "service", "method", "status", "failed", "succeeded",
            "unknown", "accounts",
        ),
    }  # fmt: skip
    entity: ClassVar[Entity] = ("orig_h", "resp_h", "resp_p")
    passes_over = True
    kind = "bruteforce"
    technique = "T1110.001"
    entered = True
    facts = ("refused", "accounts", "hours_tried", "from_outside", "let_in_before", "by_shape")
    entities_per_site = 8192
    forget_after_s = 36 * 3600
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "met": ("i8", ()),
        "pooled_marks": ("i8", (5,)),
        "pooled_amounts": ("f4", (9,)),
        "pooled_counts": ("i4", (2,)),
    }

    share = 2 / 240
    expected = (3.0, 0.2)
    """Somebody at home who tries eight passwords on a new machine, and then the right one."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Count what is refused, and score what is then accepted."""
        _fold(_columns(rows), _memory(state), rows.table, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how often it was tried before it was accepted, and what to do at once."""
        many, accounts = int(float(f"{facts['refused']:.2g}")), round(facts["accounts"])
        title = f"{{src}} got in at {{dst}} (port {{port}}) after about {many} log-ins that were refused"
        titel = f"{{src}} kwam binnen op {{dst}} (poort {{port}}) na ongeveer {many} geweigerde inlogpogingen"
        if accounts > 1:
            title += f", with {accounts} different accounts"
            titel += f", met {accounts} verschillende accounts"
        shape, vorm = ("", "")
        if facts["by_shape"] >= 0.5:
            shape = " That is told by how long the sessions lasted: the log-ins themselves were not seen."
            vorm = " Dat blijkt uit de duur van de sessies: de inlogpogingen zelf zijn niet gezien."
        who, wie = (
            "from the internet", "vanaf internet"
        ) if facts["from_outside"] >= 0.5 else ("inside your network", "binnen uw netwerk")  # fmt: skip
        return Explanation(
            f"{title}.",
            f"{titel}.",
            f"Someone {who} seems to have guessed a password.{shape} Change that password at once, from another "
            "machine, close {dst} to the internet, and have your IT supplier see what was done on it since. If "
            "one of you forgot a password just now, or gave a device of yours the new one, nothing is wrong.",
            f"Iemand {wie} heeft vermoedelijk een wachtwoord geraden.{vorm} Wijzig dat wachtwoord meteen, vanaf een "
            "ander apparaat, sluit {dst} af voor internet, en laat uw IT-leverancier nagaan wat er sindsdien op gebeurde. "
            "Was iemand van u zojuist een wachtwoord kwijt, of kreeg een eigen apparaat het nieuwe, dan is er niets mis.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    flow_id: NDArray[np.int64]
    part: NDArray[np.int64]
    state: NDArray[np.int64]
    start: NDArray[np.int64]
    orig_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    hints: NDArray[np.int64]
    service: NDArray[np.int64]
    method: NDArray[np.int64]
    status: NDArray[np.int64]
    failed: NDArray[np.int64]
    succeeded: NDArray[np.int64]
    unknown: NDArray[np.int64]
    accounts: NDArray[np.int64]


class _State(NamedTuple):
    """What follows the first three is by place (`pool`): nearly nobody whom a row tells of logs in."""

    met: NDArray[np.int64]
    pooled_place: NDArray[np.int32]
    pooled_used: NDArray[np.int32]
    marks: NDArray[np.int64]
    amounts: NDArray[np.float32]
    counts: NDArray[np.int32]


_columns = row_picker(_Rows._fields)
_memory = picker((*_State._fields[:3], *(f"pooled_{field}" for field in _State._fields[3:])))


@njit_lean
def _forget(state, e, t):  # type: ignore[no-untyped-def]
    state.marks[e], state.amounts[e], state.counts[e] = 0, 0.0, 0
    state.marks[e, _LAST] = state.marks[e, _FIRST] = state.marks[e, _EVENT] = t
    state.marks[e, _FLOW] = state.marks[e, _LONG] = -1
    state.amounts[e, _UNEVEN] = UNEVEN


@njit_lean
def _age(state, e, t):  # type: ignore[no-untyped-def]
    elapsed = t - state.marks[e, _LAST]
    if elapsed <= 100_000:
        return
    state.marks[e, _LAST] = t
    kept = remaining(elapsed, _HALF_LIFE_US)
    state.amounts[e, _REFUSED] *= kept
    state.amounts[e, _SHORT] *= kept
    state.amounts[e, _GOOD] *= remaining(elapsed, _GOOD_HALF_LIFE_US)


@njit_lean
def _occur(state, e, t, tries):  # type: ignore[no-untyped-def]
    """Learn how evenly refusals come; those within two seconds are of one occasion."""
    since = (t - state.marks[e, _EVENT]) / 1e6
    if state.counts[e, _EVENTS] > 0 and since <= 2.0:
        state.amounts[e, _BURST] += tries
        return
    n = min(state.counts[e, _EVENTS], 8)
    if n > 0:
        state.amounts[e, _TRIES] += (state.amounts[e, _BURST] - state.amounts[e, _TRIES]) / n
        state.amounts[e, _GAP], state.amounts[e, _UNEVEN] = keep_pace(
            since, n, state.amounts[e, _GAP], state.amounts[e, _UNEVEN]
        )
    else:
        state.marks[e, _FIRST] = t
    state.counts[e, _EVENTS] = min(state.counts[e, _EVENTS] + 1, 1 << 30)
    state.marks[e, _EVENT], state.amounts[e, _BURST] = t, tries


@njit_lean
def _patience(state, e):  # type: ignore[no-untyped-def]
    """0 to 1: how far the refusals came as those of a program with an old password."""
    even = proportion(state.amounts[e, _UNEVEN], 0.4, 0.2)
    unhurried = proportion(state.amounts[e, _GAP], 1.4, 2.3)  # 4 to 10 s, as logarithms
    most = max(state.amounts[e, _TRIES], state.amounts[e, _BURST])
    alone = proportion(state.amounts[e, _ACCOUNTS], 5.0, 2.0)
    return even * unhurried * proportion(most, 8.0, 4.0) * alone


@njit_lean
def _accept(rows, i, state, e, refused, keeps_door, scores, facts):  # type: ignore[no-untyped-def]
    """A log-in is accepted behind ``refused``; ``keeps_door``: people log in there, and no program from outside."""
    t, by_shape = rows.time[i], state.counts[e, _IS_READ] == 0
    outside = not is_private(rows.orig_h[i, 0], rows.orig_h[i, 1])
    patience = 0.0 if outside and keeps_door else _patience(state, e)
    counted = refused - max(refused - 6.0, 0.0) * patience
    accounts, good = state.amounts[e, _ACCOUNTS], state.amounts[e, _GOOD]
    evidence = counted**2 / (counted + 4.0) * (1.0 - 0.75 * patience)
    evidence *= (4.0 if outside else 0.5) * (1.0 + 2.0 * proportion(accounts, 2.0, 10.0))
    evidence /= (1.0 + good) ** 2
    if by_shape:
        evidence *= 0.5
    if evidence < _NEXT_TO_NOTHING:
        return
    scores[i] = math.log2(1.0 + evidence)
    facts[i, 0], facts[i, 1] = refused, accounts
    facts[i, 2] = max(t - state.marks[e, _FIRST], 0) / 3600e6
    facts[i, 3], facts[i, 4], facts[i, 5] = outside, good, by_shape


@njit_lean
def _clear(state, e):  # type: ignore[no-untyped-def]
    """What was refused has been accounted for."""
    state.amounts[e, _REFUSED] = state.amounts[e, _SHORT] = state.amounts[e, _IN_FLOW] = 0.0
    state.amounts[e, _BURST] = state.amounts[e, _TRIES] = state.amounts[e, _ACCOUNTS] = 0.0
    state.amounts[e, _GAP], state.amounts[e, _UNEVEN] = 0.0, UNEVEN
    state.counts[e, _EVENTS] = 0


@njit_lean
def _log_in(rows, i, state, e, t, scores, facts):  # type: ignore[no-untyped-def]
    """Take a row of log-ins."""
    service, method = rows.service[i], rows.method[i]
    if method in (_ANONYMOUS, _TICKET, _TGS):
        return
    good, bad = capped(rows.succeeded[i], _MOST), capped(rows.failed[i], _MOST)
    if state.counts[e, _IS_READ] == 0 and good + bad > 0:
        state.counts[e, _IS_READ] = 1
        _clear(state, e)
    if rows.flow_id[i] != state.marks[e, _FLOW]:
        state.marks[e, _FLOW], state.amounts[e, _IN_FLOW] = rows.flow_id[i], 0.0
    tries = bad * worth_of_refusal(service, method, rows.status[i], rows.resp_p[i])
    if tries > 0:
        _occur(state, e, t, tries)
        accounts = min(max(rows.accounts[i], 0), 64)
        state.amounts[e, _ACCOUNTS] = max(state.amounts[e, _ACCOUNTS], accounts)
        state.amounts[e, _REFUSED] = min(state.amounts[e, _REFUSED] + tries, _MOST)
        state.amounts[e, _IN_FLOW] += tries
    if good > 0:
        offered = min(state.amounts[e, _IN_FLOW], _KEYS)
        refused = max(state.amounts[e, _REFUSED] - offered, 0.0)
        _accept(rows, i, state, e, refused, service in (_SSH, _RDP), scores, facts)
        _clear(state, e)
        state.amounts[e, _GOOD] = min(state.amounts[e, _GOOD] + good, _MOST)


@njit_lean
def _session(rows, i, state, e, t, scores, facts):  # type: ignore[no-untyped-def]
    """Take a part of a session of which no log-in was read."""
    up, down = capped(rows.orig_bytes[i], _MOST), capped(rows.resp_bytes[i], _MOST)
    both = up > 0 and down > 0
    goes_on = both and (rows.part[i] >= _A_MINUTE_OF_PARTS or t - rows.start[i] > _LONG_US)
    if down > (_SCREENS if rows.resp_p[i] in _DESKS else _MUCH) or goes_on:
        if rows.flow_id[i] != state.marks[e, _LONG]:
            state.marks[e, _LONG] = rows.flow_id[i]
            _accept(rows, i, state, e, state.amounts[e, _SHORT], True, scores, facts)
            _clear(state, e)
            state.amounts[e, _GOOD] = min(state.amounts[e, _GOOD] + 1.0, _MOST)
        return
    spoke = both or rows.part[i] > 0
    if rows.state[i] == _END and rows.flow_id[i] != state.marks[e, _LONG] and spoke:
        if up + down >= _SMALL or t - rows.start[i] >= _BRIEF_US:
            return
        _occur(state, e, t, 1.0)
        state.amounts[e, _SHORT] = min(state.amounts[e, _SHORT] + 1.0, _MOST)


@njit(cache=True, nogil=True, inline="always")
def _is_desk(rows, i):  # type: ignore[no-untyped-def]
    """Whether a flow is to where people log in for a session, by its port or by how it begins."""
    return rows.proto[i] == _TCP and (
        rows.resp_p[i] in (22, 2222, 3389, 5900)
        or speech_of(rows.hints[i]) in (_SPEAKS_SSH, _SPEAKS_RDP)
    )


@njit_lean
def _known(state, e):  # type: ignore[no-untyped-def]
    """The place of an entity, which is blank if it had none."""
    place = state.pooled_place[e]
    if place == 0:
        place = place_of(state.pooled_place, state.pooled_used, e)
        _forget(state, place, state.met[e])
    return place


@njit_lean
def _fold(columns, memory, table, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        if table[i] < 0:
            continue
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.met[e] = t
            give_back(state.pooled_place, state.pooled_used, e)
        if table[i] != _FLOWS:
            place = _known(state, e)
            _age(state, place, t)
            _log_in(rows, i, state, place, t, scores, facts)
        elif _is_desk(rows, i) and state.counts[state.pooled_place[e], _IS_READ] == 0:
            place = _known(state, e)
            _age(state, place, t)
            _session(rows, i, state, place, t, scores, facts)
