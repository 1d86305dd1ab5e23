"""What one machine does to another from a distance, against what offices do all day."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.harness import Harness
from dijkwacht_detectors.knowledge.remote_deeds import WORDS, Deed
from dijkwacht_detectors.knowledge.remote_operations import DEEDS, INTERFACES, OPERATIONS, WEIGHTS
from dijkwacht_detectors.remote_execution import RemoteExecution
from dijkwacht_records.rpc_interfaces import EXECUTES
from dijkwacht_records.rpc_interfaces import RpcInterface as Iface
from dijkwacht_records.vocabulary import RpcKind, RpcStatus, RpcVia, ShareKind

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
BEGIN = 20_000 * DAY
PC, OTHER, SERVER, THIRD = 11, 12, 5, 13
COMMAND = math.log2(1 + 8)


def call(iface, op, at=0, orig=PC, resp=OTHER, **values):
    return {"time": BEGIN + at, "orig_h": orig, "resp_h": resp, "kind": RpcKind.CALL, "iface": iface,
            "op": op, "via": RpcVia.TCP, "status": RpcStatus.SUCCESS, "count": 1} | values  # fmt: skip


def files(share, at=0, orig=PC, resp=OTHER, **values):
    return call(Iface.NONE, -1, at, orig, resp) | {"kind": RpcKind.FILES, "share": share} | values


def tree(share, at=0, **values):
    return call(Iface.NONE, -1, at, **values) | {"kind": RpcKind.TREE, "share": share}


def scores_of(rows):
    return score_rows(RemoteExecution(), sorted(rows, key=lambda row: row["time"]))


def top(rows):
    return float(np.nan_to_num(scores_of(rows)).max(initial=0.0))


def told(rows):
    harness = Harness(RemoteExecution())
    scores, facts = harness.feed(sorted(rows, key=lambda row: row["time"]))
    best = int(np.nanargmax(scores))
    numbers = dict(zip(RemoteExecution.facts, facts[best].tolist(), strict=True))
    return harness.detector.explain(numbers)


def test_a_command_of_any_kind_weighs_as_one():
    for iface, op in (
        (Iface.SVCCTL, 12), (Iface.SVCCTL, 44), (Iface.TASKS, 1), (Iface.ATSVC, 0), (Iface.WMI, 24),
        (Iface.SPOOLSS, 89), (Iface.SPOOLSS, 9), (Iface.PRINT_ASYNC, 39), (Iface.PRINT_ASYNC, 62),
        (Iface.EFSRPC, 0), (Iface.DFSNM, 13),
    ):  # fmt: skip
        assert top([call(iface, op)]) == pytest.approx(COMMAND)


def test_all_that_executes_has_a_weight_of_half_a_command_at_least():
    for iface, op in EXECUTES:
        assert WEIGHTS[iface, op] >= 4.0
        assert DEEDS[iface, op] not in {Deed.QUESTIONS, Deed.FOLDERS}


def test_weights_are_within_what_is_looked_up():
    assert max(Iface) < INTERFACES
    assert DEEDS.shape == WEIGHTS.shape == (INTERFACES, OPERATIONS)
    assert ((DEEDS >= 0) == (WEIGHTS > 0)).all()


def test_a_sign_in_to_a_domain_is_nearly_nothing():
    sign_in = [call(Iface.NETLOGON, op, op) for op in (4, 26, 21, 29)]
    sign_in += [call(Iface.DRSUAPI, op, 50 + op) for op in (0, 12, 1, 13)]
    sign_in += [call(Iface.LSARPC, 76, 90), files(ShareKind.DOMAIN, 95, reads=3)]
    assert top(sign_in) < 0.2


def test_copying_to_a_disk_stays_below_a_command():
    copy = [tree(ShareKind.DRIVE)]
    copy += [files(ShareKind.DRIVE, n * 15 * SECOND, writes=200, creates=90) for n in range(200)]
    assert 1.5 < top(copy) < COMMAND - 1.0
    assert top([row | {"share": ShareKind.ADMIN} for row in copy]) < COMMAND - 0.5


def test_asking_as_inventories_do_is_nothing():
    asking = [call(Iface.DCOM, 4), call(Iface.WMI_LOGIN, 6), call(Iface.WMI, 6)]
    asking += [call(Iface.WMI, 20, n * SECOND, count=5) for n in range(60)]
    assert np.isnan(scores_of(asking)).all()
    some = [call(Iface.WMI, 24, 70 * SECOND, count=40)]
    assert top(asking + some) < COMMAND < top(some)


def test_questions_weigh_by_kind_and_hardly_by_number():
    one = [call(Iface.SAMR, 34, n * SECOND) for n in range(50)]
    assert top(one) < 1.4
    several = [call(Iface.SAMR, op) for op in (13, 15, 25)] + [call(Iface.SRVSVC, 12)]
    assert COMMAND - 1.0 < top(several) < COMMAND, "without a command nobody is called"
    assert top(several * 200) <= math.log2(1 + 6)


def test_what_many_machines_ask_is_a_custom():
    questions = [
        call(Iface.SAMR, op, n * HOUR, orig=100 + n, resp=SERVER)
        for n in range(12)
        for op in (13, 15, 25)
    ]
    scores = scores_of(questions)
    assert scores[2] > 2.0
    assert scores[-1] < 1.0


def test_a_server_that_replicates_is_none_that_copies_passwords():
    replication = [call(Iface.DRSUAPI, 3, n * 15 * SECOND, SERVER, 6) for n in range(100)]
    assert top(replication) < COMMAND - 0.5, "even before it is known for a directory server"
    known = [call(Iface.NETLOGON, 45, 0, PC, SERVER)]
    scores = scores_of(known + [row | {"time": row["time"] + SECOND} for row in replication])
    assert np.isnan(scores).all()
    tool = [call(Iface.DRSUAPI, op, n, PC, SERVER) for n, op in enumerate((0, 16, 12, 3))]
    assert top(known + tool) > COMMAND, "once is enough for the keys of the domain"
    signed_in = [call(Iface.DRSUAPI, op, n, PC, SERVER) for n, op in enumerate((0, 12, 1, 3))]
    assert top(signed_in) < COMMAND - 0.5, "one of the two questions is asked at each sign-in"


def test_hundreds_of_tries_at_a_servers_trust_and_a_lost_trust():
    lost = [
        call(Iface.NETLOGON, op, n * 60 * SECOND, PC, SERVER) for n in range(60) for op in (4, 26)
    ]
    assert top(lost) < 1.6
    zero = [
        call(Iface.NETLOGON, op, n * SECOND // 9, PC, SERVER) for n in range(256) for op in (4, 26)
    ]
    assert top(zero) > COMMAND + 1.0
    older = [row | {"op": 15 if row["op"] == 26 else 4, "count": 8} for row in zero[::8]]
    assert top(older) > COMMAND + 1.0, "there are three forms of the proof"


def test_who_prints_asks_for_notices_and_who_only_asks_for_notices_does_not_print():
    prints = [call(Iface.SPOOLSS, op, n) for n, op in enumerate((69, 8, 65, 17, 19, 23, 29))]
    assert top(prints) < 0.5
    assert top([call(Iface.SPOOLSS, 65)]) < 0.5, "how it was opened may have gone before"
    old = [call(Iface.SPOOLSS, op, n) for n, op in enumerate((1, 17, 19, 23, 65, 29))]
    assert top(old) < 0.5
    forced = [call(Iface.SPOOLSS, op, n) for n, op in enumerate((1, 65, 29))]
    assert top(forced) == pytest.approx(COMMAND)
    assert "log in somewhere else" in told(forced).title_en
    later = [*forced[:1], call(Iface.SPOOLSS, 65, 2 * HOUR)]
    assert top(later) < 0.5


def session(at, orig, resp):
    return call(Iface.NONE, -1, at, orig, resp) | {"kind": RpcKind.SESSION, "via": RpcVia.SMB2}


def encrypted(at, orig, resp):
    row = session(at, orig, resp)
    return row | {"kind": RpcKind.ENCRYPTED, "status": RpcStatus.UNANSWERED, "count": 80}


def test_who_is_visited_unseen_and_comes_back_at_once_was_made_to():
    def visits(times, answer, reads):
        rows = []
        for n in range(times):
            at = n * 10 * SECOND
            rows += [session(at, PC, SERVER), session(at + answer, SERVER, PC)]
            rows += [files(ShareKind.OTHER, at + answer + 9, SERVER, PC, reads=reads)]
            rows += [encrypted(at + 4 * SECOND, PC, SERVER)]
        return rows

    assert top(visits(1, SECOND, 4)) == pytest.approx(COMMAND)
    assert top(visits(1, SECOND, 0)) == pytest.approx(math.log2(5))
    assert top(visits(2, SECOND, 0)) > COMMAND - 0.1
    assert top(visits(9, 5 * SECOND, 4)) == 0.0, "who comes later comes of itself"
    assert "log in somewhere else" in told(visits(1, SECOND, 4)).title_en


def test_only_the_first_to_come_visits_and_a_return_is_one():
    first = [session(0, SERVER, PC), session(SECOND, PC, SERVER), session(SECOND + 9, SERVER, PC)]
    assert top([*first, encrypted(2 * SECOND, PC, SERVER)]) == 0.0
    again = [
        session(n * SECOND // 4, *pair)
        for n, pair in enumerate([(PC, SERVER), *[(SERVER, PC)] * 9])
    ]
    assert top([*again, encrypted(4 * SECOND, PC, SERVER)]) == pytest.approx(math.log2(5))
    assert top([*again, encrypted(4 * SECOND, THIRD, SERVER)]) == 0.0


def test_many_different_questions_weigh_more_than_their_sum():
    def asked(ops):
        return 2 ** top([call(Iface.SAMR, op, n) for n, op in enumerate(ops)]) - 1

    assert asked((6, 17, 25, 18)) == pytest.approx(4.5 / 2, abs=0.01)
    assert asked((6, 17, 25, 18, 19, 20)) == pytest.approx(1.5 * 5.5 / 2, abs=0.01)
    assert asked((6, 17, 25, 18, 19, 20, 27, 28)) == pytest.approx(1.5 * 6.5 / 2, abs=0.01)
    assert asked((6, 17, 25, 18, 19, 13, 11, 15)) == pytest.approx(12.0 / 2)


def test_numbers_of_the_two_printing_interfaces_are_not_mixed_up():
    notices = [call(Iface.PRINT_ASYNC, op, n) for n, op in enumerate((0, 1, 65, 20, 9, 89))]
    assert np.isnan(scores_of(notices)).all()


def test_all_that_a_machine_offers_asked_for_piece_by_piece():
    asked = [call(Iface.EPM, 2, count=349)]
    assert COMMAND - 1.0 < top(asked) < COMMAND
    assert top([call(Iface.EPM, 2)]) < top(asked) - 1.0, "once, as a list that fits one answer"
    assert np.isnan(scores_of([call(Iface.EPM, 3, count=500)])).all()


@pytest.mark.parametrize(
    ("via", "clears", "watches"), [(RpcVia.TCP, 6, 0), (RpcVia.SMB2, 0, 6)]
)  # fmt: skip
def test_a_log_that_is_read_and_one_that_is_cleared(via, clears, watches):
    assert np.isnan(scores_of([call(Iface.EVENTLOG, watches, via=via)])).all()
    assert top([call(Iface.EVENTLOG, clears, via=via)]) > 2.5


def test_who_was_just_commanded_counts_three_times():
    first = call(Iface.TASKS, 1, 0, PC, OTHER)
    soon, late = (
        call(Iface.TASKS, 1, HOUR // 2, OTHER, THIRD),
        call(Iface.TASKS, 1, 2 * HOUR, OTHER, THIRD),
    )
    assert top([first, soon]) == pytest.approx(math.log2(1 + 3 * 8))
    assert top([first, late]) == pytest.approx(COMMAND)
    denied = first | {"status": RpcStatus.DENIED}
    assert top([denied, soon]) == pytest.approx(COMMAND), "what was refused controlled nobody"
    asked = [call(Iface.SAMR, 22, 0, PC, OTHER), call(Iface.DRSUAPI, 3, 1, PC, OTHER)]
    assert top([*asked, soon]) == pytest.approx(COMMAND), "nor did what ran nothing"


def test_old_acquaintances_that_never_did_this_count_twice():
    chat = [call(Iface.SRVSVC, 21, n * DAY) for n in range(5)]
    assert top([*chat, call(Iface.SVCCTL, 12, 4 * DAY + HOUR)]) == pytest.approx(math.log2(17))
    assert top([*chat, call(Iface.SVCCTL, 12, HOUR)]) == pytest.approx(COMMAND)


@given(st.integers(4, 20), st.integers(1, 8), st.floats(-2, 2))
@settings(max_examples=20, deadline=None)
def test_what_is_done_each_night_is_a_habit_by_the_third(machines, commands, hours):
    nights = [
        call(Iface.SVCCTL, 12, n * DAY + int(hours * HOUR) + m * 60 * SECOND, SERVER, 100 + m,
             count=commands)
        for n in range(3, 9)
        for m in range(machines)
    ]  # fmt: skip
    scores = scores_of(nights)
    assert scores[0] >= COMMAND - 1e-6
    third = scores[2 * machines :]
    assert third.max() < COMMAND
    assert scores[-1] < 1.5


def test_a_machine_that_commands_others_each_day_may_command_a_new_one():
    days = [call(Iface.SVCCTL, 12, n * DAY, SERVER, 100 + n) for n in range(8)]
    assert scores_of(days)[-1] < 1.5


def test_a_second_command_is_twice_as_much_and_the_eighth_the_last():
    many = [call(Iface.WMI, 24, n * SECOND) for n in range(20)]
    scores = scores_of(many)
    assert scores[1] - scores[0] == pytest.approx(1.0, abs=0.1)
    assert scores.max() <= math.log2(1 + 64)


def test_it_is_the_client_that_is_told_of():
    words = told([call(Iface.SVCCTL, 12), call(Iface.SVCCTL, 19, SECOND)])
    assert words.title_en == "{src} made {dst} run a program from a distance."
    assert "controlled {src}" not in words.desc_en


def test_the_strongest_deed_is_told_and_whether_it_was_refused():
    refused = {"status": RpcStatus.DENIED, "count": 3}
    words = told([call(Iface.WINREG, 22, **refused), files(ShareKind.ADMIN, SECOND, writes=2)])
    assert "tried to change settings" in words.title_en
    assert "probeerde" in words.title_nl
    led = told([call(Iface.TASKS, 1, 0, PC, OTHER), call(Iface.WMI, 24, SECOND, OTHER, THIRD)])
    assert "controlled {src}" in led.desc_en
    assert "commands" in led.title_en


@pytest.mark.parametrize(
    ("rows", "technique"),
    [
        ([(Iface.SVCCTL, 12), (Iface.SVCCTL, 19)], "T1569.002"),
        ([(Iface.TASKS, 1)], "T1053.005"),
        ([(Iface.WMI, 24)], "T1047"),
        ([(Iface.DISPATCH, 6)], "T1021.003"),
        ([(Iface.PRINT_ASYNC, 39)], "T1210"),
        ([(Iface.WINREG, 20)], "T1003.002"),
        ([(Iface.DRSUAPI, 3)], "T1003.006"),
        ([(Iface.EFSRPC, 0)], "T1187"),
        ([(Iface.NETLOGON, 26)], "T1210"),
        ([(Iface.WINREG, 22)], "T1112"),
        ([(Iface.SAMR, 50)], "T1098"),
        ([(Iface.SAMR, 13), (Iface.SAMR, 34)], "T1087"),
        ([(Iface.SAMR, 34), (Iface.SAMR, 25), (Iface.SAMR, 18)], "T1069"),
        ([(Iface.WINREG, 17), (Iface.WINREG, 9)], "T1012"),
        ([(Iface.SRVSVC, 12)], "T1049"),
        ([(Iface.SRVSVC, 15)], "T1135"),
        ([(Iface.SVCCTL, 14)], "T1007"),
        ([(Iface.EPM, 2)], "T1046"),
    ],
)
def test_the_technique_is_that_of_the_deed(rows, technique):
    words = told([call(*row, at=n) for n, row in enumerate(rows)])
    assert words.technique == technique


def test_each_deed_has_words_of_its_own():
    assert set(WORDS) == set(Deed)
    texts = [text for words in WORDS.values() for text in words]
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert "{src}" in text
        assert "{dst}" in text


def test_what_no_administrator_does_is_not_called_administration():
    done = dict.fromkeys(RemoteExecution.facts, 0.0)
    told, ordinary = (RemoteExecution().explain(done | {deed: 8.0}) for deed in ("trust", "tasks"))
    assert "looks after your computers" not in told.desc_en
    assert "uw computers beheert" not in told.desc_nl
    assert "looks after your computers" in ordinary.desc_en
    assert "uw computers beheert" in ordinary.desc_nl
