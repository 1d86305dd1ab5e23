"""What tunnels score against what ordinary look-ups score."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.dns_tunnel import DnsTunnel

SECOND = 1_000_000


def top(rows):
    scores = score_rows(DnsTunnel(), rows)
    return float(np.nanmax(scores)) if not np.isnan(scores).all() else 0.0


def asked(names, every=SECOND, **values):
    row = {"question": 1, "resp_p": 53, "qtype": 1} | values
    return [row | {"time": n * every, "query": name} for n, name in enumerate(names)]


def digits(n):
    return hashlib.blake2b(str(n).encode(), digest_size=20).hexdigest()


TUNNEL = [f"{digits(n)[: 30 + n % 11]}.t.example.com" for n in range(100)]


def test_types_that_nobody_asks_for_speak_soonest():
    null, text, address = (top(asked(TUNNEL, qtype=t)) for t in (10, 16, 1))
    assert null > text > address > 4.0


def test_a_tunnel_that_tries_types_is_known_after_a_few_names():
    rows = [row | {"qtype": (5, 15, 16)[n % 3]} for n, row in enumerate(asked(TUNNEL[:12]))]
    assert top(rows) > 4.5


def test_names_with_short_data_under_odd_types():
    assert top(asked([f"ya{digits(n)[:6]}.t.example" for n in range(30)], qtype=10)) > 4.5


def test_names_that_end_in_data_go_to_a_tunnel_of_their_own():
    assert top(asked([f"dnscat.{digits(n)}" for n in range(20)], qtype=16)) > 5.0


def test_machines_that_ask_for_many_types_of_few_names():
    rows = []
    for n in range(80):
        name = f"alqinc.server{n % 7}.example"
        rows += asked([name], qtype=(16, 6, 15, 5, 33, 1, 28)[n % 7])
        rows[-1]["time"] = n * 10 * SECOND
    assert top(rows) > 4.0


@pytest.mark.parametrize(
    "names",
    [
        [f"{digits(n)[:24]}.avqs.mcafee.com" for n in range(60)],
        [f"{n}.2.0.192.zen.spamhaus.org" for n in range(500)],
        [f"r{n}---sn-5hnednss.googlevideo.com" for n in range(100)],
        [f"{n % 256}.1.168.192.in-addr.arpa" for n in range(500)],
        [f"www.shop{n}.example" for n in range(500)],
        [f"_service{n}._tcp.corp.example" for n in range(100)],
        [f"laptop{n}.fritz.box" for n in range(100)],
    ],
)
def test_ordinary_names(names):
    assert top(asked(names, every=5 * SECOND)) < 3.0


def test_names_that_do_not_exist_count_by_domain():
    many = asked([f"{digits(n)[:9]}.com" for n in range(60)], rcode=3)
    one = asked([f"{digits(n)[:9]}.example.com" for n in range(60)], rcode=3)
    local = asked([f"{digits(n)[:9]}.local" for n in range(60)], rcode=3)
    assert top(many) > 5.5
    assert top(one) < 3.5
    assert top(local) == 0.0


@pytest.mark.parametrize("qtype", [1, 16])
def test_hashes_of_files_are_of_one_length_and_pieces_of_data_are_not(qtype):
    hashes = [f"{digits(n)[:32]}.rep.guard.example" for n in range(60)]
    pieces = [f"{digits(n)[: 28 + n % 9]}.rep.guard.example" for n in range(60)]
    long = [f"{digits(n)}.{digits(-n)}.rep.guard.example" for n in range(60)]
    low = top(asked(hashes, qtype=qtype))
    assert low < top(asked(pieces, qtype=qtype)) - 1.3
    assert low < top(asked(long, qtype=qtype)) - 1.3
    assert top(asked(hashes, qtype=10)) > 5.5, "nobody asks about files by a type that is no text"


def test_names_that_do_not_exist_count_by_their_share_of_the_domains():
    guessed = asked([f"{digits(n)[:9]}.com" for n in range(100)], rcode=3)
    visited = asked(
        [f"www.shop{n}.example.org" if n % 2 else f"shop{n}.com" for n in range(60)], rcode=0
    )
    linked = asked([f"shop{n}.net" for n in range(400)], rcode=0)
    for n, row in enumerate(linked):
        row["rcode"] = 0 if n % 5 else 3
    assert top(guessed) > top([*visited, *guessed]) > 4.5
    assert top(linked) < 2.5
    assert top([*guessed, *guessed]) == top(guessed), "each once"


def test_multicast_names_do_not_count():
    assert top(asked(TUNNEL, qtype=16, resp_p=5353)) == 0.0
