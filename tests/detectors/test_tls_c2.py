"""TLS without a name: what calls home against what is merely told an address."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.harness import Harness
from dijkwacht_detectors.tls_c2 import TlsC2
from dijkwacht_records.hints import NAMED, Named
from dijkwacht_records.vocabulary import Alpn, CertFlag, HelloFlag

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
SIGNS_ITSELF = int(CertFlag.SEEN | CertFlag.SELF_SIGNED)
OWN = {"cert_flags": SIGNS_ITSELF, "cert_days": 365}


def call(resp=9, port=443, named=Named.NOBODY, **values):
    return {
        "table": "flows", "resp_h": resp, "resp_p": port, "hints": NAMED.put(named),
    } | values  # fmt: skip


def hello(resp=9, port=443, **values):
    ja4 = "t12d19" if values.get("server_name") else "t12i19"  # which says whether there is a name
    row = {"table": "tls", "resp_h": resp, "resp_p": port, "version": 0x0303, "ja4": ja4}
    return row | values


def last(rows):
    return float(score_rows(TlsC2(), rows)[-1])


def evidence(rows):
    return 2.0 ** last(rows) - 1.0


def test_a_hello_is_scored_once_whichever_of_it_and_its_flow_comes_first():
    before, after = score_rows(TlsC2(), [call(), hello()]), score_rows(TlsC2(), [hello(), call()])
    assert np.isnan(before).tolist() == np.isnan(after).tolist() == [True, False]
    assert before[1] == after[1] == pytest.approx(1.0)
    assert np.isnan(score_rows(TlsC2(), [hello(), call(), call()])[2])


@pytest.mark.parametrize(
    ("oddity", "weight"),
    [
        ({"cert_flags": SIGNS_ITSELF}, 4.0),
        ({"cert_flags": int(CertFlag.SEEN)}, 0.5),
        ({"cert_flags": SIGNS_ITSELF, "cert_days": 399}, 6.0),
        ({"cert_flags": SIGNS_ITSELF, "cert_days": 398}, 4.0),
        ({"cert_flags": SIGNS_ITSELF | int(CertFlag.EXPIRED)}, 6.0),
        ({"cert_flags": SIGNS_ITSELF | int(CertFlag.NOT_YET)}, 6.0),
        ({"cert_flags": SIGNS_ITSELF | int(CertFlag.EMPTY_SUBJECT)}, 6.0),
        ({"cert_flags": SIGNS_ITSELF | int(CertFlag.NO_ALTERNATIVE)}, 6.0),
        ({"cert_flags": int(CertFlag.SELF_SIGNED), "cert_days": 4000}, 1.0),  # none was seen
        ({"version": 0x0301}, 1.5),
        ({"version": 0}, 1.0),
        ({"alpn": int(Alpn.H2)}, 0.3),
        ({"alpn": int(Alpn.OTHER)}, 0.6),
        ({"server_name": "198.51.100.7"}, 1.0),
        ({"server_name": "2001:db8::7"}, 1.0),
        ({"alert": 49}, 0.25),  # unknown authority: the client looks
        ({"alert": 41}, 1.0),  # the handshake failed, as it does
    ],
)
def test_what_a_hello_and_its_answer_weigh(oddity, weight):
    assert evidence([call(), hello(**oddity)]) == pytest.approx(weight, rel=1e-5)


@pytest.mark.parametrize(
    ("named", "weight"),
    [(Named.NOBODY, 1.0), (Named.UNKNOWN, 0.5), (Named.BY_OTHER, 0.25), (Named.BY_ORIG, 0.1)],
)
def test_what_dns_said_weighs(named, weight):
    assert evidence([call(named=named), hello()]) == pytest.approx(weight)


def test_an_address_that_dns_named_stays_named():
    assert evidence([call(named=Named.BY_ORIG), call(), hello()]) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("port", "weight"), [(443, 1.0), (4443, 2.0), (853, 0.1), (5223, 0.3), (993, 0.5)]
)
def test_ports_weigh(port, weight):
    assert evidence([call(port=port), hello(port=port)]) == pytest.approx(weight)


def test_a_named_server_counts_only_if_it_signs_for_itself_and_little():
    assert np.isnan(last([call(), hello(server_name="a.example")]))
    named = hello(server_name="a.example", **OWN)
    assert evidence([call(), named]) == pytest.approx(0.2 * 4.0)
    told = [call(), hello(server_name="a.example"), hello()]
    assert evidence(told) == pytest.approx(0.25), "a nameless hello to a server that has a name"


def test_what_was_cut_says_nothing():
    rows = [call(), hello(hello_flags=int(HelloFlag.CUT), **OWN)]
    assert np.isnan(score_rows(TlsC2(), rows)).all()


def test_inside_it_is_the_rule_and_from_outside_it_is_no_business_of_ours():
    assert evidence([call(local_resp=1), hello(**OWN)]) == pytest.approx(0.05 * 4.0)
    assert np.isnan(last([call(local_orig=0), hello(**OWN)]))


def test_a_list_of_servers_greeted_alike_counts_each():
    rows = [row for n in range(3) for row in (call(resp=20 + n), hello(resp=20 + n))]
    assert (2.0 ** score_rows(TlsC2(), rows)[1::2] - 1.0).round(3).tolist() == [1.0, 2.0, 3.0]


def test_a_signature_of_several_machines_is_a_program_of_the_house():
    others = [hello(resp=30, orig_h=n) for n in range(40, 44)]
    assert evidence([*others, call(), hello()]) <= 1.0 / 3.0


def test_a_service_that_machines_share_weighs_less():
    shared = [call(orig_h=n) for n in range(40, 44)]
    assert evidence([*shared, call(), hello(ja4="own")]) == pytest.approx(1 / 4)


def test_what_is_known_for_days_weighs_less():
    assert evidence([call(), call(time=3 * DAY), hello(time=3 * DAY)]) == pytest.approx(0.5)


def test_one_more_hello_adds_less_than_the_first_and_an_hour_halves_them():
    rows = [call()] + [hello(time=n * SECOND) for n in range(16)]
    assert evidence(rows) == pytest.approx(math.sqrt(16 / (1 + 15 / 16)), rel=0.01)
    many = [call()] + [hello(time=n * SECOND) for n in range(400)]
    assert evidence(rows) < evidence(many) < 4.0, "a bank that is handed payments all night"
    signed = [call()] + [hello(time=n * SECOND, **OWN) for n in range(400)]
    assert evidence(signed) > 70, "orders asked for by the second, of one who vouches for himself"
    rows.append(hello(time=16 * HOUR))  # first seen long ago, too
    assert evidence(rows) == pytest.approx(1 / (1 + 16 / 72), rel=0.01)


hellos = st.builds(
    dict,
    gap=st.integers(0, 2 * HOUR),
    named=st.booleans(),
    flags=st.sampled_from([0, int(CertFlag.SEEN), SIGNS_ITSELF, SIGNS_ITSELF | 64]),
    days=st.sampled_from([90, 3650]),
    alert=st.sampled_from([0, 0, 41, 47]),
    version=st.sampled_from([0x0301, 0x0303]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(hellos, min_size=1, max_size=12), st.sampled_from(list(Named)))
def test_scores_are_those_of_a_plain_model(sequence, known):
    rows, wanted = [call(named=known)], [math.nan]
    t = nameless = doubtful = 0.0
    certificate = client = trust = 1.0
    knowledge = {Named.NOBODY: 1.0, Named.UNKNOWN: 0.5, Named.BY_OTHER: 0.25, Named.BY_ORIG: 0.1}
    for h in sequence:
        t += h["gap"]
        fade = 0.5 ** (h["gap"] / HOUR)
        nameless, doubtful = nameless * fade, doubtful * fade
        rows.append(
            hello(time=int(t), server_name="a.example" if h["named"] else "", version=h["version"],
                  cert_flags=h["flags"], cert_days=h["days"], alert=h["alert"])
        )  # fmt: skip
        if h["flags"]:
            oddities = (h["days"] > 398) + bool(h["flags"] & 64)
            certificate = (4.0 if h["flags"] & 2 else 0.5) * 1.5**oddities
        if h["alert"] == 47 or h["named"]:
            trust = 0.25
        if h["named"]:
            doubtful += bool(h["flags"] & 2)
        else:
            nameless += 1
            client = 1.5 if h["version"] == 0x0301 else 1.0
        more = 0 if certificate >= 4 else max(nameless - 1, 0)
        greeted = nameless / (1 + more / 16)
        found = math.sqrt(greeted) * knowledge[known] * client * trust + 0.2 * math.sqrt(doubtful)
        found *= certificate / (1 + t / (3 * DAY))
        wanted.append(math.log2(1 + found) if found > 0 else math.nan)
    np.testing.assert_allclose(score_rows(TlsC2(), rows), wanted, rtol=1e-4, atol=1e-6)


def test_every_text_names_the_machine_and_is_true_of_its_facts():
    detector = TlsC2()
    cases = [
        ([call(), hello(**OWN)], "does not call by a name"),
        ([call(), hello(server_name="a.example", **OWN)], "only vouches for itself"),
        ([call(resp=8), hello(resp=8), call(), hello()], "more than one server"),
    ]
    for rows, words in cases:
        _, facts = Harness(detector).feed(rows)
        said = detector.explain(dict(zip(detector.facts, facts[-1], strict=True)))
        assert words in said.title_en
        for text in (said.title_en, said.title_nl):
            assert "{src}" in text
            assert "{dst}" in text
