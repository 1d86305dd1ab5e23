"""Who calls one mail server after the other, against all who mail as people and mail servers do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.spambot import Spambot
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import ConnState

SECOND, DAY = 1_000_000, 86_400_000_000
START = 20_000 * DAY
LINE = 2.0 + 0.5 * math.log(0.1 / Spambot.share)
"""Where what is expected is as rare as an interruption may be."""
PC = pack_address("192.168.1.20")


def calls(at, network, port=25, **values):
    answered = {"time": START + round(at * SECOND), "orig_h": PC, "resp_p": port, "resp_pkts": 9, "orig_pkts": 12,
                "local_orig": 1, "conn_state": ConnState.SF,
                "resp_h": pack_address(f"198.{18 + network // 250}.{network % 250}.25")}  # fmt: skip
    return answered | values


def serves(at, machines):
    """So many others inside fetch something from the PC."""
    return [
        {"time": START + round(at * SECOND), "orig_h": pack_address(f"192.168.1.{100 + n}"), "resp_h": PC,
         "resp_p": 993, "resp_pkts": 9, "resp_bytes": 900, "local_orig": 1, "local_resp": 1}
        for n in range(machines)
    ]  # fmt: skip


def top(rows):
    scores = score_rows(Spambot(), sorted(rows, key=lambda row: row["time"]))
    return float(np.nan_to_num(scores).max(initial=0.0))


@pytest.mark.parametrize(("port", "many"), [(25, 10), (587, 20), (465, 20)])
def test_ten_mail_servers_within_two_minutes_are_told(port, many):
    assert top([calls(6 * n, n, port) for n in range(many)]) > LINE


def test_more_is_more_and_never_endless():
    few, most = (top([calls(n / 10, n) for n in range(many)]) for many in (20, 400))
    assert LINE < few < most < math.log2(1 + 128)


@pytest.mark.parametrize(
    "values",
    [
        {"resp_pkts": 0, "conn_state": ConnState.S0},
        {"resp_pkts": 1, "conn_state": ConnState.REJ},
        {"part": 1},
        {"proto": 17},
        {"local_resp": 1},
        {"resp_p": 26},
        {"resp_p": 443},
        {"resp_h": pack_address("203.0.113.25")},
    ],
    ids=["unanswered", "refused", "later part", "udp", "inside", "26", "web", "one provider"],
)
def test_what_is_no_new_mail_server_counts_nothing(values):
    assert top([calls(n, n, **values) for n in range(40)]) <= 1.0


def test_addresses_of_this_network_are_no_mail_servers_of_others():
    private = [calls(n, 0, resp_h=pack_address(f"10.0.{n}.25")) for n in range(40)]
    assert top(private) == 0.0


def test_one_provider_has_many_addresses():
    addresses = [pack_address(f"203.0.113.{n}") for n in range(1, 90)]
    assert top([calls(n, 0, resp_h=at) for n, at in enumerate(addresses)]) == pytest.approx(
        1.0, abs=0.02
    )
    sixes = [pack_address(f"2001:db8:1:{n:x}::25") for n in range(1, 90)]
    assert top([calls(n, 0, resp_h=at) for n, at in enumerate(sixes)]) == pytest.approx(
        1.0, abs=0.02
    )
    others = [pack_address(f"2001:db8:{n:x}::25") for n in range(1, 20)]
    assert top([calls(n, 0, resp_h=at) for n, at in enumerate(others)]) > LINE


def test_who_watches_the_same_servers_is_told_once_at_most():
    rows = [calls(60 * look + n / 10, n) for look in range(120) for n in range(30)]
    scores = score_rows(Spambot(), rows)
    assert np.isnan(scores[60:]).all()


def test_a_mail_server_delivers():
    letter = [calls(100 + n / 10, n) for n in range(300)]
    by_use = [top([*serves(10, machines), *letter]) for machines in range(5)]
    assert by_use == sorted(by_use, reverse=True)
    assert by_use[0] > LINE > by_use[3] == by_use[4]


@given(st.integers(1, 6), st.floats(60.0, 3600.0))
def test_people_with_some_accounts_are_quiet(accounts, pause):
    rows = [calls(pause * n, n % (2 * accounts), 587) for n in range(60)]
    assert top(rows) < LINE


CALL = st.tuples(
    st.floats(0.0, 900.0), st.integers(0, 30), st.sampled_from([25, 25, 465, 587]), st.booleans()
)


@given(st.lists(CALL, max_size=40), st.integers(0, 4))
def test_scores_are_what_the_model_says(made, machines):
    rows, wanted = serves(0, machines), [math.nan] * machines
    at, last, relays, providers, known = 1.0, None, 0.0, 0.0, set()
    for later, network, port, answered in made:
        at = round(at + later, 6)
        silent = {} if answered else {"resp_pkts": 0, "conn_state": ConnState.S0}
        rows.append(calls(at, network, port, **silent))
        if not answered or network in known:
            wanted.append(math.nan)
            continue
        known.add(network)
        kept = 0.5 ** ((at - last) / 600) if last is not None else 1.0
        last = at
        relays = relays * kept + (port == 25)
        providers = providers * kept + (port != 25)
        worth = relays + providers / 2
        worth *= 128 / (128 + worth) * {0: 1, 1: 1 / 2, 2: 1 / 8}.get(machines, 1 / 32)
        wanted.append(math.log2(1 + worth) if worth >= 0.25 else math.nan)
    scores = score_rows(Spambot(), rows)
    assert scores.tolist() == pytest.approx(wanted, abs=1e-3, nan_ok=True)


def test_an_explanation_says_how_many():
    _, facts = Harness(Spambot()).feed([calls(n, n) for n in range(12)])
    told = dict(zip(Spambot.facts, facts[-1].tolist(), strict=True))
    assert told["by_account"] == 0.0
    assert "about 12 mail servers" in Spambot().explain(told).title_en
