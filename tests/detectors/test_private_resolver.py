"""Questions to a server of one's own, against those to resolvers of all kinds."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.knowledge.public_resolvers import PUBLIC_RESOLVERS
from dijkwacht_detectors.private_resolver import PrivateResolver
from dijkwacht_records.addresses import pack_address

SECOND = 1_000_000
LINE = 3.0 + 0.5 * math.log(0.25 / PrivateResolver.share)
"""Where what is expected is as rare as an interruption may be."""
PC, OTHER, THIRD = (pack_address(f"192.168.1.{n}") for n in (20, 21, 22))
SERVER = pack_address("203.0.113.53")
TXT, A, MX, NULL = 16, 1, 15, 10


def asks(at, name, qtype=TXT, **values):
    row = {"orig_h": PC, "resp_h": SERVER, "resp_p": 53, "question": 1, "rcode": 0, "answers": 1, "answer_bytes": 120}  # fmt: skip
    return row | {"time": round(at * SECOND), "query": name, "qtype": qtype} | values


def top(rows):
    return float(np.nan_to_num(score_rows(PrivateResolver(), rows)).max(initial=0.0))


def orders(many=30, **values):
    return [asks(2 * n, f"{n}.tasks.relay.example", **values) for n in range(many)]


def hosts(many, **values):
    return [asks(n, f"www.site{n}.example", A, **values) for n in range(many)]


def test_a_minute_of_orders_is_told_and_so_is_one_name_asked_for_time_and_again():
    assert top(orders()) > LINE
    assert top([asks(2 * n, "now.tasks.relay.example") for n in range(40)]) > LINE
    assert top(orders(6)) < LINE


def test_answers_and_questions_in_rows_of_their_own_say_the_same():
    apart = []
    for row in orders():
        apart.append(row | {"rcode": 255, "answers": 0, "answer_bytes": 0})
        apart.append(row | {"time": row["time"] + 9, "question": 0})
    assert top(apart) == pytest.approx(top(orders()), abs=1e-3)


def test_types_and_bytes_weigh():
    assert top(orders(qtype=NULL)) > top(orders()) == top(orders(qtype=MX))
    assert top(orders(answer_bytes=256)) > top(orders(answer_bytes=20)) > top(orders(rcode=3)) + 1.0


@pytest.mark.parametrize(
    "values",
    [
        {"resp_h": pack_address("192.168.1.1")},
        {"resp_h": pack_address("10.9.9.9")},
        {"resp_h": pack_address("8.8.8.8")},
        {"orig_h": pack_address("203.0.113.7")},
        {"resp_h": pack_address("224.0.0.251")},
        {"resp_p": 5353},
        {"qtype": 12},
        {"qtype": 6},
        {"qtype": A},
    ],
    ids=["inside", "far", "public", "near", "everybody", "port", "backward", "zone", "host"],
)
def test_what_is_no_odd_question_to_a_server_outside_is_nothing(values):
    assert top(orders(**values)) == 0.0


@pytest.mark.parametrize("address", PUBLIC_RESOLVERS)
def test_everybody_may_ask_a_public_resolver(address):
    assert top(orders(resp_h=pack_address(address))) == 0.0


@pytest.mark.parametrize(
    "name",
    [
        "firm{n}.example",
        "s{n}._domainkey.firm.example",
        "{n}.113.0.203.bl.example",
        "a{n}.office.local",
    ],
)
def test_mail_policies_lists_and_names_of_ones_own_are_nothing(name):
    assert top([asks(n, name.format(n=n)) for n in range(60)]) == 0.0


def test_who_is_asked_for_all_and_sundry_is_a_resolver():
    assert top(hosts(40)) == 0.0
    assert top(hosts(40) + orders()) < LINE - 2.0
    elsewhere = hosts(40, resp_h=pack_address("198.51.100.1"))
    assert top(elsewhere + orders()) > LINE, "another server's hosts speak for that one"


def test_a_server_that_others_ask_too_is_the_sites():
    one = [asks(0, "www.example.org", A, orig_h=OTHER)]
    two = [*one, asks(0, "www.example.org", A, orig_h=THIRD)]
    assert top(orders()) - 2.1 < top(one + orders()) < top(orders()) - 1.5
    assert top(two + orders()) < 2.0
    assert top([row | {"site": 1} for row in two] + orders()) == top(orders())


def test_a_resolver_of_ones_own_asks_hundreds():
    asked = [
        asks(n, f"{n}.keys.example", resp_h=pack_address(f"198.51.100.{n + 1}")) for n in range(200)
    ]
    assert top(asked) < 2.0
    assert top(asked + orders()) < LINE - 2.0


def test_names_that_could_be_data_count_where_hosts_are_asked_for():
    draw = random.Random(5)
    data = [f"{draw.getrandbits(200):050x}.t.relay.example" for _ in range(80)]
    assert top([asks(n, name, A) for n, name in enumerate(data)]) > LINE
    assert top([asks(n, f"www{n}.relay.example", A) for n in range(80)]) == 0.0


def test_known_guards_weigh_less():
    guard = [asks(n, f"{n}.hash.sophosxl.net") for n in range(60)]
    assert top(guard) < top([asks(n, f"{n}.hash.guard.example") for n in range(60)]) - 2.0


def test_orders_an_hour_apart_fade():
    assert top([asks(3600 * n, f"{n}.tasks.relay.example") for n in range(48)]) < LINE
    _, facts = Harness(PrivateResolver()).feed(orders())
    told = dict(zip(PrivateResolver.facts, facts[-1].tolist(), strict=True))
    assert told["resolver_users"] == told["own_resolvers"] == 1.0
    assert "name server" in PrivateResolver().explain(told).title_en
    assert "No other machine" in PrivateResolver().explain(told).desc_en


def test_it_does_not_say_that_nobody_else_asks_where_another_does():
    shared = [asks(0, "0.tasks.relay.example", orig_h=OTHER), *orders()]
    _, facts = Harness(PrivateResolver()).feed(shared)
    told = dict(zip(PrivateResolver.facts, facts[-1].tolist(), strict=True))
    assert told["resolver_users"] == 2.0
    words = PrivateResolver().explain(told)
    assert words.desc_en.startswith("Hardly any other machine")
    assert words.desc_nl.startswith("Haast geen ander apparaat")
